"""Start services again that were running when the machine or the container ended (``services_autostart``)."""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from airflow_remote_server.auth.authenticator import Principal
from airflow_remote_server.auth.permissions import UNRESTRICTED
from airflow_remote_server.errors import BadArguments, NotFound
from airflow_remote_server.jobs.admission import ServiceRuns
from airflow_remote_server.util.globs import matches_any
from airflow_remote_server.util.masking import MASK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_remote_server.catalog.spec import Endpoint
    from airflow_remote_server.http.plan import Plan
    from airflow_remote_server.http.planning import Planner
    from airflow_remote_server.jobs.audit.recorder import AuditRecorder
    from airflow_remote_server.jobs.models import Job

log = logging.getLogger(__name__)


class Autostart:
    """Starts services again, by their jobs.

    :param planner: plans the commands, and starts them
    :param recorder: records this in the audit log
    :param patterns: patterns of the commands that are started again
    """

    def __init__(self, planner: Planner, recorder: AuditRecorder, patterns: tuple[str, ...]) -> None:
        self._planner = planner
        self._recorder = recorder
        self._patterns = patterns

    def start_again(self, job: Job) -> None:
        """Start a service again, unless it runs already, is not wanted, or is not allowed any more.

        :param job: its ended job
        :raises Unavailable: if that is not possible now
        :raises ApiError: if it cannot be started
        """
        if not self._patterns:
            return
        plan = self._plan(job)
        endpoint, command = plan.request.endpoint, " ".join(plan.request.variant.command)
        if not matches_any((endpoint.name, *endpoint.aliases, command), self._patterns):
            return
        principal = Principal(job.principal, job.peer)
        try:
            # The key makes this happen only once, whatever becomes of this process.
            started, _ = self._planner.submit(plan, principal, f"autostart {job.id}")
        except ServiceRuns as running:
            log.info("%s", running.message)
            return
        log.warning(
            "`%s`, job %s, was found dead; it starts again as job %s", job.command, job.id, started.id
        )
        self._recorder.record_autostart(started, job.id)

    def _plan(self, job: Job) -> Plan:
        """Return a plan for the command of an earlier job.

        :raises Unavailable: if the commands of Airflow cannot be read now
        :raises Refused: if it is not allowed any more
        :raises BadArguments: if its arguments are not all known, or mean something else today
        """
        if MASK in job.arguments:
            raise BadArguments("it has secret arguments, which are not stored: start it yourself")
        arguments = {
            name: value if isinstance(value, list) else [value]
            for name, value in json.loads(job.arguments).items()
        }
        problem = ""
        for endpoint in self._endpoints(job.name):
            try:
                plan = self._planner.plan(endpoint, arguments, ignore_unknown=False)
            except BadArguments as error:
                problem = error.message
                continue
            if plan.title == job.command:
                return plan
        raise BadArguments(problem or "its arguments mean something else today: start it yourself")

    def _endpoints(self, name: str) -> Iterator[Endpoint]:
        """Yield the endpoints of a name: the classic one, and the command of the installed Airflow."""
        with suppress(NotFound):
            yield self._planner.find(name)
        yield self._planner.find_command(name, UNRESTRICTED)
