"""An unknown name is a 404 with every command that takes the name of something."""

from __future__ import annotations

from typing import Any

import airflow_commands
import pytest

NAME = "no-such-name"
VALUES: dict[str, Any] = {
    **dict.fromkeys(("dag_id", "conn_id", "key", "pool", "provider_name", "resource", "run_id"), NAME),
    **dict.fromkeys(("execution_date", "execution_date_or_run_id", "logical_date"), "2024-01-01"),
    **dict.fromkeys(("from_date", "start_date", "to_date"), "2024-01-01"),
    "action": "can_read",
    "logical_date_or_run_id": NAME,
    "name": NAME,
    "role": NAME,
    "task_id": NAME,
    "use_random_password": True,
    "username": NAME,
    "yes": True,
}
"""The value of every argument that names something, or that a command needs as well."""

OTHERS = {
    "assets list": 200,
    "connections list": 200,
    "connections test": 422,  # disabled by default
    "dags pause": 200,
    "dags unpause": 200,
    "kubernetes generate-dag-yaml": 501,  # without a Kubernetes executor
    "partitions clear": 404,
    "variables delete": 200,
}
"""The status with other commands: with an unknown name they list, or do, nothing."""

CHOOSING = {"dags clear": ["dag_id", "run_id", "yes"], "partitions clear": ["dag_id", "start_date"]}
MAKING = ("add", "create", "set", "import", "export", "reset", "check", "materialize")
GROUPS = (
    *("assets", "backfill", "connections", "dags", "kubernetes", "partitions", "pools", "providers", "roles"),
    *("tasks", "teams", "users", "variables"),
)


def naming_commands() -> dict[str, dict[str, Any]]:
    """Return the commands that take the name of something, and their arguments."""
    commands: dict[str, dict[str, Any]] = {}
    for command in airflow_commands.description()["commands"]:
        group, _, verb = command["name"].partition(" ")
        names = [argument["flags"][-1].lstrip("-").replace("-", "_") for argument in command["arguments"]]
        # These two take exactly one of their arguments that choose runs.
        names = CHOOSING.get(command["name"], names)
        used = {name: VALUES[name] for name in names if name in VALUES}
        if group in GROUPS and verb not in MAKING and set(used) - {"yes"}:
            commands[command["name"]] = used
    return commands


@pytest.mark.slow
@pytest.mark.parametrize(("command", "arguments"), naming_commands().items(), ids=naming_commands())
def test_unknown_name_is_a_404(command: str, arguments: dict[str, Any], run: Any) -> None:
    response = run(command, **arguments)
    expected = OTHERS.get(command, 404)
    assert response.status_code in (expected, 404) if expected == 501 else response.status_code == expected
    assert "\n" not in response.json["output"] or expected == 200
    if command in ("dags pause", "dags unpause"):
        assert response.json["warning"].endswith("paused DAGs were found")
