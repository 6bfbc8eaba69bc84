"""Test doubles."""

from __future__ import annotations

from typing import Any


class Wrapped:
    """A WSGI application that records the environ and start_response of its last call."""

    def __init__(self) -> None:
        self.environ: Any = None
        self.start_response: Any = None
        self.answer = [b"wrapped"]

    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        self.environ, self.start_response = environ, start_response
        return self.answer
