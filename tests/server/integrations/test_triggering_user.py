"""The principal is the triggering user of DAG runs (Airflow 3.1 and later)."""

from __future__ import annotations

import importlib
import inspect

import pytest

from airflow_remote_server.integrations import triggering_user

FUNCTIONS = {
    ("dags", "trigger"): "dag_trigger",
    ("assets", "materialize"): "asset_materialize",
    ("backfill", "create"): "create_backfill",
}


@pytest.mark.parametrize("command", triggering_user.MODULES)
def test_command_stores_the_user_that_its_own_function_returns(
    command: tuple[str, str], major: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = triggering_user.MODULES[command]
    if major < 3:
        try:
            module = importlib.import_module(name)
        except ImportError:
            return  # neither has Airflow 2 this command
        triggering_user.set_triggering_user(command, "ci")
        assert not hasattr(module, triggering_user.FUNCTION)
        return
    module = importlib.import_module(name)
    source = inspect.getsource(inspect.unwrap(getattr(module, FUNCTIONS[command])))
    assert "user = getuser()" in source
    assert "triggering_user_name=user" in source
    assert inspect.getsource(module).count("getuser()") == 1, "it is used for nothing else"
    monkeypatch.setattr(module, triggering_user.FUNCTION, None)
    triggering_user.set_triggering_user([*command, "--", "x"], "ci")
    assert getattr(module, triggering_user.FUNCTION)() == "airflow-remote:ci"


def test_other_commands_keep_the_user() -> None:
    for argv in ([], ["version"], ["dags", "list"], ["tasks", "run"]):
        triggering_user.set_triggering_user(argv, "ci")
