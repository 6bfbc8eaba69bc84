"""Writes the audit: as a line of JSON to the log, and as a row to the database of the jobs.

Nothing waits long for it, and nothing fails with it: the line in the log is there when the row is not.
"""

from __future__ import annotations

import json
import logging
import secrets
import threading
import time
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from airflow_remote_server.audit import Entry
from airflow_remote_server.errors import ApiError, Unavailable

if TYPE_CHECKING:
    from werkzeug.wrappers import Request, Response

    from airflow_remote_server.audit.rows import Rows
    from airflow_remote_server.responses import Notes

log = logging.getLogger("airflow_remote_server.audit")
"""The lines. A configuration of Python's logging can send them to a file of their own."""

TIDY_WRITES, TIDY_SECONDS = 200, 60.0
"""How often old rows are removed, by rows that were written and by time."""

REST_SECONDS = 10.0
"""How long the database is left alone after it could not be written to."""

STRANGERS_AT_ONCE, STRANGERS_A_SECOND = 50, 5.0
"""Refused requests of nobody known that are noted; the others are counted."""

REFUSALS = frozenset({401, 403, 408, 429, 431})
LONGEST_PATH = 300


class Trail:
    """The audit of one web worker.

    :param rows: the table
    """

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self._lock = threading.Lock()
        self._rested = 0.0
        self._written = 0
        self._tidied = 0.0
        self._allowance = float(STRANGERS_AT_ONCE)
        self._allowed = time.monotonic()
        self._unsaid = 0

    def __call__(self, request: Request, began: float, notes: Notes, response: Response) -> None:
        """Note a request, when it ran something or was refused. Raises nothing.

        :param request: it
        :param began: when it came, in seconds since the epoch
        :param notes: what was learned of it
        :param response: the answer
        """
        status = response.status_code
        known = notes.principal is not None
        if not (notes.name if known else notes.error is not None) and status not in REFUSALS:
            return
        try:
            entry = made(request, began, notes, response)
            if not known:
                with self._lock:
                    if not self._may_note_stranger():
                        self._unsaid += 1
                        return
                    unsaid, self._unsaid = self._unsaid, 0
                if unsaid:
                    entry = replace(entry, message=f"{entry.message} (and {unsaid} more were refused)")
            log.info("%s", json.dumps(asdict(entry)))
            self._write(entry)
        except Exception:  # the request is answered in any case
            log.exception("A request could not be noted in the audit")

    def _may_note_stranger(self) -> bool:
        now = time.monotonic()
        grown = self._allowance + (now - self._allowed) * STRANGERS_A_SECOND
        self._allowance, self._allowed = min(float(STRANGERS_AT_ONCE), grown), now
        if self._allowance < 1:
            return False
        self._allowance -= 1
        return True

    def _write(self, entry: Entry) -> None:
        now = time.monotonic()
        if now < self._rested:
            return
        try:
            self.rows.add(entry)
            with self._lock:
                self._written += 1
                due = self._written % TIDY_WRITES == 1 or now >= self._tidied + TIDY_SECONDS
                if due:
                    self._tidied = now
            if due:
                self.rows.tidy()
        except Unavailable:
            self._rested = time.monotonic() + REST_SECONDS
            log.warning("The audit is in the log only for the next %g s", REST_SECONDS)


def made(request: Request, began: float, notes: Notes, response: Response) -> Entry:
    """The entry of a request; the parameters are those of ``Trail``."""
    principal, error, status = notes.principal, notes.error, response.status_code
    result = outcome(status, response.is_streamed)
    message = (
        "" if error is None or result == "failed" else str(getattr(error, "reason", "") or error.message)
    )
    return Entry(
        id=f"{time.time_ns() // 1000:014x}{secrets.token_hex(5)}",
        time=began,
        principal="" if principal is None else principal.name,
        role="" if principal is None else principal.permit.role.name,
        peer=request.remote_addr or "",
        method=request.method,
        path=request.path[:LONGEST_PATH],
        name=notes.name,
        command=notes.command,
        status=status,
        result=result,
        layer=layer(error),
        message=message,
        seconds=round(max(0.0, time.time() - began), 3),
        job=notes.job,
    )


def outcome(status: int, streamed: bool) -> str:
    """What came of a request, in a word.

    :param status: of HTTP
    :param streamed: whether the answer goes on
    """
    if status < 300:
        return "running" if streamed or status == 202 else "done"
    if status in REFUSALS:
        return "refused"
    if status == 422:
        return "failed"
    return "error" if status >= 500 and status != 501 else "invalid"


def layer(error: ApiError | None) -> str:
    """What refused a request."""
    if error is None or error.status not in REFUSALS:
        return ""
    return error.layer or "limit"
