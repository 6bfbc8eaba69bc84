"""The store of jobs: one table in any database that SQLAlchemy knows (1.4 of Airflow 2.11, 2.x of 3.3)."""

from __future__ import annotations

import json
import logging
import threading
import time
from dataclasses import asdict, fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import and_, column, delete, func, not_, or_, select, table
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from airflow_remote_server.errors import Unavailable
from airflow_remote_server.jobs import ACTIVE, Job, State
from airflow_remote_server.jobs.engine import first_line, make_engine, passing
from airflow_remote_server.jobs.migrations import migrate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sqlalchemy.engine import URL, Connection, Engine

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 15.0
"""How long a statement is tried again while the database is locked or away."""

MISSING_SECONDS = 12.0
"""How long tables may be gone before they are made anew; less than a statement is tried for."""

COLUMNS = [field.name for field in fields(Job)]
JOBS = table("airflow_remote_job", *[column(name) for name in COLUMNS])

LISTED = {"command": 2000, "arguments": 8000}
"""Most characters of these columns in a list of jobs, whose rows would else be of any size together."""

OUTCOME = ("state", "started", "ended", "exit_code", "message", "stdout_bytes", "stderr_bytes", "pid")
"""The columns that tell what has become of a job."""

T = TypeVar("T")


class Full(Exception):
    """Raised when there are as many unfinished jobs as there may be."""


class Taken(Exception):
    """Raised when a job with the same key is there.

    :param job: that one
    """

    def __init__(self, job: Job) -> None:
        super().__init__(job.id)
        self.job = job


class Store:
    """The jobs.

    :param url: of the database, as SQLAlchemy has it
    """

    def __init__(self, url: str | URL) -> None:
        self._url = url
        self._engine: Engine | None = None
        self._lock = threading.Lock()
        self._missing_since: float | None = None

    def _connected(self) -> Engine:
        with self._lock:
            if self._engine is None:
                engine = make_engine(self._url)
                migrate(engine)
                self._engine = engine
        return self._engine

    def do(self, work: Callable[[Connection], T], patience: float = PATIENCE_SECONDS) -> T:
        """Do something in a transaction; again and again while the database cannot be used.

        :raises Unavailable: when that does not change in time
        """
        deadline = time.monotonic() + patience
        pause = 0.05
        while True:
            try:
                with self._connected().begin() as connection:
                    done = work(connection)
                self._missing_since = None
                return done
            except IntegrityError:
                raise
            except (SQLAlchemyError, OSError) as error:
                if self._begin_anew(error):
                    continue
                if time.monotonic() >= deadline or not passing(error):
                    log.error("The store of jobs cannot be used: %s", first_line(error))
                    raise Unavailable(
                        f"the store of jobs cannot be used now: {first_line(error)}; "
                        "see [rest_api_plugin] jobs_url and state_dir"
                    ) from error
            time.sleep(pause)
            pause = min(pause * 2, 1.0)

    def _begin_anew(self, error: Exception) -> bool:
        """Look for a database whose tables are gone again: its file was removed, for good or for a moment.

        :returns: whether they are to be made once more, since they did not come back in time
        """
        with self._lock:
            if "no such table" not in str(error) or self._engine is None:
                return False
            self._engine.dispose()  # connections to a file that is no more stay with it
            now = time.monotonic()
            self._missing_since = self._missing_since or now
            if now < self._missing_since + MISSING_SECONDS:
                return False
            self._engine = self._missing_since = None
        return True

    def add(self, job: Job, most: int | None) -> None:
        """Add a job.

        :param most: how many unfinished ones of kind ``command`` there may be on its node, with it
        :raises Full: when there are more
        :raises Taken: when one of this principal has the same key
        :raises Unavailable: when the store cannot be used
        """

        def work(connection: Connection) -> None:
            # First the insert, which locks SQLite against other writers, then the count.
            connection.execute(JOBS.insert().values(**_row(job)))
            if most is not None:
                active = and_(
                    JOBS.c.state.in_(ACTIVE_NAMES), JOBS.c.node.startswith(home(job.node), autoescape=True)
                )
                count = select(func.count()).select_from(JOBS).where(active, JOBS.c.kind == "command")
                if connection.execute(count).scalar_one() > most:
                    raise Full

        try:
            self.do(work)
        except IntegrityError:
            if self.get(job.id) is not None:
                return  # the first try was noted, and the connection broke then
            if job.key is None:
                raise
            found = self._first(and_(JOBS.c.principal == job.principal, JOBS.c.key == job.key))
            if found is None:
                raise Unavailable("a job with the same Idempotency-Key just went; try again") from None
            raise Taken(found) from None

    def get(self, job_id: str) -> Job | None:
        """A job; None when there is none."""
        return self._first(JOBS.c.id == job_id)

    def _first(self, condition: Any) -> Job | None:
        found = self.do(lambda connection: connection.execute(select(JOBS).where(condition)).fetchone())
        return None if found is None else _job(found)

    def find(
        self,
        states: Iterable[State] = (),
        node: str | None = None,
        principal: str | None = None,
        command: str | None = None,
        before: str | None = None,
        limit: int = 100,
    ) -> list[Job]:
        """Jobs, newest first, with no more than a beginning of what may be long (``LISTED``).

        :param states: in one of these; in any when there are none
        :param node: of this node
        :param principal: of this principal
        :param command: whose endpoint or command line is or begins with this; ``*`` stands for any text
        :param before: older than the job of this id
        :param limit: at most as many
        """
        cut = [
            func.substr(found, 1, LISTED[found.name] + 1) if found.name in LISTED else found
            for found in JOBS.c
        ]
        query = select(*cut).order_by(JOBS.c.id.desc()).limit(limit)
        names = [state.value for state in states]
        if names:
            query = query.where(JOBS.c.state.in_(names))
        if node is not None:
            query = query.where(JOBS.c.node.startswith(home(node), autoescape=True))
        if principal is not None:
            query = query.where(JOBS.c.principal == principal)
        if command is not None:
            query = query.where(or_(*beginning(JOBS.c.name, JOBS.c.command, command)))
        if before is not None:
            query = query.where(JOBS.c.id < before)
        return [_listed(row) for row in self.do(lambda connection: connection.execute(query).fetchall())]

    def finish(self, job: Job, patience: float = PATIENCE_SECONDS) -> None:
        """Write down what has become of a job, unless somebody has done so.

        :param job: in its final state, or running
        :raises Unavailable: when the store cannot be used
        """
        change = {name: value for name, value in _row(job).items() if name in OUTCOME}
        update = JOBS.update().where(JOBS.c.id == job.id, JOBS.c.state.in_(ACTIVE_NAMES)).values(**change)
        self.do(lambda connection: connection.execute(update), patience)

    def remove(self, job_ids: list[str]) -> None:
        """Remove jobs."""
        if job_ids:
            self.do(lambda connection: connection.execute(delete(JOBS).where(JOBS.c.id.in_(job_ids))))

    def old(self, node: str, before: float, keep: int, limit: int) -> list[str]:
        """Ids of jobs that need not be kept.

        :param node: of this node
        :param before: those that ended before this time, in seconds since the epoch
        :param keep: and of those that ended all but the last so many
        :param limit: at most as many
        """
        ours = JOBS.c.node.startswith(home(node), autoescape=True)
        ended = and_(ours, JOBS.c.state.notin_(ACTIVE_NAMES))

        def work(connection: Connection) -> list[str]:
            newest_first = select(JOBS.c.id).where(ended).order_by(JOBS.c.ended.desc())
            beyond = newest_first.offset(keep).limit(limit)
            late = select(JOBS.c.id).where(ended, JOBS.c.ended < before).limit(limit)
            # Of a state directory that has gone with its machine, nobody else removes anything.
            left = select(JOBS.c.id).where(not_(ours), JOBS.c.created < 2 * before - time.time()).limit(limit)
            return sorted({row[0] for query in (beyond, late, left) for row in connection.execute(query)})

        return self.do(work)


