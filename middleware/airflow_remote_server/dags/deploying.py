"""Deploy a DAG file, take it away, or put its former version back. Runs in a job, like any command."""

from __future__ import annotations

import json
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_remote_server.dags import package
from airflow_remote_server.dags.checking import UNCHANGED, Found, check
from airflow_remote_server.dags.fork import apart
from airflow_remote_server.dags.limits import Limits
from airflow_remote_server.dags.names import Name, read
from airflow_remote_server.dags.orders import ANSWER
from airflow_remote_server.dags.parsed import Wait
from airflow_remote_server.dags.place import Place
from airflow_remote_server.dags.versions import Versions
from airflow_remote_server.errors import BadArguments, Conflict, NotFound, Unavailable
from airflow_remote_server.integrations import installed
from airflow_remote_server.runner.folder import STAGE

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE_SECONDS = 30.0
"""How long one waits for others that deal with the same file, beyond what the import of a file may take."""


@dataclass(frozen=True)
class Order:
    """What is to be done. Comes from our own table, validated.

    :param filename: of the DAG file
    :param folder: below the DAGs folder; "" for that itself
    :param root: the DAGs folder
    :param state: our state directory
    :param limits: what the file is held to
    :param bundle: the DAG bundle of the folder, on Airflow 3
    :param upload: the file that was sent
    :param force: replace what is there, also when it is another one's
    :param pause: have its DAGs paused
    :param unpause: have its DAGs unpaused
    :param wait: seconds to wait until Airflow has parsed it
    :param version: number of the version that is to be put back
    """

    filename: str
    folder: str
    root: str
    state: str
    limits: Limits
    bundle: str = ""
    upload: str = ""
    force: bool = False
    pause: bool = False
    unpause: bool = False
    wait: float = 0.0
    version: int | None = None

    @classmethod
    def parse(cls, text: str) -> Order:
        """An order from its JSON."""
        fields = json.loads(text)
        return cls(**{**fields, "limits": Limits(**fields["limits"])})


class Work:
    """One order, in the process that carries it out.

    :param order: it
    """

    def __init__(self, order: Order) -> None:
        self.order = order
        self.name: Name = read(order.filename, order.folder)
        self.place = Place(Path(order.root), self.name)
        self.said: dict[str, Any] = {}
        self.folder = Path.cwd()
        try:
            self.versions = Versions(Path(order.state), self.place, order.limits.versions)
        except OSError as error:
            raise self.unwritable(error) from error

    def unwritable(self, error: OSError) -> Unavailable:
        """What to say when the state directory cannot be written to."""
        return Unavailable(
            f"cannot write to {self.order.state} ({error.strerror}): make room or make it writable, "
            "or set [rest_api_plugin] state_dir"
        )

    @contextmanager
    def alone(self) -> Iterator[int]:
        """Deal with the file alone, and answer with what was found out in any case."""
        try:
            with self.versions.locked(self.order.limits.seconds + PATIENCE_SECONDS) as lock:
                yield lock
                self.said["versions"] = [version.shown() for version in self.versions.versions]
        except OSError as error:
            raise self.unwritable(error) from error
        finally:
            if self.said:
                with suppress(OSError):  # what went wrong is said already
                    (self.folder / ANSWER).write_text(json.dumps(self.said), "utf-8")

    def check(self, content: bytes, lock: int) -> Found:
        """See that a content is good enough to go live.

        :raises BadArguments: when its form is not, or it cannot be compiled
        :raises CommandFailed: when Airflow cannot import it
        """
        limits = self.order.limits
        too_large = BadArguments(
            f"'dag_file': {self.name} is over {limits.file_bytes} bytes ([rest_api_plugin] max_dag_bytes)"
        )
        if len(content) > limits.file_bytes:
            raise too_large
        modules = package.check(content, limits) if self.name.packed else {"": content}
        stage = self.folder / STAGE
        found = check(self.place, content, modules, stage, limits.seconds, self.order.bundle, lock)
        self.said.update(dag_ids=found.dag_ids, import_errors=found.import_errors)
        error = found.error(f"Airflow cannot import {self.name}, and {UNCHANGED}")
        if error is not None:
            raise error
        return found

    def publish(self, content: bytes, current: bytes | None, found: Found, replace: bool) -> datetime:
        """Give a content its place.

        :param current: what is there; None when nothing is
        :param replace: it may be replaced
        :returns: when that was
        :raises Conflict: when the place, or a DAG's id, is another one's
        """
        with self.versions.publishing():
            if not self.order.force:
                self.refuse_taken(found.dag_ids)
            if current is not None and current != content:
                self.versions.keep(current)
            moment = datetime.now(timezone.utc)
            self.place.put(content, replace)
            self.versions.note(True, found.dag_ids)
        return moment

    def refuse_taken(self, dag_ids: list[str]) -> None:
        """Refuse DAGs that another file brings already.

        :raises Conflict: naming one
        """
        taken = self.versions.others(dag_ids)
        for dag_id, row in installed().known_dags(dag_ids).items():
            elsewhere = row.bundle not in ("", self.order.bundle)  # whose files may be on another machine
            there = elsewhere or Path(row.package).is_file()
            if row.active and there and not self.place.holds(row.package):
                taken.setdefault(dag_id, row.path)
        if taken:
            dag_id, path = min(taken.items())
            raise Conflict(f"DAG {dag_id} is in {path} already; give force to have it in {self.name} as well")

    def after(self, found: Found, moment: datetime) -> list[str]:
        """Do what is wished once the file is in place; what to say of it.

        :param moment: when that was
        :raises CommandFailed: when Airflow cannot import it there, or has not in time
        """
        order, said = self.order, []
        state = "pause" if order.pause else "unpause" if order.unpause else ""
        if state:
            found = self.switch(state == "pause", found)
            said.append(f"{state}d: {', '.join(found.dag_ids) or 'it has no DAGs'}")
        elif found.dag_ids:
            said.append(f"DAGs: {', '.join(found.dag_ids)}")
        if order.wait and found.dag_ids:
            Wait(self.place, order.bundle, found, moment)(order.wait)
            said.append("parsed by Airflow")
        elif order.wait and not state:
            said.append("it has no DAGs to wait for")
        return said

    def switch(self, pause: bool, found: Found) -> Found:
        """Parse the file into Airflow's database, and pause or unpause its DAGs.

        :raises CommandFailed: when Airflow cannot import it
        """
        path, bundle = str(self.place.path), self.order.bundle

        def parse() -> Any:
            dag_ids, import_errors = installed().parse_file(path, bundle)
            return {"dag_ids": dag_ids, "import_errors": import_errors}

        given = apart(parse, self.order.limits.seconds, f"{self.name} is in place, but")
        there = Found(
            {dag_id: found.hashes.get(dag_id, "") for dag_id in given["dag_ids"]}, given["import_errors"]
        )
        error = there.error(f"{self.name} is in place, but Airflow cannot import it")
        if error is not None:
            raise error
        from airflow.models.dag import DagModel
        from airflow.utils.session import create_session

        with create_session() as session:
            for dag in session.query(DagModel).filter(DagModel.dag_id.in_(there.dag_ids)):
                dag.is_paused = pause
        return there


