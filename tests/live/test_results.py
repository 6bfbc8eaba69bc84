"""What a command came to is told by its status, its message, its result and its warning."""

from __future__ import annotations

import json

from live.concurrency import on_both_versions, run_concurrently
from live.harness import Server

NOISE = '# airflow DAG\nprint("noise [1]", {2: 3})\nprint(["noise"], end="")\n'


@on_both_versions
def test_result_is_found_amid_what_a_dag_file_prints(server: Server) -> None:
    file = server.home / "dags" / "noisy_for_results.py"
    file.write_text(NOISE)
    try:
        report = server.post("commands/dags/report", json={"output": "json"})
    finally:
        file.unlink()
    assert report.status == 200, report.text
    assert "noise [1]" in report["stdout"]
    assert file.name in {row["file"].rpartition("/")[2] for row in report["result"]}
    assert "warning" not in report


@on_both_versions
def test_partial_and_empty_results_have_a_warning(server: Server) -> None:
    connections = json.dumps({"of_results": "http://example"})
    files = {"file": ("connections.json", connections)}
    first = server.post("commands/connections/import", files=files)
    assert first.status == 200, first.text
    assert "warning" not in first
    again = server.post("commands/connections/import", files=files)
    assert (again.status, again["exit_code"]) == (200, 0), again.text
    assert again["warning"] == "Could not import connection of_results: connection already exists."
    for output in ("json", "table"):
        arguments = {"dag_id": "no_such_dag", "output": output}
        paused = server.post("commands/dags/pause", json=arguments)
        assert (paused.status, paused["warning"]) == (200, "No unpaused DAGs were found"), paused.text
        job = server.get(f"jobs/{paused['job']['id']}")
        assert job["warning"] == paused["warning"]


def test_unknown_names_and_invalid_values_of_live_commands(server: Server) -> None:
    def run(command: str, **arguments: object) -> int:
        return server.post(f"commands/{command}", json=arguments).status

    dag = {"dag_id": "no_such_dag"}
    statuses = run_concurrently(
        lambda: run("dags/list-runs", **dag),
        lambda: run("dags/details", **dag),
        lambda: run("dags/trigger", dag_id="hello_remote", run_id="no spaces, please"),
        lambda: run("dags/trigger", dag_id="hello_remote", conf="{'a': 1}"),
        lambda: run("dags/pause", dag_id="[", treat_dag_id_as_regex=True, yes=True),
    )
    assert statuses == [404, 404, 400, 400, 400]
    refreshed = server.get("refresh_dag", **dag)
    assert refreshed.status == 404
    assert "Traceback" not in refreshed["stderr"]
