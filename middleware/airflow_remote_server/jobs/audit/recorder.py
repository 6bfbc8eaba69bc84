"""Record requests in the audit log: as a line of JSON in the log, and as a row in the job store's database.

A request never waits long for this, and never fails because of it: if the row cannot be written, the line in
the log remains.
"""

from __future__ import annotations

import json
import logging
import secrets
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_remote_server.errors import ApiError, Unavailable
from airflow_remote_server.jobs.audit.entry import AuditEntry
from airflow_remote_server.jobs.audit.table import result_of_job

if TYPE_CHECKING:
    from werkzeug.wrappers import Request, Response

    from airflow_remote_server.jobs.audit.entry import AuditNotes
    from airflow_remote_server.jobs.audit.table import AuditTable
    from airflow_remote_server.jobs.models import Job

log = logging.getLogger("airflow_remote_server.audit")
"""Receives the lines of JSON. Python's logging configuration can send them to a file of their own."""

PRUNE_WRITES, PRUNE_SECONDS = 200, 60.0
"""How often expired rows are deleted: after this many writes, or after this time."""

PAUSE_SECONDS = 10.0
"""How long no row is written after a write has failed."""

UNAUTHENTICATED_BURST, UNAUTHENTICATED_PER_SECOND = 50, 5.0
"""Refused requests of unauthenticated clients that are recorded; the others are only counted."""

REFUSALS = frozenset({401, 403, 408, 429, 431})
LONGEST_PATH = 300


class TokenBucket:
    """A rate limit: a bucket of tokens that fills up at a constant rate. Not thread-safe.

    :param burst: tokens in a full bucket
    :param per_second: tokens added per second
    """

    def __init__(self, burst: float, per_second: float) -> None:
        self.burst = burst
        self.per_second = per_second
        self._tokens = burst
        self._updated = time.monotonic()

    def take(self) -> bool:
        """Take a token, and return whether there was one."""
        now = time.monotonic()
        tokens = self._tokens + (now - self._updated) * self.per_second
        self._tokens, self._updated = min(self.burst, tokens), now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def new_entry_id() -> str:
    """Return an id for an entry; ids grow with time."""
    return f"{time.time_ns() // 1000:014x}{secrets.token_hex(5)}"


class AuditRecorder:
    """Records the requests of one web worker.

    :param table: the table for the rows
    """

    def __init__(self, table: AuditTable) -> None:
        self.table = table
        self._lock = threading.Lock()
        self._paused_until = 0.0
        self._written = 0
        self._pruned = 0.0
        self._unauthenticated = TokenBucket(UNAUTHENTICATED_BURST, UNAUTHENTICATED_PER_SECOND)
        self._skipped = 0

    def record(self, request: Request, began: float, notes: AuditNotes, response: Response) -> None:
        """Record a request if it ran something or was refused. Raise nothing.

        :param request: the request
        :param began: when it arrived, in seconds since the epoch
        :param notes: what was collected while it was served
        :param response: the response to it
        """
        written = False
        try:
            if is_recorded(notes, response.status_code):
                written = self._record(make_entry(request, began, notes, response), notes)
            if notes.unrecorded is not None and not written:
                self.table.jobs.reconciler.record(notes.unrecorded)
        except Exception:
            log.exception("A request could not be recorded in the audit log")

    def record_autostart(self, job: Job, earlier: str) -> None:
        """Record that a service was started without a request. Raise nothing.

        :param job: its job
        :param earlier: the id of the job that was found dead
        """
        entry = AuditEntry(
            id=new_entry_id(),
            time=job.created,
            principal=job.principal,
            role="",
            peer=job.peer,
            method="",
            path="",
            name=job.name,
            command=job.command,
            status=202,
            result="running",
            layer="",
            message=f"services_autostart: started again, since job {earlier} was found dead",
            seconds=0.0,
            job=job.id,
        )
        try:
            log.info("%s", json.dumps(vars(entry)))
            self._write(entry, None)
        except Exception:
            log.exception("A start could not be recorded in the audit log")

    def _record(self, entry: AuditEntry, notes: AuditNotes) -> bool:
        """Write an entry to the log and to the table.

        :returns: whether its row was written, and with it the end of the request's job
        """
        if notes.principal is None:
            with self._lock:
                if not self._unauthenticated.take():
                    self._skipped += 1
                    return False
                skipped, self._skipped = self._skipped, 0
            if skipped:
                entry = replace(entry, message=f"{entry.message} (and {skipped} more were refused)")
        log.info("%s", json.dumps(vars(entry)))
        return self._write(entry, notes.unrecorded)

    def record_end(self, job: Job) -> None:
        """Record how a job ended, if the entries of its requests do not say so yet. Raise nothing.

        :param job: an ended job
        """
        try:
            if time.monotonic() < self._paused_until or self.table.record_end(job):
                self._log_end(job)
        except Unavailable:
            self._log_end(job)
        except Exception:
            log.exception("The end of a job could not be recorded in the audit log")

    def _log_end(self, job: Job | None) -> None:
        """Write the line of JSON about the end of a job whose request was logged before."""
        if job is not None:
            log.info("%s", json.dumps(make_end(job)))

    def _write(self, entry: AuditEntry, ended: Job | None) -> bool:
        """Write the row of an entry, and the end of its job if the caller has it.

        :returns: whether they were written
        """
        now = time.monotonic()
        if now < self._paused_until:
            return False
        try:
            if self.table.add(entry, ended):
                self._log_end(ended or self.table.jobs.store.get(entry.job))
            with self._lock:
                self._written += 1
                due = self._written % PRUNE_WRITES == 1 or now >= self._pruned + PRUNE_SECONDS
                if due:
                    self._pruned = now
            if due:
                self.table.prune()
        except Unavailable:
            self._paused_until = time.monotonic() + PAUSE_SECONDS
            log.warning("For the next %g s, audit entries are written to this log only", PAUSE_SECONDS)
            return False
        return True


