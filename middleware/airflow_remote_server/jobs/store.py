"""The job store: a table in any database that SQLAlchemy 1.4 (Airflow 2) and 2.x (Airflow 3) support."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import and_, delete, func, not_, or_, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from airflow_remote_server.errors import Unavailable
from airflow_remote_server.jobs.engine import (
    file_identity,
    first_line,
    is_read_only,
    is_transient,
    make_engine,
)
from airflow_remote_server.jobs.limits import JobLimits, insert_within
from airflow_remote_server.jobs.listing import Listing
from airflow_remote_server.jobs.migrations import migrate
from airflow_remote_server.jobs.models import JobState, id_prefix
from airflow_remote_server.jobs.node_tables import IN_OBJECT, OFFERS, PIECES, STOPS
from airflow_remote_server.jobs.rows import JOBS, LONGEST_LISTED, is_of_node, job_of, truncate
from airflow_remote_server.jobs.sql import matches_command
from airflow_remote_server.jobs.statements import record_end

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from sqlalchemy.engine import URL, Connection, Engine
    from sqlalchemy.sql import ColumnElement

    from airflow_remote_server.jobs.models import Job

log = logging.getLogger(__name__)

RETRY_SECONDS = 15.0
"""How long a transaction is retried while the database is locked or unreachable."""

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0
"""Seconds between two attempts; the pause doubles each time."""

MISSING_SECONDS = 12.0
"""How long tables may be missing before they are created again; shorter than ``RETRY_SECONDS``."""

MOST_IDS = 500
"""The maximum number of ids in a statement; SQLite's least limit is 999."""

T = TypeVar("T")


class DuplicateKey(Exception):
    """Raised if the principal has a job with the same key.

    :param job: that job
    """

    def __init__(self, job: Job) -> None:
        super().__init__(job.id)
        self.job = job


