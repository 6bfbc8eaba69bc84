"""The contract between client and server: one response per file, with what belongs to it.

A sample holds

* ``request``: the endpoint's ``name``, the ``arguments`` as the client sends them, and ``files``;
* ``response``: the HTTP ``status``, the significant ``headers``, and the JSON ``body``;
* ``client``: the ``command_line`` after ``airflow-remote`` ({file} is a local file with the content to send),
  and the ``stdout``, ``stderr`` and ``exit_status`` that the user gets.

``commands.json`` is a catalog as ``GET /api/v1.0/commands`` returns it, reduced to a few commands.

``tokens.toml`` is an entry of a tokens file, as the client writes it and the server reads it.

``streams/`` holds responses to ``Accept: application/x-ndjson``: the ``events`` in order, and the output of
the ``client``.

The client's tests replay the samples; the server's tests compare its responses with them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

DIRECTORY = Path(__file__).resolve().parent
COMMANDS = DIRECTORY / "commands.json"
TOKENS = DIRECTORY / "tokens.toml"


def samples() -> dict[str, dict[str, Any]]:
    """Return all samples by file name."""
    return _read(DIRECTORY)


def streams() -> dict[str, dict[str, Any]]:
    """Return all stream samples by file name."""
    return _read(DIRECTORY / "streams")


def commands() -> Any:
    """Return the sample catalog of live commands."""
    return json.loads(COMMANDS.read_text(encoding="utf-8"))


def _read(directory: Path) -> dict[str, dict[str, Any]]:
    paths = [path for path in sorted(directory.glob("*.json")) if path != COMMANDS]
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths}
