"""Classic endpoints over curl, as the 2016 plugin's README calls them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from live.curl import fetch_json
from live.database import fetch_rows
from live.harness import TOKEN, Server

HEADER = ("--header", f"rest_api_plugin_http_token: {TOKEN}")
"""The 2016 plugin's header, underscores and all."""

PATIENT = ("--header", "Prefer: wait=100")
"""On a busy machine, a command may take longer than gunicorn's workers wait by default."""


def major_and_minor(release: str) -> tuple[int, int]:
    """Return the major and the minor version of a release."""
    major, minor = release.split(".")[:2]
    return int(major), int(minor)


def send_command(server: Server, endpoint: str, *words: str, **arguments: str) -> tuple[int, dict[str, Any]]:
    """Send a command to a classic endpoint; return the HTTP status and the envelope."""
    query = [word for name, value in arguments.items() for word in ("--data-urlencode", f"{name}={value}")]
    return fetch_json(
        *HEADER, *PATIENT, *(["--get", *query] if query else []), *words, f"{server.api}/{endpoint}"
    )


def run_command(server: Server, endpoint: str, *words: str, **arguments: str) -> dict[str, Any]:
    """Run a command, which must succeed, at a classic endpoint; return the envelope."""
    status, answer = send_command(server, endpoint, *words, **arguments)
    assert (status, answer["status"], answer["exit_code"]) == (200, "OK", 0), (endpoint, arguments, answer)
    return answer


def is_paused(server: Server, dag_id: str) -> bool:
    """Return whether a DAG is paused in Airflow's database."""
    [(paused,)] = fetch_rows(server, "select is_paused from dag where dag_id = ?", dag_id)
    return bool(paused)


def deploy(server: Server, file: Path, **arguments: str) -> tuple[int, dict[str, Any]]:
    """Deploy a file; return the HTTP status and the envelope."""
    fields = [word for name, value in arguments.items() for word in ("--form", f"{name}={value}")]
    return fetch_json(*HEADER, *PATIENT, "--form", f"dag_file=@{file}", *fields, f"{server.api}/deploy_dag")
