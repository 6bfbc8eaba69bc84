"""Fixtures for the HTTP tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from remote import Remote


@pytest.fixture
def run(remote: Remote) -> Any:
    """Run a command with its arguments as a JSON object."""

    def call(name: str, /, **arguments: Any) -> Any:
        return remote(f"commands/{name.replace(' ', '/')}", "POST", json=arguments)

    return call
