"""The commands of Airflow 1.x."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_remote.catalog.classic import load_table
from client.program import Run, call
from client.stub import Stub

TABLE = load_table()


# Requests.

REQUESTS = [
    ("version", "version", {}),
    ("trigger_dag x", "trigger_dag", {"dag_id": "x"}),
    ("trigger-dag x", "trigger_dag", {"dag_id": "x"}),
    ("trigger_dag x --run_id r", "trigger_dag", {"dag_id": "x", "run_id": "r"}),
    ("trigger_dag x --run-id r", "trigger_dag", {"dag_id": "x", "run_id": "r"}),
    ("trigger_dag x --run-id=r", "trigger_dag", {"dag_id": "x", "run_id": "r"}),
    ("trigger_dag --run_id=r=s x", "trigger_dag", {"dag_id": "x", "run_id": "r=s"}),
    (
        "trigger_dag x -r r -e 2026-01-01",
        "trigger_dag",
        {"dag_id": "x", "run_id": "r", "exec_date": "2026-01-01"},
    ),
    ("trigger_dag x -sd /dags -c {}", "trigger_dag", {"dag_id": "x", "subdir": "/dags", "conf": "{}"}),
    ("trigger_dag x -sd=/dags", "trigger_dag", {"dag_id": "x", "subdir": "/dags"}),
    ("trigger_dag x --conf=-x", "trigger_dag", {"dag_id": "x", "conf": "-x"}),
    ("trigger_dag x --conf -x", "trigger_dag", {"dag_id": "x", "conf": "-x"}),
    ("trigger_dag -- -x", "trigger_dag", {"dag_id": "-x"}),
    ("trigger_dag -- --help", "trigger_dag", {"dag_id": "--help"}),
    ("trigger_dag x --run_id a --run_id b", "trigger_dag", {"dag_id": "x", "run_id": "b"}),
    (
        "backfill x -s 2026-01-01 -sd s -e 2026-01-02 -dr",
        "backfill",
        {"dag_id": "x", "start_date": "2026-01-01", "subdir": "s", "end_date": "2026-01-02", "dry_run": True},
    ),
    (
        "clear x -ud -s 2026-01-01",
        "clear",
        {"dag_id": "x", "upstream": True, "downstream": True, "start_date": "2026-01-01"},
    ),
    ("clear x --no_confirm", "clear", {"dag_id": "x", "no_confirm": True}),
    (
        "task_state d t 2026-01-01",
        "task_state",
        {"dag_id": "d", "task_id": "t", "execution_date": "2026-01-01"},
    ),
    (
        "task_state d t e --map_index=-1",
        "task_state",
        {"dag_id": "d", "task_id": "t", "execution_date": "e", "map_index": "-1"},
    ),
    ("test d t", "test", {"dag_id": "d", "task_id": "t"}),
    (
        "run d t e --cfg_path x",
        "run",
        {"dag_id": "d", "task_id": "t", "execution_date": "e", "cfg_path": "x"},
    ),
    (
        "list_tasks d --bundle_name a --bundle-name b",
        "list_tasks",
        {"dag_id": "d", "bundle_name": ["a", "b"]},
    ),
    ("list_dags", "list_dags", {}),
    ("list_dags --report", "list_dags", {"cmd": "report"}),
    ("list_dags -r -sd x", "list_dags", {"cmd": "report", "subdir": "x"}),
    ("worker -c 4", "worker", {"concurrency": "4"}),
    ("workers -q a,b", "worker", {"queues": "a,b"}),
    ("flower -hn localhost -p 5555", "flower", {"hostname": "localhost", "port": "5555"}),
    ("variables", "variables", {}),
    ("variables --set k v", "variables", {"cmd": "set", "key": "k", "value": "v"}),
    ("variables -s k -v", "variables", {"cmd": "set", "key": "k", "value": "-v"}),
    ("variables --set=k v --json", "variables", {"cmd": "set", "key": "k", "value": "v", "json": True}),
    ("variables -g k -d none", "variables", {"cmd": "get", "key": "k", "default": "none"}),
    ("variables -g k --default=", "variables", {"cmd": "get", "key": "k", "default": ""}),
    ("variables -x k", "variables", {"cmd": "delete", "key": "k"}),
    ("variables -e -", "variables", {"cmd": "export", "file": "-"}),
    ("connections -l", "connections", {"cmd": "list"}),
    (
        "connections -a --conn_id c --conn-uri u://",
        "connections",
        {"cmd": "add", "conn_id": "c", "conn_uri": "u://"},
    ),
    ("connections -d --conn_id c", "connections", {"cmd": "delete", "conn_id": "c"}),
    ("connections --get --conn_id c", "connections", {"cmd": "get", "conn_id": "c"}),
    ("pool", "pool", {}),
    (
        "pool -s p -1 text",
        "pool",
        {"cmd": "set", "pool_name": "p", "slot_count": "-1", "pool_description": "text"},
    ),
    ("pool -g p", "pool", {"cmd": "get", "pool_name": "p"}),
    ("pool -x p", "pool", {"cmd": "delete", "pool_name": "p"}),
]


@pytest.mark.parametrize(("line", "name", "arguments"), REQUESTS, ids=[line for line, _, _ in REQUESTS])
def test_command_line_sends_one_request(
    run: Run, stub: Stub, line: str, name: str, arguments: dict[str, Any]
) -> None:
    completed = run(*line.split())
    assert completed.status == 0, completed.err
    assert stub.request.method == "POST"
    assert stub.request.path == f"/admin/rest_api/api/v1.0/{name}"
    assert stub.request.arguments == arguments


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.sampled_from(
    [
        "",
        "-",
        "-x",
        "--conf",
        "--help",
        "--",
        "=",
        "a=b",
        "$(id)",
        "`id`",
        "';\"",
        "{}",
        "\n",
        "\r\n",
        "\u2028",
        "é",
        "🙂",
        "\0",
    ]
)


@st.composite
def command_lines(draw: st.DrawFn) -> tuple[str, list[str], dict[str, Any]]:
    """Draw a command line with any values.

    :return: the command's name, the command line, and the arguments of its request
    """
    entry = draw(st.sampled_from(sorted(TABLE.values(), key=lambda entry: entry["name"])))
    taken = {name for form in entry["forms"] for name in form["takes"]}
    form = draw(st.sampled_from([None, *entry["forms"]]))
    line: list[str] = []
    positional: list[str] = []
    expected: dict[str, Any] = {}
    if form is not None and not {"file"} & set(form["takes"]):
        by_name = {argument["name"]: argument for argument in entry["arguments"]}
        values = [draw(value_of(by_name[name])) for name in form["takes"]]
        line += [f"--{form['name']}", *values]
        expected = {"cmd": form["name"], **dict(zip(form["takes"], values))}
    for argument in entry["arguments"]:
        name = argument["name"]
        if name in taken or argument["kind"] == "upload":
            continue
        if argument["positional"]:
            # Only the last ones are optional.
            if len(positional) < len([a for a in entry["arguments"] if a["positional"]]):
                positional.append(draw(value_of(argument)))
                expected[name] = positional[-1]
        elif argument["required"] or draw(st.booleans()):
            spelling = name if draw(st.booleans()) else name.replace("_", "-")
            if argument["kind"] == "flag":
                line.append(f"--{spelling}")
                expected[name] = True
            elif argument["repeatable"]:
                values = draw(st.lists(value_of(argument), min_size=1, max_size=3))
                line += [f"--{spelling}={value}" for value in values]
                expected[name] = values
            else:
                value = draw(value_of(argument))
                line += draw(st.sampled_from([[f"--{spelling}={value}"], [f"--{spelling}", value]]))
                expected[name] = value
    return entry["name"], [entry["name"], *line, "--", *positional], expected


def value_of(argument: dict[str, Any]) -> st.SearchStrategy[str]:
    if argument["choices"]:
        return st.sampled_from(argument["choices"])
    if argument["kind"] == "integer":
        return st.integers(-(10**6), 10**6).map(str)
    return TEXT


@given(drawn=command_lines())
def test_any_value_arrives_unchanged(shared_stub: Stub, drawn: tuple[str, list[str], dict[str, Any]]) -> None:
    name, line, expected = drawn
    shared_stub.reset()
    if name == "deploy_dag":
        return  # it sends a file instead of text; other tests cover it
    completed = call("--url", shared_stub.url, *line)
    assert completed.status == 0, completed.err
    assert (shared_stub.request.name, shared_stub.request.arguments) == (name, expected)


# Usage errors.

REFUSED = [
    ("trigger_dg x", "no such command: 'trigger_dg'; did you mean 'trigger_dag'?"),
    ("worker-s", "no such command: 'worker-s'; did you mean 'workers'?"),
    ("Qqqqqq", "no such command: 'Qqqqqq'"),
    ("trigger_dag", "missing: DAG_ID"),
    ("task_state --map_index 1", "missing: DAG_ID, TASK_ID, EXECUTION_DATE"),
    ("trigger_dag x --runid r", "No such option"),
    ("trigger_dag x y", "unexpected extra argument"),
    ("trigger_dag x --conf", "requires an argument"),
    ("variables -s k", "requires 2 arguments"),
    ("variables -g k -x k", "--get and --delete cannot be combined: use only one of them"),
    ("connections -a -d", "--add and --delete cannot be combined"),
    ("worker -c four", "'four' is not a whole number"),
    ("pool -s p many text", "'many' is not a whole number"),
    ("backfill x --reprocess_behavior all", "'all' is not one of"),
]


@pytest.mark.parametrize(("line", "reason"), REFUSED, ids=[line for line, _ in REFUSED])
def test_usage_error_is_one_line(run: Run, live: Stub, line: str, reason: str) -> None:
    completed = run(*line.split())
    assert completed.status == 2
    assert reason in completed.message()
    assert live.requests == []


def test_usage_error_names_the_help(run: Run) -> None:
    assert run("trigger_dag").message().endswith("(see airflow-remote trigger_dag --help)")
