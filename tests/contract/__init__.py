"""What client and server must agree on: one answer of the API per file, and what belongs to it.

A sample holds

* ``request``: the endpoint's ``name``, the ``arguments`` as the client sends them, and ``files``;
* ``response``: the HTTP ``status``, the ``headers`` that matter, and the JSON ``body``;
* ``client``: the ``command_line`` behind ``airflow-remote`` ({file} is a local file with the content that is
  sent), and the ``stdout``, ``stderr`` and ``exit_status`` that the user gets.

``commands.json`` is a catalogue, as ``GET /api/v1.0/commands`` answers, cut to a few commands.

``tokens.toml`` is an entry of a tokens file, as the client writes it and the server reads it.

``streams/`` holds the answers to ``Accept: application/x-ndjson``: the ``events``, in order, and what the
``client`` makes of them.

The client's tests play the samples through the client; the server's hold its answers against them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
COMMANDS = FOLDER / "commands.json"
TOKENS = FOLDER / "tokens.toml"


def samples() -> dict[str, dict[str, Any]]:
    """All samples, by the names of their files."""
    return _read(FOLDER)


def streams() -> dict[str, dict[str, Any]]:
    """All samples of streams, by the names of their files."""
    return _read(FOLDER / "streams")


def commands() -> Any:
    """The catalogue of live commands."""
    return json.loads(COMMANDS.read_text(encoding="utf-8"))


def _read(folder: Path) -> dict[str, dict[str, Any]]:
    paths = [path for path in sorted(folder.glob("*.json")) if path != COMMANDS]
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths}
