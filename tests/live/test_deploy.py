"""DAG files: deployed whole or not at all, only where DAGs are, and seen by Airflow."""

from __future__ import annotations

from pathlib import Path

import pytest

from live.database import parsing_requests, rows
from live.harness import Reply, Server, on_both_versions

SOURCE = """
from datetime import datetime, timezone
try:
    from airflow.sdk import dag, task
except ImportError:
    from airflow.decorators import dag, task

@dag(dag_id="{dag_id}", schedule=None, start_date=datetime(2024, 1, 1, tzinfo=timezone.utc), catchup=False)
def deployed():
    @task
    def {task}():
        pass
    {task}()

deployed()
"""


def deploy(server: Server, name: str, source: str | bytes, **flags: str) -> Reply:
    return server.post("deploy_dag", data=flags, files={"dag_file": (name, source, "text/x-python")})


def paused(server: Server, dag_id: str) -> bool:
    [(found,)] = rows(server, "select is_paused from dag where dag_id = ?", dag_id)
    return bool(found)


def files_of(home: Path) -> set[Path]:
    """All files that a request could have made: not logs, databases, nor what is kept of jobs."""
    return {
        path
        for path in home.parent.rglob("*")
        if not {"logs", "rest_api"} & set(path.parts)
        and path.suffix not in {".log", ".db", ".db-journal", ".pyc"}
    }


@on_both_versions
def test_a_dag_file_is_deployed_and_then_known(server: Server) -> None:
    target = server.home / "dags" / "live_deployed.py"
    first = SOURCE.format(dag_id="live_deployed", task="first")
    reply = deploy(server, "live_deployed.py", first)
    assert (reply.status, reply["status"]) == (200, "OK"), reply.text
    assert target.read_text() == first
    server.done("refresh_all_dags")
    assert rows(server, "select 1 from serialized_dag where dag_id = 'live_deployed'") != []
    assert rows(server, "select 1 from serialized_dag where dag_id = 'hello_remote'") != []
    assert server.done("list_tasks", dag_id="live_deployed")["output"] == "first"


def test_a_file_that_is_there_is_replaced_by_force_only(server: Server) -> None:
    target = server.home / "dags" / "live_replaced.py"
    first, second = (SOURCE.format(dag_id="live_replaced", task=task) for task in ("first", "second"))
    assert deploy(server, target.name, first).status == 200
    conflict = deploy(server, target.name, second)
    assert (conflict.status, conflict["error"]["type"]) == (409, "Conflict")
    assert "force" in conflict["output"]
    assert target.read_text() == first
    broken = deploy(server, target.name, "def broken(:\n", force="true")
    assert (broken.status, broken["error"]["type"]) == (400, "BadArguments")
    assert "line 1" in broken["output"]
    assert target.read_text() == first
    assert deploy(server, target.name, second, force="true").status == 200
    assert target.read_text() == second
    target.unlink()


@on_both_versions
def test_its_dags_are_paused_or_unpaused(server: Server) -> None:
    name, source = "live_switched.py", SOURCE.format(dag_id="live_switched", task="only")
    reply = deploy(server, name, source, unpause="true")
    assert reply.status == 200, reply.text
    assert "live_switched" in reply["output"]
    assert not paused(server, "live_switched")
    reply = deploy(server, name, source, force="", pause="")
    assert reply.status == 200, reply.text
    assert paused(server, "live_switched")
    both = deploy(server, name, source, force="1", pause="1", unpause="1")
    assert (both.status, both["airflow_cmd"]) == (400, "")


def test_a_file_that_airflow_cannot_import_is_said_to_be_so(server: Server) -> None:
    reply = deploy(
        server, "live_broken.py", "import no_such_module_anywhere  # an airflow dag\n", unpause="true"
    )
    assert (reply.status, reply["error"]["type"]) == (422, "CommandFailed"), reply.text
    assert "no_such_module_anywhere" in reply["output"]
    assert "\n" not in reply["output"]
    (server.home / "dags" / "live_broken.py").unlink()


NAMES = [
    "../x.py",
    "../../x.py",
    "x/y.py",
    "/abs.py",
    "/tmp/abs.py",
    "..\\x.py",
    ".hidden.py",
    "..py",
    ".py",
    "x.txt",
    "x.py.txt",
    "x",
    "x.pyc",
    "-x.py",
    "a b.py",
    "x.py\n",
    "ü.py",
    "x" * 300 + ".py",
    "~/x.py",
    "C:\\x.py",
    "x;id.py",
]


def test_names_that_lead_elsewhere_are_refused(server: Server) -> None:
    before = files_of(server.home)
    for name in NAMES:
        reply = deploy(server, name, "x = 1\n", force="true")
        assert (reply.status, reply["status"]) == (400, "ERROR"), (name, reply.text)
        assert "dag_file" in reply["output"], name
        assert "\n" not in reply["output"], name
    assert files_of(server.home) == before
    assert not Path("/abs.py").exists()
    assert not Path("/tmp/abs.py").exists()


@pytest.mark.parametrize("field", ["text", "json"])
def test_a_file_is_sent_as_a_file(server: Server, field: str) -> None:
    body = {"data" if field == "text" else "json": {"dag_file": "x.py"}}
    reply = server.post("deploy_dag", **body)
    assert reply.status == 400
    assert "multipart" in reply["output"]


@on_both_versions
def test_refresh_dag_asks_airflow_once(server: Server) -> None:
    first = server.done("refresh_dag", dag_id="hello_remote")
    assert "asked for already" not in first["output"]
    assert "is asked for" in first["output"]
    [asked] = parsing_requests(server)
    assert asked.rpartition("/")[2] == "hello_remote.py"
    again = server.done("refresh_dag", dag_id="hello_remote")
    assert "asked for already" in again["output"]
    assert parsing_requests(server) == [asked]
