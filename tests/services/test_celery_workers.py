"""Commands that run on Celery workers instead of the webserver's machine."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from live.concurrency import wait_until
from live.harness import VERSIONS, Reply, Server
from live.jobs import ASYNC, FINAL, get_job, list_jobs, read_output, submit, wait_until_ended
from live.processes import processes_of_commands

from services.celery_cluster import CONCURRENCY, QUEUE, Cluster, run_cluster

COMMANDS = 200
CLIENTS = 8
KILL_AFTER = 30
"""How many commands have ended when a worker is killed."""

ALL_SECONDS = 600.0
DAG_ID = "services_short"


@pytest.fixture(scope="module", params=VERSIONS)
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with run_cluster(request.param, tmp_path_factory.mktemp(f"cel-{request.param}")) as cluster:
        yield cluster


def outcome(reply: Reply) -> dict[str, Any]:
    """Return what a client sees of the end of a command, wherever it ran."""
    names = (
        "status",
        "http_response_code",
        "exit_code",
        "stdout",
        "output",
        "result",
        "airflow_cmd",
        "error",
    )
    return {name: reply.json.get(name) for name in names}


def read_file(server: Server, reply: Reply) -> str:
    """Return the only file that a command has written."""
    [file] = reply["files"]
    content = server.request(file["url"].partition("/admin/rest_api")[2])
    assert content.status == 200, content.text
    return content.text


def executions(server: Server) -> Counter[str]:
    """Return how often `dags trigger` was executed for each run, according to Airflow's own log."""
    code = (
        "import json, sqlalchemy as sa; from airflow.configuration import conf;"
        "engine = sa.create_engine(conf.get('database', 'sql_alchemy_conn'));"
        "rows = engine.connect().execute(sa.text("
        "\"select extra from log where event = 'cli_dag_trigger'\")).fetchall();"
        "print('rows:', json.dumps([row[0] for row in rows]))"
    )
    printed = server.run_python(code, **dict(server.options["environment"] or {}))
    commands = [json.loads(row)["full_command"] for row in json.loads(printed.rpartition("rows:")[2])]
    words = [word.strip("'\"[], ") for command in commands for word in str(command).split("=")]
    return Counter(word.partition("'")[0] for word in words if word.startswith("run-"))


def test_commands_run_on_a_worker_as_they_do_locally(
    cluster: Cluster, main_servers: dict[str, Server]
) -> None:
    server, local = cluster.server, main_servers[cluster.server.version]
    worker = cluster.start_worker("first")
    for endpoint, arguments in (
        ("commands/pools/list", {"output": "json"}),
        ("commands/pools/get", {"pool": "no_such_pool"}),
        ("trigger_dag", {"dag_id": "no_such_dag"}),
    ):
        replies = [each.post(endpoint, json=arguments) for each in (server, local)]
        assert outcome(replies[0]) == outcome(replies[1])
        assert replies[0]["job"]["id"] in worker.jobs()
    exports = [each.post("commands/pools/export", json={"file": "p.json"}) for each in (server, local)]
    assert [reply.status for reply in exports] == [200, 200], exports[0].text
    texts = [read_file(*pair) for pair in zip((server, local), exports, strict=True)]
    assert texts[0] == texts[1]
    assert "default_pool" in texts[0]
    upload = {"file": ("pools.json", json.dumps({"imported": {"slots": 3, "description": "by a worker"}}))}
    imported = server.post("commands/pools/import", files=upload)
    assert imported.status == 200, imported.text
    assert imported["job"]["id"] in worker.jobs()
    assert "imported" in server.post("commands/pools/list", json={"output": "json"}).text
    assert server.post("version").status == 200
    assert len(processes_of_commands(server.home)) == 0

    finish = server.home / "never"
    arguments = {"dag_id": "services_local", "conf": json.dumps({"file": str(finish)})}
    job_id = submit(server, "commands/dags/test", **arguments)
    wait_until("it runs", lambda: get_job(server, job_id)["state"] == "running")
    wait_until("its output is read", lambda: read_output(server, job_id, "stderr"))
    assert server.post(f"jobs/{job_id}/stop").status in (200, 202)
    job = wait_until_ended(server, job_id)
    assert (job["state"], job["message"]) == ("stopped", "the command was stopped")
    worker.stop()


def test_a_command_that_waits_for_a_worker_can_be_stopped_or_runs_later(cluster: Cluster) -> None:
    server = cluster.server
    stopped, waits = (submit(server, "commands/pools/list") for _ in range(2))
    assert [get_job(server, each)["state"] for each in (stopped, waits)] == ["queued", "queued"]
    assert server.post(f"jobs/{stopped}/stop").status in (200, 202)
    job = get_job(server, stopped)
    assert (job["state"], job["message"]) == ("stopped", "the command was stopped")
    worker = cluster.start_worker("second")
    assert wait_until_ended(server, waits)["state"] == "succeeded"
    assert worker.jobs() == {waits}
    worker.stop()


def test_no_command_is_left_or_runs_twice_when_a_worker_dies(cluster: Cluster) -> None:
    server = cluster.server
    one, two = (cluster.start_worker(name) for name in ("third", "fourth"))

    def start(number: int) -> str:
        reply = server.post("trigger_dag", data={"dag_id": DAG_ID, "run_id": f"run-{number}"}, extra=ASYNC)
        assert reply.status in (200, 202), reply.text
        return str(reply["job"]["id"])

    with ThreadPoolExecutor(CLIENTS) as pool:
        started = [pool.submit(start, number) for number in range(COMMANDS)]
        wait_until("commands have ended", lambda: len(ended(server)) >= KILL_AFTER, ALL_SECONDS, 0.5)
        one.kill()
    ids = {job.result(): number for number, job in enumerate(started)}
    wait_until("all have ended", lambda: ids.keys() <= ended(server), ALL_SECONDS, 1.0)

    jobs = {job["id"]: job for job in list_jobs(server) if job["id"] in ids}
    states = Counter(job["state"] for job in jobs.values())
    lost = {job_id for job_id, job in jobs.items() if job["state"] == "lost"}
    assert set(states) <= {"succeeded", "lost"}, states
    assert len(lost) <= 2 * CONCURRENCY, states
    assert lost <= one.jobs()
    assert all("has not answered" in jobs[job_id]["message"] for job_id in lost)
    assert ids.keys() - one.jobs() <= two.jobs()
    counts = executions(server)
    assert max(counts.values()) == 1, counts
    for job_id, number in ids.items():
        assert counts[f"run-{number}"] == 1 or job_id in lost, jobs[job_id]
    two.stop()


def ended(server: Server) -> set[str]:
    """Return the ids of the jobs that have ended."""
    return {job["id"] for job in list_jobs(server, state=",".join(FINAL))}


def test_a_message_that_the_broker_lost_is_sent_again(cluster: Cluster) -> None:
    server = cluster.server
    job_id = submit(server, "commands/pools/list")
    purge(server)
    worker = cluster.start_worker("fifth")
    assert wait_until_ended(server, job_id)["state"] == "succeeded"
    assert worker.jobs() == {job_id}
    worker.stop()


def purge(server: Server) -> None:
    """Remove all messages from the broker, as a restart of Redis without persistence does."""
    url = server.options["environment"]["AIRFLOW__CELERY__BROKER_URL"]
    code = f"import redis; client = redis.from_url({url!r}); print(client.llen({QUEUE!r})); client.flushdb()"
    assert int(server.run_python(code)) >= 1
