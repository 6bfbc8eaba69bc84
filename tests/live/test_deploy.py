"""DAG files are deployed atomically, only into the DAGs folder, and Airflow loads them."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest

from live.concurrency import on_both_versions
from live.database import fetch_rows, parsing_requests
from live.harness import Reply, Server
from live.parsing import MARK, parsing
from live.program import run_client

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


def zip_files(files: dict[str, str]) -> bytes:
    """Return a ZIP file with DAGs."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return content.getvalue()


def is_paused(server: Server, dag_id: str) -> bool:
    [(found,)] = fetch_rows(server, "select is_paused from dag where dag_id = ?", dag_id)
    return bool(found)


def files_of(home: Path) -> set[Path]:
    """Return all files that a request could have created, without logs, databases and jobs."""
    return {
        path
        for path in home.parent.rglob("*")
        if not {"logs", "rest_api"} & set(path.parts)
        and path.suffix not in {".log", ".db", ".db-journal", ".pyc"}
    }


@on_both_versions
def test_a_deployed_dag_is_known_to_airflow(server: Server) -> None:
    target = server.home / "dags" / "live_deployed.py"
    first = SOURCE.format(dag_id="live_deployed", task="first")
    reply = deploy(server, "live_deployed.py", first)
    assert (reply.status, reply["status"]) == (200, "OK"), reply.text
    assert target.read_text() == first
    server.run_command("refresh_all_dags")
    assert fetch_rows(server, "select 1 from serialized_dag where dag_id = 'live_deployed'") != []
    assert fetch_rows(server, "select 1 from serialized_dag where dag_id = 'hello_remote'") != []
    assert server.run_command("list_tasks", dag_id="live_deployed")["output"] == "first"


def test_an_existing_file_is_replaced_only_with_force(server: Server) -> None:
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
def test_deployed_dags_are_paused_or_unpaused(server: Server) -> None:
    name, source = "live_switched.py", SOURCE.format(dag_id="live_switched", task="only")
    reply = deploy(server, name, source, unpause="true")
    assert reply.status == 200, reply.text
    assert "live_switched" in reply["output"]
    assert not is_paused(server, "live_switched")
    reply = deploy(server, name, source, force="", pause="")
    assert reply.status == 200, reply.text
    assert is_paused(server, "live_switched")
    both = deploy(server, name, source, force="1", pause="1", unpause="1")
    assert (both.status, both["airflow_cmd"]) == (400, "")


@on_both_versions
def test_a_file_that_airflow_cannot_import_replaces_nothing(server: Server) -> None:
    target = server.home / "dags" / "live_broken.py"
    good = SOURCE.format(dag_id="live_broken", task="only")
    assert deploy(server, target.name, good, unpause="true").status == 200
    before = files_of(server.home)
    known = fetch_rows(server, "select * from serialized_dag where dag_id = 'live_broken'")
    for line, reason in (
        ("import no_such_module_anywhere", "no_such_module_anywhere"),
        ("import os; os._exit(0)", "ended the process that imported it"),
    ):
        reply = deploy(server, target.name, f"{good}\n{line}\n", unpause="true", force="true")
        assert (reply.status, reply["error"]["type"]) == (422, "CommandFailed"), reply.text
        assert reason in reply["output"]
        assert "\n" not in reply["output"]
    reply = deploy(server, "live_new.py", "import no_such_module_anywhere  # an airflow dag\n")
    assert (reply.status, list(reply["import_errors"])) == (422, ["live_new.py"])
    assert files_of(server.home) == before
    assert target.read_text() == good
    assert fetch_rows(server, "select * from serialized_dag where dag_id = 'live_broken'") == known
    target.unlink()


