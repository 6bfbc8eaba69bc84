"""Waiting until Airflow itself has parsed a file that was deployed: its DAG processor, or its scheduler."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_remote_server.errors import CommandFailed
from airflow_remote_server.integrations import installed

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_remote_server.dags.checking import Found
    from airflow_remote_server.dags.place import Place
    from airflow_remote_server.integrations import Row

PAUSE_SECONDS = 0.2
ASK_SECONDS = 2.0
"""How often Airflow is asked to parse the file before others. It forgets a request that it has taken up."""

UPDATE_INTERVAL = timedelta(seconds=60)
"""More than ``[core] min_serialized_dag_update_interval`` usually is."""


class Wait:
    """Wait for Airflow.

    :param place: of the file
    :param bundle: its DAG bundle, on Airflow 3
    :param found: what is in the file
    :param since: when it was put there
    """

    def __init__(self, place: Place, bundle: str, found: Found, since: datetime) -> None:
        self.place = place
        self.bundle = bundle
        self.found = found
        self.since = since
        self.ends: dict[str, set[datetime]] = {dag_id: set() for dag_id in found.dag_ids}

    def __call__(self, seconds: float) -> None:
        """Wait.

        :param seconds: at most
        :raises CommandFailed: when Airflow cannot import the file after all, or has not parsed it in time
        """
        deadline = time.monotonic() + seconds
        ask = time.monotonic()
        while True:
            rows = installed().known_dags(self.found.dag_ids)
            missing = [dag_id for dag_id in self.found.dag_ids if not self.new(dag_id, rows.get(dag_id))]
            error = installed().import_error(self.place.path, self.place.root, self.bundle, self.since)
            if error:
                reason = error.strip().splitlines()[-1]
                raise CommandFailed(f"{self.place.name} is in place, but Airflow cannot import it: {reason}")
            if not missing:
                return
            if time.monotonic() >= deadline:
                raise CommandFailed(self.late(seconds, missing))
            if time.monotonic() >= ask:
                ask = time.monotonic() + ASK_SECONDS
                installed().request_parsing_of(self.place.path, self.place.root, self.bundle)
            time.sleep(PAUSE_SECONDS)

    def new(self, dag_id: str, row: Row | None) -> bool:
        """Whether what Airflow has of a DAG is what was deployed.

        It is when its serialization is as expected. Of a DAG that comes out as another one each time, that
        cannot be told; but of two parses that ended since the file came there, the second also began since.
        """
        if row is None or not row.active or row.parsed is None or row.parsed < self.since:
            return False
        if not self.place.holds(row.package):
            return False
        if row.hash == self.found.hashes[dag_id]:
            return True
        ends = self.ends[dag_id]
        ends.add(row.parsed)
        if len(ends) < 2 or row.written is None:
            return False
        # Airflow writes a DAG once in that time only; when it has had it, there was nothing to write.
        return row.written > self.since or max(ends) > row.written + UPDATE_INTERVAL

    def late(self, seconds: float, missing: list[str]) -> str:
        """What to say when it has taken too long."""
        said = f"{self.place.name} is in place, but Airflow has not parsed it within {seconds:g} s"
        if not installed().parser_runs():
            return f"{said}: no {installed().PARSER} is running"
        return f"{said}; not yet there: {', '.join(missing)[:200]}"