LONGEST = {"node": 80, "principal": 100, "peer": 100, "name": 100, "message": 4000}
"""Characters of a column, of what may be longer."""

ACTIVE_NAMES = [state.value for state in ACTIVE]


def beginning(name: Any, line: Any, wanted: str) -> list[Any]:
    """Conditions of which one holds for an endpoint of a name, or a command line that begins so.

    :param name: the column
    :param line: the column
    :param wanted: what is looked for; ``*`` stands for any text
    """
    like = wanted.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_").replace("*", "%")
    starts = (f"{like}%", f"airflow {like}%")
    return [name.like(like, escape="\\"), *(line.like(start, escape="\\") for start in starts)]


def home(node: str) -> str:
    """The part of a node that is its state directory's: the machine's name may change."""
    return node.partition("@")[0]


def _row(job: Job) -> dict[str, Any]:
    row = {**asdict(job), "state": job.state.value}
    return {name: storable(value, LONGEST.get(name)) for name, value in row.items()}


def storable(value: Any, most: int | None) -> Any:
    """A value as every database takes it: no NUL, no lone surrogate, and not longer than its column.

    :param value: a text, or something else, which is left as it is
    :param most: characters
    """
    if not isinstance(value, str):
        return value
    return value.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()[:most]


def _job(row: Any) -> Job:
    values = dict(zip(COLUMNS, row, strict=True))
    return Job(**{**values, "state": State(values["state"])})


def _listed(row: Any) -> Job:
    """A job of a list; of what is too long for that, it says so."""
    job = _job(row)
    if len(job.command) > LISTED["command"]:
        job = replace(job, command=f"{job.command[: LISTED['command']]} ...")
    if len(job.arguments) > LISTED["arguments"]:
        job = replace(job, arguments=json.dumps({"...": "too long for a list; ask for the job itself"}))
    return job
