"""The route of the audit log, ``GET /api/v1.0/audit``."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow_remote_server.auth.permissions import refused_by
from airflow_remote_server.errors import NotFound
from airflow_remote_server.http import arguments
from airflow_remote_server.http.job_documents import rfc3339
from airflow_remote_server.http.parameters import Parameters
from airflow_remote_server.http.responses import json_response
from airflow_remote_server.jobs.audit.table import EXACT, result_of_job

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.wrappers import Response

    from airflow_remote_server.http.responses import RequestContext
    from airflow_remote_server.jobs.audit.entry import AuditEntry
    from airflow_remote_server.jobs.audit.table import AuditTable


class AuditRoutes:
    """Serve the audit log.

    :param table: the table of the audit log
    """

    def __init__(self, table: AuditTable) -> None:
        self.table = table

    @property
    def handlers(self) -> dict[str, Callable[..., Response]]:
        """Return the handlers by the endpoint of their routes."""
        return {"audit": self.list_entries}

    def list_entries(self, context: RequestContext) -> Response:
        """Serve ``GET /api/v1.0/audit``: a page of entries, newest first.

        :raises Refused: unless the principal is an admin without restrictions
        :raises BadArguments: if a parameter is invalid
        """
        permissions = context.principal.permissions
        if not permissions.unrestricted:
            raise refused_by(
                "role", f"the audit is for an admin without restrictions, not {permissions.role.name!r}"
            )
        parameters = Parameters(arguments.read_query(context.request))
        limit = parameters.page_size()
        before, command = parameters.text("before"), parameters.text("command")
        exact = {name: parameters.text(name) for name in EXACT}
        parameters.reject_unknown()
        entries = self.table.find(limit + 1, before, command, **exact)
        following = entries[limit - 1].id if len(entries) > limit else None
        page = [self.document(entry) for entry in entries[:limit]]
        return json_response({"audit": page, "next": following}, 200)

    def document(self, entry: AuditEntry) -> dict[str, Any]:
        """Return an entry as JSON, with the current state of a job whose end is not recorded yet."""
        document = {**asdict(entry), "time": rfc3339(entry.time)}
        if entry.job and entry.state is None:
            with suppress(NotFound):
                job = self.table.jobs.get(entry.job)
                document |= {"state": job.state.value, "exit_code": job.exit_code}
                if job.state.final and entry.result == "running":
                    document["result"] = result_of_job(entry.name, job.state.value)
        return document
