"""The route of the audit log, ``GET /api/v1.0/audit``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow_remote_server.auth.permissions import refused_by
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
    from airflow_remote_server.jobs.models import Job


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
        before, command = parameters.cursor("before"), parameters.text("command")
        exact = {name: parameters.text(name) for name in EXACT}
        parameters.reject_unknown()
        entries, following = self.table.find_page(limit, before, command, **exact)
        jobs = self.table.jobs.store.get_all({entry.job for entry in entries if is_open(entry)})
        page = [self.document(entry, jobs.get(entry.job)) for entry in entries]
        return json_response({"audit": page, "next": following}, 200)

    def document(self, entry: AuditEntry, job: Job | None) -> dict[str, Any]:
        """Return an entry as JSON.

        :param entry: the entry
        :param job: its job, if the end is not recorded yet; its current state is returned
        """
        document = {**asdict(entry), "time": rfc3339(entry.time)}
        if is_open(entry) and job is not None:
            job = self.table.jobs.refresh(job)
            document |= {"state": job.state.value, "exit_code": job.exit_code}
            if job.state.final and entry.result == "running":
                document["result"] = result_of_job(entry.name, job.state.value, job.kind, job.message)
        return document


def is_open(entry: AuditEntry) -> bool:
    """Return whether an entry has a job whose end is not recorded in it."""
    return bool(entry.job) and entry.state is None
