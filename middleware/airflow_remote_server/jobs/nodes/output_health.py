"""Whether the object store for the output of jobs can be used: for the log, and for ``/health``."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow_remote_server.config.settings import OUTPUT_STORES
from airflow_remote_server.integrations.object_storage import missing_for
from airflow_remote_server.jobs.nodes.output_thread import read_problem

if TYPE_CHECKING:
    from airflow_remote_server.config.settings import Settings

log = logging.getLogger(__name__)

CONSEQUENCE = "the output of jobs can be read only where they run until it can be used"


class OutputHealth:
    """Tells whether the object store can be used.

    :param settings: its URL, and where the agent of this node reports
    """

    def __init__(self, settings: Settings) -> None:
        self._url = settings.output_url
        self._state_dir = settings.state_dir
        self._logged = ""
        self._missing = missing_for(self._url) if self._url and not self._url.startswith("file:") else ""
        self._unused = settings.output_store not in OUTPUT_STORES and not settings.shares_store

    def problem(self) -> str:
        """Return in one line why the object store cannot be used; "" if it can, or there is none."""
        if self._unused:
            return "[rest_api_plugin] output_store is not used: jobs_url is not a database that can be shared"
        if self._missing:
            return f"the output store {self._url} cannot be used: {self._missing}; {CONSEQUENCE}"
        found = read_problem(self._state_dir) if self._url else ""
        return f"{found}; {CONSEQUENCE}" if found else ""

    def public_warning(self) -> str:
        """Return what everybody may know of the problem; "" if there is none."""
        if not self.problem():
            return ""
        return f"[rest_api_plugin] output_store cannot be used, see the webserver's log; {CONSEQUENCE}"

    def log_changes(self) -> None:
        """Write the problem to the log, once."""
        problem = self.problem()
        if problem != self._logged:
            log.warning("%s", problem or "The output store can be used again")
            self._logged = problem
