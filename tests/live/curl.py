"""Run curl, as users do, without a proxy."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any


def run_curl(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run curl; the last line of its output is the HTTP status.

    :raises subprocess.CalledProcessError: if it fails and ``check`` is set
    """
    return subprocess.run(
        ["curl", "--silent", "--show-error", "--write-out", "\n%{http_code}", *arguments],
        env={**os.environ, "NO_PROXY": "*"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=150,
        check=check,
    )


def fetch_text(*arguments: str) -> tuple[int, str]:
    """Run curl, and return the HTTP status and the body of the response."""
    body, _, status = run_curl(*arguments).stdout.rpartition("\n")
    return int(status), body


def fetch_json(*arguments: str) -> tuple[int, dict[str, Any]]:
    """Run curl, and return the HTTP status and the JSON object in the body of the response."""
    status, body = fetch_text(*arguments)
    return status, json.loads(body)