def deploy(order: Order) -> str:
    """Put a file that was sent into the DAGs folder.

    :returns: what to say of it
    :raises ApiError: saying why not
    """
    work = Work(order)
    with work.alone() as lock:
        current = work.place.read(order.limits.file_bytes)
        if current is not None and not order.force:
            raise Conflict(f"{work.name} is in the DAGs folder already; give force to replace it")
        content = Path(order.upload).read_bytes()
        found = work.check(content, lock)
        moment = work.publish(content, current, found, order.force)
    return "; ".join([f"DAG File [{work.name}] has been uploaded", *work.after(found, moment)])


def undeploy(order: Order) -> str:
    """Take a file away, and keep it as a version.

    :returns: what to say of it
    :raises NotFound: when it is not there
    :raises Conflict: when somebody else has put it there, without ``force``
    """
    work = Work(order)
    with work.alone():
        current = work.place.read(order.limits.file_bytes)
        if current is None:
            raise NotFound(f"{work.name} is not in the DAGs folder")
        if not (work.versions.ours or order.force):
            raise Conflict(f"{work.name} was not put there by deploy_dag; give force to take it away")
        work.said["dag_ids"] = work.versions.record.get("dag_ids", [])
        work.versions.keep(current)
        work.place.remove()
        work.versions.note(False, work.said["dag_ids"])
    kept = work.versions.versions[-1].number
    return f"DAG File [{work.name}] has been taken away, and is kept as version {kept}"


def rollback(order: Order) -> str:
    """Put a former version of a file back; what is there is kept as a version itself.

    :returns: what to say of it
    :raises NotFound: when none is kept
    :raises ApiError: saying why it cannot go live again
    """
    work = Work(order)
    with work.alone() as lock:
        current = work.place.read(order.limits.file_bytes)
        version, content = work.versions.former(current, order.version)
        found = work.check(content, lock)
        moment = work.publish(content, current, found, replace=True)
        work.said["version"] = version.number
    back = f"DAG File [{work.name}] is back as version {version.number} has it"
    return "; ".join([back, *work.after(found, moment)])
