"""``GET /api/v1.0/audit``: what was asked for, and by whom."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow_remote_server import arguments
from airflow_remote_server.audit.rows import EXACT
from airflow_remote_server.errors import NotFound
from airflow_remote_server.jobs.resource import LARGEST_PAGE, PAGE, Query, moment
from airflow_remote_server.responses import respond
from airflow_remote_server.roles import refused

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

    from airflow_remote_server.audit import Entry
    from airflow_remote_server.audit.rows import Rows
    from airflow_remote_server.responses import Call


class AuditRoute:
    """Answers who may know it.

    :param rows: the table
    """

    def __init__(self, rows: Rows) -> None:
        self.rows = rows

    def __call__(self, call: Call) -> Response:
        """Some entries, newest first.

        :raises Refused: to who is not an admin without restrictions
        :raises BadArguments: for an argument that cannot be used
        """
        permit = call.principal.permit
        if not permit.unrestricted:
            raise refused("role", f"the audit is for an admin without restrictions, not {permit.role.name!r}")
        query = Query(arguments.query(call.request))
        limit = int(query.number("limit", PAGE, LARGEST_PAGE)) or PAGE
        before, command = query.text("before"), query.text("command")
        exact = {name: query.text(name) for name in EXACT}
        query.end()
        found = self.rows.find(limit + 1, before, command, **exact)
        following = found[limit - 1].id if len(found) > limit else None
        return respond({"audit": [self.shown(entry) for entry in found[:limit]], "next": following}, 200)

    def shown(self, entry: Entry) -> dict[str, Any]:
        """An entry; times as RFC 3339 has them. What went on when it was noted has its job's state of now."""
        state = None
        if entry.result == "running" and entry.job:
            with suppress(NotFound):
                state = self.rows.jobs.get(entry.job).state.value
        return {**asdict(entry), "time": moment(entry.time), "state": state}
