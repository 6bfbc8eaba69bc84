"""What a job came to is noticed without a request, and recorded in the audit log."""

from __future__ import annotations

import json
import logging
import os
import socket
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_remote_server.jobs.audit.entry import AuditEntry
from airflow_remote_server.jobs.audit.recorder import AuditRecorder
from airflow_remote_server.jobs.audit.table import AuditTable
from airflow_remote_server.jobs.factory import make_jobs
from airflow_remote_server.jobs.models import Job, JobState
from airflow_remote_server.jobs.watcher import JobWatcher

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from probe_dag import MakeProbe
    from remote import Remote

LOGGER = "airflow_remote_server.audit"


def lines(caplog: pytest.LogCaptureFixture, job_id: str) -> list[dict[str, Any]]:
    """Return the lines of the log about a job."""
    documents = [json.loads(record.message) for record in caplog.records if record.name == LOGGER]
    return [document for document in documents if document["job"] == job_id]


@pytest.mark.parametrize(
    ("dag_id", "result", "final", "code"), [(None, "done", "succeeded", 0), ("none", "failed", "failed", 1)]
)
def test_end_of_a_job_is_noticed_without_a_request(
    make_remote: Callable[..., Remote],
    shared_state: Path,
    make_probe: MakeProbe,
    caplog: pytest.LogCaptureFixture,
    dag_id: str | None,
    result: str,
    final: str,
    code: int,
) -> None:
    caplog.set_level(logging.INFO, LOGGER)
    remote = make_remote(state_dir=shared_state)
    api = remote.client.application.app.api.get()  # type: ignore[attr-defined]  # of LintMiddleware
    if dag_id is None:
        probe = make_probe("wait")
        job_id = remote.start(probe)  # it waits, so that it has not ended before the response
        probe.release()
    else:
        reply = remote("refresh_dag", query_string={"dag_id": dag_id}, PREFER="respond-async")
        job_id = reply.json["job"]["id"]
    deadline = time.monotonic() + 60
    while api.jobs.store.get(job_id).state in (JobState.QUEUED, JobState.RUNNING):
        assert time.monotonic() < deadline
        assert api.watcher.watch_once()
        time.sleep(0.05)
    api.watcher.close_lock()
    [row], _ = AuditTable(make_jobs(remote.settings), 3600, 100).find_page(1, job=job_id)
    assert (row.status, row.result, row.state, row.exit_code) == (202, result, final, code)
    begun, ended = lines(caplog, job_id)
    assert (begun["result"], begun["state"]) == ("running", None)
    assert (ended["result"], ended["state"], ended["exit_code"]) == (result, final, code)
    assert ended["command"] == begun["command"]


def test_only_one_watcher_of_a_state_directory_works(make_settings: Any) -> None:
    first, second = (JobWatcher(make_jobs(make_settings())) for _ in range(2))
    assert first.watch_once()
    assert not second.watch_once()
    assert first.watch_once()
    first.path.unlink()
    assert second.watch_once(), "the lock of a removed file is worth nothing"
    assert not first.watch_once(), "it has seen that its file is gone"


def test_forked_process_does_not_keep_the_lock(make_settings: Any) -> None:
    first, second = (JobWatcher(make_jobs(make_settings())) for _ in range(2))
    assert first.watch_once()
    os.register_at_fork(after_in_child=first.close_lock)  # as start() does
    ours, childs = socket.socketpair()
    child = os.fork()
    if child == 0:
        ours.close()
        childs.send(b"forked")
        childs.recv(1)
        os._exit(0)
    childs.close()
    try:
        assert ours.recv(6) == b"forked"
        first.close_lock()  # as the end of its process does
        assert second.watch_once()
    finally:
        ours.close()
        os.waitpid(child, 0)


class TestAuditOfAnEnd:
    """The end of a job and the entry of its request may be recorded in any order."""

    @pytest.fixture
    def table(self, make_settings: Any) -> AuditTable:
        return AuditTable(make_jobs(make_settings()), 3600, 100)

    @staticmethod
    def entry(job: Job, **changes: Any) -> AuditEntry:
        fields = {"id": "1", "time": time.time(), "principal": "p", "role": "admin", "peer": "", "path": "/"}
        more = {"method": "GET", "name": "version", "command": "airflow version", "status": 202, "layer": ""}
        rest = {"result": "running", "message": "", "seconds": 0.1, "job": job.id}
        return AuditEntry(**{**fields, **more, **rest, **changes})

    @pytest.mark.parametrize(
        ("final", "result"),
        [(JobState.SUCCEEDED, "done"), (JobState.FAILED, "failed"), (JobState.LOST, "failed")],
    )
    def test_job_ends_before_its_entry_is_added(
        self, table: AuditTable, old: Any, final: JobState, result: str
    ) -> None:
        [job] = old(state=final, exit_code=None)
        assert table.add(self.entry(job)), "the log has to be told"
        [found], _ = table.find_page(1)
        assert (found.state, found.result) == (final.value, result)

    def test_job_ends_after_its_entry_is_added(self, table: AuditTable, old: Any) -> None:
        [job] = old(state=JobState.RUNNING, ended=None, exit_code=None)
        assert not table.add(self.entry(job))
        assert not table.add(self.entry(job, id="2", name="stop"))
        assert table.find_page(1)[0][0].state is None
        ended = replace(job, state=JobState.STOPPED, exit_code=-15)
        assert table.record_end(ended)
        assert not table.record_end(ended), "once"
        assert [
            (found.name, found.result, found.state, found.exit_code) for found in table.find_page(2)[0]
        ] == [
            ("stop", "done", "stopped", -15),
            ("version", "failed", "stopped", -15),
        ]

    def test_refused_request_about_a_job_stays_refused(self, table: AuditTable, old: Any) -> None:
        [job] = old(state=JobState.SUCCEEDED)
        table.add(self.entry(job, result="refused", status=403))
        assert table.find_page(1)[0][0].result == "refused"

    def test_end_that_could_not_be_recorded_is_recorded_later(
        self, table: AuditTable, old: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO, LOGGER)
        [job] = old(state=JobState.RUNNING, ended=None, exit_code=None)
        table.add(self.entry(job))
        ended = replace(job, state=JobState.FAILED, ended=time.time(), exit_code=3)
        table.jobs.store.finish(ended)
        recorder = AuditRecorder(table)
        recorder._paused_until = time.monotonic() + 60  # noqa: SLF001 - as after a failed write
        recorder.record_end(ended)
        assert [line["exit_code"] for line in lines(caplog, job.id)] == [3], "the log has it at once"
        assert table.find_page(1)[0][0].state is None
        table.prune()
        assert (table.find_page(1)[0][0].state, table.find_page(1)[0][0].exit_code) == ("failed", 3)