class JobStore:
    """The jobs in a database.

    :param url: the database URL of SQLAlchemy
    """

    def __init__(self, url: str | URL) -> None:
        self._url = url
        self._engine: Engine | None = None
        self._lock = threading.Lock()
        self._file: tuple[int, int] | None = None
        self._missing_since: float | None = None

    def _connect(self) -> Engine:
        """Return the engine, after the first call has migrated the tables.

        If the file of SQLite was removed or replaced, no connection to the old one is used any more.
        """
        with self._lock:
            if self._engine is None:
                engine = make_engine(self._url)
                migrate(engine)
                self._engine, self._file = engine, file_identity(engine)
            elif self._file is not None and self._file != (file := file_identity(self._engine)):
                self._engine.dispose()
                self._file = file or self._file
        return self._engine

    def run_transaction(self, work: Callable[[Connection], T], retry_for: float = RETRY_SECONDS) -> T:
        """Run a function in a transaction, and retry it while the database cannot be used.

        :param work: called with a connection, once for each attempt
        :param retry_for: seconds after which no further attempt is made
        :returns: what the function returned
        :raises IntegrityError: if the transaction violates a constraint
        :raises Unavailable: if the database cannot be used
        """
        # A loop of our own: tenacity adds 17 µs to the 35 µs of a transaction that succeeds at once.
        deadline = time.monotonic() + retry_for
        pause, reopened = FIRST_PAUSE, False
        while True:
            try:
                with self._connect().begin() as connection:
                    result = work(connection)
                self._missing_since = None
                return result
            except IntegrityError:
                raise
            except (SQLAlchemyError, OSError) as error:
                if self._reset_if_emptied(error):
                    continue
                if not reopened and is_read_only(error):
                    # The connection may have been opened while the disk could only be read.
                    reopened = True
                    self._connect().dispose()
                    continue
                if time.monotonic() >= deadline or not is_transient(error):
                    log.error("The job store cannot be used: %s", first_line(error))
                    raise Unavailable(
                        f"the job store cannot be used: {first_line(error)}; "
                        "check [rest_api_plugin] jobs_url and state_dir"
                    ) from error
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    def _reset_if_emptied(self, error: Exception) -> bool:
        """Handle a database whose tables are gone because its file was removed, perhaps only briefly.

        :returns: whether the tables have been missing for so long that the next attempt must create them
            again
        """
        with self._lock:
            if "no such table" not in str(error) or self._engine is None:
                return False
            self._engine.dispose()  # open connections keep using the removed file
            now = time.monotonic()
            self._missing_since = self._missing_since or now
            if now < self._missing_since + MISSING_SECONDS:
                return False
            self._engine = self._missing_since = None
        return True

    def add(
        self,
        job: Job,
        max_active: int | None,
        max_share: int | None = None,
        shared: bool = False,
        alone: bool = False,
    ) -> None:
        """Add a job.

        :param job: the job
        :param max_active: the maximum number of active commands of its node, with this one; None for no limit
        :param max_share: the same for those of its principal
        :param shared: whether the principal's commands of all nodes count
        :param alone: whether no service with the same command line may be active
        :raises QueueFull: if there are more
        :raises AlreadyActive: if there is such a service
        :raises DuplicateKey: if the principal has a job with the same key
        :raises Unavailable: if the store cannot be used
        """

        limits = JobLimits(max_active, max_share, shared, alone)
        try:
            self.run_transaction(lambda connection: insert_within(connection, job, limits))
        except IntegrityError:
            if self.get(job.id) is not None:
                return  # an earlier attempt was committed before its connection broke
            if job.key is None:
                raise
            duplicate = self.find_key(job.principal, job.key)
            if duplicate is None:
                raise Unavailable(
                    "a job with the same Idempotency-Key has just been deleted; try again"
                ) from None
            raise DuplicateKey(duplicate) from None

    def get(self, job_id: str) -> Job | None:
        """Return a job, or None if there is none."""
        return self._find_one(JOBS.c.id == job_id)

    def get_all(self, job_ids: Collection[str]) -> dict[str, Job]:
        """Return those of some jobs that exist, by their ids.

        :param job_ids: not more than ``MOST_IDS``
        """
        query = select(JOBS).where(JOBS.c.id.in_(job_ids))
        rows = (
            self.run_transaction(lambda connection: connection.execute(query).fetchall()) if job_ids else []
        )
        return {job.id: job for job in map(job_of, rows)}

    def known_ids(self, job_ids: Collection[str]) -> set[str]:
        """Return which jobs exist.

        :param job_ids: not more than ``MOST_IDS``
        """
        return self._find_ids(JOBS.c.id.in_(job_ids))

    def lost_ids(self, node: str) -> set[str]:
        """Return which jobs of a node are recorded as lost."""
        return self._find_ids(and_(JOBS.c.state == JobState.LOST.value, is_of_node(node)))

    def _find_ids(self, condition: ColumnElement[bool]) -> set[str]:
        query = select(JOBS.c.id).where(condition)
        return self.run_transaction(lambda connection: set(connection.execute(query).scalars()), 0.0)

    def find_key(self, principal: str, key: str) -> Job | None:
        """Return the job of a principal with an Idempotency-Key, or None if there is none."""
        return self._find_one(and_(JOBS.c.principal == principal, JOBS.c.key == key))

    def _find_one(self, condition: ColumnElement[bool]) -> Job | None:
        query = select(JOBS).where(condition)
        row = self.run_transaction(lambda connection: connection.execute(query).fetchone())
        return None if row is None else job_of(row)

    def find_page(
        self,
        states: Collection[JobState] = (),
        node: str | None = None,
        principal: str | None = None,
        command: str | None = None,
        before: str | None = None,
        limit: int = 100,
    ) -> tuple[list[Job], str | None]:
        """Return a page of jobs, newest first, with long texts truncated (``LONGEST_LISTED``).

        :param states: only jobs in one of these states; empty for all
        :param node: only jobs of this node
        :param principal: only jobs of this principal
        :param command: only jobs with this endpoint name or command-line prefix; ``*`` matches any text
        :param before: only jobs older than the job with this id
        :param limit: the maximum number of jobs
        :returns: the jobs, which may be few (see ``listing``), and the ``before`` of the next page; None if
            this is the last one
        """
        columns = [
            func.substr(each, 1, LONGEST_LISTED[each.name] + 1) if each.name in LONGEST_LISTED else each
            for each in JOBS.c
        ]
        others = [] if node is None else [is_of_node(node)]
        if command is not None:
            others.append(or_(*matches_command(JOBS.c.name, JOBS.c.command, command)))
        indexed = {"state": [state.value for state in states]} if states else {}
        if principal is not None:
            indexed["principal"] = [principal]
        listing = Listing(columns, indexed, others)
        page = self.run_transaction(lambda connection: listing.read(connection, before, limit))
        return [truncate(job_of(row)) for row in page.rows], page.following

    def find(self, limit: int = 100, **conditions: Any) -> list[Job]:
        """Return jobs, newest first, as many as there are.

        :param limit: the maximum number of jobs
        :param conditions: the same as in ``find_page``
        """
        jobs, following = self.find_page(limit=limit, **conditions)
        while following is not None and len(jobs) < limit:
            conditions["before"] = following
            more, following = self.find_page(limit=limit - len(jobs), **conditions)
            jobs += more
        return jobs

    def finish(self, job: Job, retry_for: float = RETRY_SECONDS) -> bool:
        """Record how a job ended, unless that is recorded already.

        :param job: the job in its final state
        :param retry_for: the same as in ``run_transaction``
        :returns: whether it was not recorded before
        :raises Unavailable: if the store cannot be used
        """
        return self.run_transaction(lambda connection: record_end(connection, job), retry_for)

    def remove(self, job_ids: list[str]) -> None:
        """Delete jobs.

        :raises Unavailable: if the store cannot be used
        """
        if not job_ids:
            return
        statements = [
            delete(table).where(column.in_(job_ids))
            for table, column in ((JOBS, JOBS.c.id), (STOPS, STOPS.c.job), (OFFERS, OFFERS.c.job))
        ]
        # An agent first removes the objects of the others.
        inline = PIECES.c.whole < IN_OBJECT
        statements.append(delete(PIECES).where(PIECES.c.job.in_(job_ids), inline))
        self.run_transaction(lambda connection: [connection.execute(each) for each in statements])

    def revive(self, node: str, job_ids: Collection[str]) -> None:
        """Make jobs active again that other nodes have given up: their node was cut off, and is back.

        :param node: the node of the jobs
        :param job_ids: those of them that it still runs, not more than ``MOST_IDS``
        :raises Unavailable: if the store cannot be used
        """
        if not job_ids:
            return
        given_up = and_(is_of_node(node), JOBS.c.state == JobState.LOST.value, JOBS.c.id.in_(job_ids))
        again = {"state": JobState.QUEUED.value, "ended": None, "exit_code": None, "message": ""}
        statement = JOBS.update().where(given_up).values(again)
        self.run_transaction(lambda connection: connection.execute(statement), 0.0)

    def find_expired(self, node: str, before: float, keep: int, limit: int) -> list[str]:
        """Return ids of jobs that need not be kept.

        :param node: the node of the jobs
        :param before: jobs that ended earlier have expired, in seconds since the epoch
        :param keep: ended jobs to keep; the jobs that ended before them have expired
        :param limit: the maximum number of ids for each of the two reasons
        """
        # The index of ``ended`` has the node, too. Active jobs have no ``ended``.
        ended = and_(is_of_node(node), JOBS.c.ended.is_not(None))
        newest_first = select(JOBS.c.id).where(ended).order_by(JOBS.c.ended.desc())
        # If a state directory is gone together with its machine, no other node deletes its jobs.
        long_ago = 2 * before - time.time()
        old = and_(JOBS.c.id < id_prefix(long_ago), JOBS.c.created < long_ago)
        queries = [
            newest_first.offset(keep).limit(limit),
            select(JOBS.c.id).where(ended, JOBS.c.ended < before).limit(limit),
            select(JOBS.c.id).where(old, not_(is_of_node(node))).limit(limit),
        ]

        def collect(connection: Connection) -> list[str]:
            return sorted({row[0] for query in queries for row in connection.execute(query)})

        return self.run_transaction(collect)