@on_both_versions
def test_the_client_deploys_rolls_back_and_undeploys_a_package(server: Server) -> None:
    source = SOURCE.format(dag_id="live_zipped", task="{task}").replace(
        "@dag(", "from live_zipped_lib.names import NAME\n\n@dag(", 1
    )

    def package(task: str) -> str:
        path = server.home / "live_package.zip"
        lib = {"live_zipped_lib/__init__.py": "", "live_zipped_lib/names.py": "NAME = 'zipped'\n"}
        path.write_bytes(zip_files({"live_zipped.py": source.replace("{task}", task), **lib}))
        return str(path)

    def tasks() -> Any:
        return server.run_command("list_tasks", dag_id="live_zipped")["output"]

    where = ["--folder", "team_a"]
    deployed = server.home / "dags" / "team_a" / "live_package.zip"
    done = run_client(server, "deploy_dag", package("first"), *where, "--unpause", "--wait", "100")
    assert done.returncode == 0, done.stderr
    message = (
        "DAG File [team_a/live_package.zip] has been uploaded; unpaused: live_zipped; parsed by Airflow\n"
    )
    assert done.stdout == message
    assert not is_paused(server, "live_zipped")
    assert tasks() == "first"
    again = run_client(server, "deploy_dag", package("second"), *where)
    assert (again.returncode, "force" in again.stderr) == (1, True)
    again = run_client(server, "deploy_dag", package("second"), *where, "--force", "--pause")
    assert again.returncode == 0, again.stderr
    assert tasks() == "second"
    assert is_paused(server, "live_zipped")
    back = run_client(server, "rollback_dag", deployed.name, *where, "--unpause")
    assert "has been rolled back to version 1" in back.stdout, back.stderr
    assert tasks() == "first"
    asked = server.run_command("refresh_dag", dag_id="live_zipped")["output"]
    assert "team_a/live_package.zip" in asked
    assert "live_zipped.py" not in asked  # Airflow parses a package as a whole
    gone = run_client(server, "undeploy_dag", deployed.name, *where)
    assert gone.returncode == 0, gone.stderr
    assert not deployed.exists()


@on_both_versions
def test_a_dag_of_another_file_is_replaced_only_with_force(server: Server) -> None:
    source = SOURCE.format(dag_id="live_owned", task="only")
    assert deploy(server, "live_owner.py", source, unpause="true").status == 200
    reply = deploy(server, "live_taker.py", source)
    assert (reply.status, reply["error"]["type"]) == (409, "Conflict")
    assert "live_owner.py" in reply["output"]
    assert not (server.home / "dags" / "live_taker.py").exists()
    assert deploy(server, "live_taker.py", source, force="true").status == 200
    for name in ("live_owner.py", "live_taker.py"):
        assert server.post("undeploy_dag", data={"filename": name}).status == 200


@on_both_versions
def test_deploy_waits_until_airflow_has_parsed_the_file(server: Server) -> None:
    first, second = (SOURCE.format(dag_id="live_waited", task=task) for task in ("first", "second"))
    late = deploy(server, "live_waited.py", first, wait="1")
    assert (late.status, late["dag_ids"]) == (422, ["live_waited"])
    assert "is in place, but Airflow has not parsed it within 1 s: no " in late["output"]
    with parsing(server):
        for source in (first, second):
            reply = deploy(server, "live_waited.py", source, force="true", wait="90")
            assert reply.status == 200, reply.text
            assert reply["output"].endswith("DAGs: live_waited; parsed by Airflow")
            query = "select data from serialized_dag where dag_id = ? order by last_updated desc limit 1"
            [(data,)] = fetch_rows(server, query, "live_waited")
            assert ("second" in str(data)) == (source is second)
        # Each parse gives another serialization, which therefore proves nothing; and a package.
        changing = SOURCE.format(dag_id="live_changing", task="only")
        changing = changing.replace("catchup=False", "catchup=False, tags=[str(time.time_ns())]")
        reply = deploy(
            server, "live_changing.zip", zip_files({"main.py": f"import time\n{changing}"}), wait="90"
        )
        assert reply.status == 200, reply.text
        fails = SOURCE.format(dag_id="live_fails", task="only")
        fails += f"import os\nassert {MARK!r} not in os.environ, 'not there'\n"
        reply = deploy(server, "live_fails.py", fails, wait="90")
        assert reply.status == 422, reply.text
        assert (
            reply["output"]
            == "live_fails.py is in place, but Airflow cannot import it: AssertionError: not there"
        )
    for name in ("live_changing.zip", "live_fails.py"):
        assert server.post("undeploy_dag", data={"filename": name}).status == 200
    assert server.post("undeploy_dag", data={"filename": "live_waited.py"}).status == 200


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


def test_names_outside_the_dags_folder_are_rejected(server: Server) -> None:
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
    first = server.run_command("refresh_dag", dag_id="hello_remote")
    assert "was already asked to parse" not in first["output"]
    assert "was asked to parse" in first["output"]
    before = parsing_requests(server)
    assert [name.rpartition("/")[2] for name in before].count("hello_remote.py") == 1
    again = server.run_command("refresh_dag", dag_id="hello_remote")
    assert "was already asked to parse" in again["output"]
    assert parsing_requests(server) == before
