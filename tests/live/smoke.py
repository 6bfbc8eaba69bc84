"""Check the basic functions that every installation must have."""

from __future__ import annotations

from live.harness import Server
from live.processes import supervisors_of
from live.program import run_client
from live.test_deploy import SOURCE, deploy
from live.test_seed import check_version

DATE = "2024-03-01"


def check_smoke(server: Server, release: str) -> None:
    """Check that a server responds to curl and the client, with clean output, from the fork server.

    :param server: a server with the DAG hello_remote, and with none of the objects created here
    :param release: the version of Airflow that it must report
    """
    check_version(server.url, release)
    path = "/../../health" if server.major == 2 else "/../../api/v2/monitor/health"
    assert server.request(path, headers={}).status == 200
    page = server.request("/", headers={})
    assert (page.status, "trigger_dag" in page.text) == (200, True)

    assert "hello_remote" in {row["dag_id"] for row in server.run_command("list_dags")["result"]}
    run = server.run_command("trigger_dag", dag_id="hello_remote", run_id="smoke", conf='{"name": "Zoë"}')
    assert run["dag_run_id"] == "smoke"
    listed = server.post("commands/dags/list-runs", json={"dag_id": "hello_remote", "output": "json"})
    assert "smoke" in {row["run_id"] for row in listed["result"]}, listed.text
    server.run_command("connections", add="true", conn_id="smoke", conn_uri="http://user:pass@127.0.0.1/x")
    assert server.run_command("connections", get="true", conn_id="smoke")["result"][0]["conn_id"] == "smoke"
    tested = server.run_command("test", dag_id="hello_remote", task_id="hello", execution_date=DATE)
    assert "Hello, " in tested["output"]

    name = "smoke_deployed.py"
    assert deploy(server, name, SOURCE.format(dag_id="smoke_deployed", task="first")).status == 200
    broken = deploy(server, "smoke_broken.py", "import airflow, no_such_module  # dag\n")
    assert (broken.status, list(broken["import_errors"])) == (422, ["smoke_broken.py"]), broken.text

    by_client = run_client(server, "dags", "list", "-o", "json")
    assert (by_client.returncode, '"hello_remote"' in by_client.stdout) == (0, True), by_client.stderr
    unknown = server.post("trigger_dag", data={"dag_id": "no_such_dag"})
    assert (unknown.status, unknown["error"]["type"]) == (404, "NotFound"), unknown.text
    # The state directory may be beside the home, so look in the parent folder.
    assert len(supervisors_of(server.home.parent, "fork_server")) == 1, (
        "the fork server did not run these commands"
    )
