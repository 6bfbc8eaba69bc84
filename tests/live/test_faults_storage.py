"""A full or read-only disk, and a locked or missing store. Mounting needs root."""

from __future__ import annotations

import contextlib
import itertools
import json
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager

import pytest

from live.concurrency import on_both_versions, wait_until
from live.conftest import DAGS
from live.database import fetch_runs
from live.harness import Reply, Server, run_servers
from live.jobs import (
    ASYNC,
    check_no_leftovers,
    check_triggers,
    finish_probes,
    get_job,
    list_jobs,
    probe_arguments,
    read_output,
    submit,
    wait_until_begun,
    wait_until_ended,
)
from live.processes import processes_of_job

pytestmark = pytest.mark.fault

DISK = "24m"
AWAY_SECONDS = 10.0

STORE_IN_FOLDER = {"AIRFLOW__REST_API_PLUGIN__JOBS_URL": "sqlite:///{home}/rest_api/store/jobs.db"}
"""A folder of its own, which one call can move away.

SQLite's three files cannot be moved together: a server that opens a new connection between two of the moves
mixes the old store with a new one.
"""

LITTLE_FREE = {"AIRFLOW__REST_API_PLUGIN__MIN_FREE_BYTES": str(8 << 20)}


def run(*argv: str) -> None:
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def main_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Server]]:
    """Start servers whose state directory is a small disk, in place of the shared ones."""
    homes = {version: tmp_path_factory.mktemp(f"disk-{version}") / "home" for version in ("2.11", "3.3")}
    with contextlib.ExitStack() as stack:
        for home in homes.values():
            shutil.copytree(DAGS, home / "dags")
            state = home / "rest_api"
            state.mkdir(0o700)
            run("mount", "-t", "tmpfs", "-o", f"size={DISK},mode=0700", "tmpfs", str(state))
            stack.callback(run, "umount", "--lazy", str(state))
            (state / "store").mkdir(0o700)
        with run_servers(homes, environment=STORE_IN_FOLDER | LITTLE_FREE) as servers:
            yield servers


@contextmanager
def full(server: Server) -> Iterator[None]:
    """Fill the disk with the state directory."""
    path = server.home / "rest_api" / "filler"
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(1 << 12))
    try:
        yield
    finally:
        path.unlink()


@contextmanager
def read_only(server: Server) -> Iterator[None]:
    """Make the state directory read-only for files that are opened from now on."""
    state = str(server.home / "rest_api")
    run("mount", "--bind", state, state)
    try:
        run("mount", "-o", "remount,bind,ro", state)
        yield
    finally:
        run("umount", "--lazy", state)


def trigger(server: Server, name: str) -> Reply:
    """Trigger hello_remote, and wait for it.

    The run has an ID of its own: Airflow 3.3 names runs after the microsecond, which two commands can share.
    """
    arguments = {
        "dag_id": "hello_remote",
        "run_id": name.replace(" ", "_"),
        "conf": json.dumps({"name": name}),
    }
    return server.post("trigger_dag", data=arguments)


def check_refused(server: Server, reply: Reply, name: str, status: int = 503) -> None:
    """Check that a command was rejected with a helpful message, and that nothing was run."""
    kind = {503: "Unavailable", 507: "InsufficientStorage"}[status]
    assert (reply.status, reply["error"]["type"]) == (status, kind), reply.text
    assert "state_dir" in reply["output"]
    assert name not in [conf["name"] for conf in fetch_runs(server).values() if "name" in conf]


def check_survives(
    server: Server, name: str, fault: contextlib.AbstractContextManager[None], status: int
) -> None:
    """Check that a running command ends, new ones are rejected, and everything works afterwards."""
    job_id = submit(server, "render", **probe_arguments("waits", name))
    wait_until_begun(server, job_id)
    with fault:
        check_refused(server, trigger(server, f"{name} plain"), f"{name} plain", status)
        asynchronous = server.post("version", extra=ASYNC)
        assert asynchronous.status == status, asynchronous.text
        assert get_job(server, job_id)["state"] == "running"
        assert read_output(server, job_id).startswith("begun")
        finish_probes(server, name)
        wait_until("its process is gone", lambda: not processes_of_job(server.home, job_id))
        assert server.get("health").status == 200
    job = wait_until_ended(server, job_id)
    assert (job["state"], job["exit_code"]) == ("succeeded", 0), job
    assert "and done" in read_output(server, job_id)
    reply = trigger(server, f"{name} over")
    assert reply.status == 200, reply.text
    check_triggers(server, {f"{name} over": reply["job"]["id"]})
    check_no_leftovers(server)


