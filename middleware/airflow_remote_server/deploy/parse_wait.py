"""Wait until Airflow's DAG processor or scheduler has parsed a deployed file."""

from __future__ import annotations

import math
import time
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_remote_server.deploy.parse_now import parse_now
from airflow_remote_server.errors import CommandFailed
from airflow_remote_server.integrations.installed import installed_integration

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_remote_server.deploy.checking import CheckResult
    from airflow_remote_server.deploy.target_file import TargetFile
    from airflow_remote_server.integrations.base import DagRecord

POLL_SECONDS = 0.2
REQUEST_SECONDS = 2.0
"""How often Airflow is asked to parse the file first. It drops a request when the parse starts."""

UPDATE_INTERVAL = timedelta(seconds=60)
"""Longer than the usual ``[core] min_serialized_dag_update_interval``."""


class ParseWait:
    """Waits for Airflow to parse a file.

    :param target: the published file
    :param bundle: its DAG bundle, on Airflow 3
    :param checked: the DAGs in it
    :param published: when it was published
    :param parse_seconds: time limit for one import of the file
    """

    def __init__(
        self, target: TargetFile, bundle: str, checked: CheckResult, published: datetime, parse_seconds: float
    ) -> None:
        self.target = target
        self.bundle = bundle
        self.checked = checked
        self.published = published
        self.parse_seconds = parse_seconds
        self.parse_times: dict[str, set[datetime]] = {dag_id: set() for dag_id in checked.dag_ids}

    def run(self, seconds: float) -> None:
        """Wait until Airflow has parsed the file.

        :param seconds: the maximum time to wait
        :raises CommandFailed: if Airflow cannot import the file, or has not parsed it in time
        """
        deadline = time.monotonic() + seconds
        next_request = time.monotonic()
        if not installed_integration().takes_parsing_requests():
            # By default, Airflow looks for new files every five minutes, and cannot be asked to look earlier.
            subject = f"{self.target.name} is in place, but"
            parse_now(str(self.target.path), self.bundle, self.parse_seconds, subject)
            next_request = math.inf
        while True:
            records = installed_integration().known_dags(self.checked.dag_ids)
            missing = [
                dag_id for dag_id in self.checked.dag_ids if not self.is_current(dag_id, records.get(dag_id))
            ]
            error = installed_integration().import_error(
                self.target.path, self.target.root, self.bundle, self.published
            )
            if error:
                reason = error.strip().splitlines()[-1]
                raise CommandFailed(f"{self.target.name} is in place, but Airflow cannot import it: {reason}")
            if not missing:
                return
            if time.monotonic() >= deadline:
                raise CommandFailed(self._timeout_message(seconds, missing))
            if time.monotonic() >= next_request:
                next_request = time.monotonic() + REQUEST_SECONDS
                installed_integration().request_parsing_of(self.target.path, self.target.root, self.bundle)
            time.sleep(POLL_SECONDS)

    def is_current(self, dag_id: str, record: DagRecord | None) -> bool:
        """Return whether Airflow's database has a DAG as it was deployed.

        The database has it if the hash of the serialization is as expected. The hash of some DAGs differs
        after each parse. If two parses have ended since the file was published, the second one also began
        since then.

        :param dag_id: the DAG
        :param record: its record in the database; None if there is none
        """
        if record is None or not record.active or record.parsed is None or record.parsed < self.published:
            return False
        if not self.target.is_at(record.package):
            return False
        if record.hash == self.checked.hashes[dag_id]:
            return True
        times = self.parse_times[dag_id]
        times.add(record.parsed)
        if len(times) < 2 or record.written is None:
            return False
        # Airflow writes a DAG at most once in this interval; after the interval, there was nothing to write.
        return record.written > self.published or max(times) > record.written + UPDATE_INTERVAL

    def _timeout_message(self, seconds: float, missing: list[str]) -> str:
        message = f"{self.target.name} is in place, but Airflow has not parsed it within {seconds:g} s"
        if not installed_integration().parser_runs():
            return f"{message}: no {installed_integration().PARSER} is running"
        return f"{message}; missing: {', '.join(missing)[:200]}"