def is_recorded(notes: AuditNotes, status: int) -> bool:
    """Return whether a request belongs in the audit log: it ran something, or was refused.

    :param notes: what was collected while it was served
    :param status: the HTTP status of its response
    """
    if status in REFUSALS:
        return True
    return bool(notes.name) if notes.principal is not None else notes.error is not None


def make_entry(request: Request, began: float, notes: AuditNotes, response: Response) -> AuditEntry:
    """Return the entry of a request.

    :param request: the request
    :param began: when it arrived, in seconds since the epoch
    :param notes: what was collected while it was served
    :param response: the response to it
    """
    principal, error, status, ended = notes.principal, notes.error, response.status_code, notes.ended
    result = result_of(status, response.is_streamed)
    message = ""
    if error is not None and result != "failed":
        message = str(getattr(error, "reason", "") or error.message)
    return AuditEntry(
        id=new_entry_id(),
        time=began,
        principal="" if principal is None else principal.name,
        role="" if principal is None else principal.permissions.role.name,
        peer=request.remote_addr or "",
        method=request.method,
        path=request.path[:LONGEST_PATH],
        name=notes.name,
        command=notes.command,
        status=status,
        result=result,
        layer=layer_of(error),
        message=message,
        seconds=round(max(0.0, time.time() - began), 3),
        job=notes.job,
        state=None if ended is None else ended.state.value,
        exit_code=None if ended is None else ended.exit_code,
    )


def make_end(job: Job) -> dict[str, Any]:
    """Return the line of the log about the end of a job, with the names of ``AuditEntry``.

    :param job: an ended job
    """
    return {
        "time": job.ended,
        "principal": job.principal,
        "peer": job.peer,
        "name": job.name,
        "command": job.command,
        "result": result_of_job("", job.state.value, job.kind, job.message),
        "job": job.id,
        "state": job.state.value,
        "exit_code": job.exit_code,
    }


def result_of(status: int, streamed: bool) -> str:
    """Return the result of a request in one word.

    :param status: the HTTP status
    :param streamed: whether the body of the response is still being sent
    """
    if status < 300:
        return "running" if streamed or status == 202 else "done"
    if status in REFUSALS:
        return "refused"
    if status == 422:
        return "failed"
    return "error" if status >= 500 and status != 501 else "invalid"


def layer_of(error: ApiError | None) -> str:
    """Return which rule refused a request, or "" if it was not refused."""
    if error is None or error.status not in REFUSALS:
        return ""
    return error.layer or "limit"