@on_both_versions
def test_a_full_disk(server: Server) -> None:
    check_survives(server, "a full disk", full(server), 507)


@on_both_versions
def test_a_job_that_fills_the_disk_is_deleted(server: Server) -> None:
    name = "fills the disk"
    job_id = submit(server, "render", **probe_arguments("fills_the_disk", name))
    job = wait_until_ended(server, job_id)
    assert job["state"] in ("failed", "stopped"), job
    check_refused(server, trigger(server, f"{name} before"), f"{name} before", 507)
    path = f"/api/v1.0/jobs/{job_id}"
    assert server.request(path, "DELETE").status == 200
    assert server.request(path).status == 404
    reply = trigger(server, f"{name} after")
    assert reply.status == 200, reply.text
    check_triggers(server, {f"{name} after": reply["job"]["id"]})
    check_no_leftovers(server)


@on_both_versions
def test_a_read_only_state_directory(server: Server) -> None:
    check_survives(server, "a read-only disk", read_only(server), 503)


@on_both_versions
def test_a_server_that_starts_on_a_read_only_disk(server: Server) -> None:
    server.end()
    with read_only(server):
        server.restart()
        check_refused(server, trigger(server, "from the start"), "from the start")
    reply = trigger(server, "writable again")
    assert reply.status == 200, reply.text
    check_triggers(server, {"writable again": reply["job"]["id"]})
    check_no_leftovers(server)


@on_both_versions
def test_a_store_that_is_locked(server: Server) -> None:
    name = "a locked store"
    job_id = submit(server, "render", **probe_arguments("waits", name))
    wait_until_begun(server, job_id)
    database = sqlite3.connect(server.home / "rest_api" / "store" / "jobs.db", isolation_level=None)
    with closing(database), ThreadPoolExecutor() as pool:
        database.execute("BEGIN EXCLUSIVE")
        finish_probes(server, name)
        replies = [pool.submit(trigger, server, f"{name} {n}") for n in range(2)]
        check_unanswered(replies)
        database.execute("ROLLBACK")
    assert [reply.result().status for reply in replies] == [200, 200], [reply.result() for reply in replies]
    check_triggers(server, {f"{name} {n}": reply.result()["job"]["id"] for n, reply in enumerate(replies)})
    assert wait_until_ended(server, job_id)["state"] == "succeeded"
    check_no_leftovers(server)


def check_unanswered(replies: list[Future[Reply]]) -> None:
    """Check that no request is answered while it cannot be recorded, since it could run twice."""
    done, _ = wait(replies, timeout=AWAY_SECONDS)
    assert [reply.result() for reply in done] == []


@on_both_versions
def test_a_store_that_is_gone(server: Server) -> None:
    name = "a store that is gone"
    job_id = submit(server, "render", **probe_arguments("waits", name))
    wait_until_begun(server, job_id)
    before = {job["id"] for job in list_jobs(server)}
    folder = server.home / "rest_api" / "store"
    away = folder.rename(folder.with_name("away"))
    names, back = itertools.count(), time.monotonic() + AWAY_SECONDS

    def keep_asking(_: int) -> dict[str, Reply]:
        replies_by_name = {}
        while time.monotonic() < back:
            one = f"{name} {next(names)}"
            replies_by_name[one] = trigger(server, one)
        return replies_by_name

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(keep_asking, n) for n in range(4)]
        finish_probes(server, name)
        wait(asking, timeout=AWAY_SECONDS)
        away.rename(folder)
    replies_by_name = {one: reply for replies in asking for one, reply in replies.result().items()}
    assert {reply.status for reply in replies_by_name.values()} <= {200, 202, 503}, replies_by_name
    triggers = {one: reply["job"]["id"] for one, reply in replies_by_name.items() if reply.status != 503}
    assert wait_until_ended(server, job_id)["state"] == "succeeded"
    assert before | set(triggers.values()) <= {job["id"] for job in list_jobs(server)}
    check_triggers(server, triggers)
    check_no_leftovers(server)


@on_both_versions
def test_folders_that_are_removed_are_created_again(server: Server) -> None:
    # The last test of this module: jobs without a folder stay, which the others count as leftovers.
    triggers = {}
    for folder in ("jobs", "supervisors", "host"):
        shutil.rmtree(server.home / "rest_api" / folder)
        name = f"without {folder}"
        reply = trigger(server, name)
        assert reply.status == 200, reply.text
        triggers[name] = reply["job"]["id"]
    check_triggers(server, triggers)
