"""What is kept of DAG files: the content that each had before, and what was found in it. Private to the
webserver's user, in the state directory::

    dags/publish.lock       held for the moment in which a file takes its place
    dags/KEY/lock           held while one file is dealt with; KEY is made from its path
    dags/KEY/record.json    path, dag_ids, whether we have put it there, and the versions, oldest first
    dags/KEY/000001         a version's content
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_remote_server.errors import CommandFailed, Conflict, NotFound
from airflow_remote_server.runner import locks
from airflow_remote_server.runner.private import private

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_remote_server.dags.place import Place

RECORD, LOCK, PUBLISH = "record.json", "lock", "publish.lock"
PUBLISH_SECONDS = 60.0
"""How long one waits for another to have put its file in place."""


@dataclass(frozen=True)
class Version:
    """A former content of a file.

    :param number: counts up, per file
    :param sha256: of the content, in hex
    :param size: bytes
    :param kept: when it was replaced or taken away, seconds since the epoch
    """

    number: int
    sha256: str
    size: int
    kept: float

    def shown(self) -> dict[str, Any]:
        """The version as an answer has it."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.kept))
        return {"version": self.number, "kept": moment, "bytes": self.size, "sha256": self.sha256}


class Versions:
    """The versions of one file.

    :param state: our state directory
    :param place: of the file
    :param most: how many are kept
    :raises OSError: when the folder cannot be made
    """

    def __init__(self, state: Path, place: Place, most: int) -> None:
        self.place = place
        self.most = most
        self.all = private(state / "dags")
        self.folder = private(self.all / key(place))

    @contextmanager
    def locked(self, seconds: float) -> Iterator[int]:
        """Deal with the file alone.

        :param seconds: to wait for others
        :returns: the lock's descriptor, for a fork to close
        :raises Conflict: when they take longer
        """
        descriptor = locks.take(self.folder / LOCK, seconds)
        if descriptor is None:
            raise Conflict(f"another request is dealing with {self.place.name}: try again when it is done")
        try:
            yield descriptor
        finally:
            locks.let_go(descriptor)

    @contextmanager
    def publishing(self) -> Iterator[None]:
        """Be the only one that gives a file its place, so that no two files bring the same DAG.

        :raises Conflict: when another one takes too long
        """
        descriptor = locks.take(self.all / PUBLISH, PUBLISH_SECONDS)
        if descriptor is None:
            raise Conflict("other files are being deployed: try again when they are done")
        try:
            yield
        finally:
            locks.let_go(descriptor)

    @property
    def record(self) -> dict[str, Any]:
        """What is known of the file."""
        return read(self.folder / RECORD)

    @property
    def versions(self) -> list[Version]:
        """The versions, oldest first."""
        return [Version(**found) for found in self.record.get("versions", [])]

    @property
    def ours(self) -> bool:
        """Whether the file is in place because it was deployed."""
        return bool(self.record.get("deployed"))

    def keep(self, content: bytes) -> None:
        """Keep a content that is about to be replaced, unless the newest version is the same.

        :raises OSError: when it cannot be written
        """
        versions = self.versions
        digest = hashlib.sha256(content).hexdigest()
        if versions and versions[-1].sha256 == digest:
            return
        number = versions[-1].number + 1 if versions else 1
        write(self.folder / f"{number:06}", content)
        versions.append(Version(number, digest, len(content), time.time()))
        self._note(versions=[vars(version) for version in versions[-self.most :]])
        for version in versions[: -self.most]:
            (self.folder / f"{version.number:06}").unlink(missing_ok=True)

    def note(self, deployed: bool, dag_ids: list[str]) -> None:
        """Note what is in place.

        :param deployed: whether the file is there
        :param dag_ids: of the DAGs in it
        :raises OSError: when it cannot be written
        """
        self._note(deployed=deployed, dag_ids=dag_ids)

    def former(self, current: bytes | None, number: int | None) -> tuple[Version, bytes]:
        """The version to go back to.

        :param current: the file's content; None when it is not there
        :param number: of the version that is asked for; None for the newest that differs from what is there
        :raises NotFound: when there is none
        :raises CommandFailed: when it is not what was kept
        """
        digest = None if current is None else hashlib.sha256(current).hexdigest()
        versions = self.versions
        found = [
            version
            for version in versions
            if version.number == number or (number is None and version.sha256 != digest)
        ]
        if not found:
            kept = ", ".join(str(version.number) for version in versions)
            what = "no former version" if number is None else f"no version {number}"
            raise NotFound(f"{what} of {self.place.name} is kept" + (f"; there are {kept}" if kept else ""))
        version = found[-1]
        try:
            content = (self.folder / f"{version.number:06}").read_bytes()
        except OSError:
            content = b""
        if hashlib.sha256(content).hexdigest() != version.sha256:
            raise CommandFailed(
                f"version {version.number} of {self.place.name} is damaged: choose another one"
            )
        return version, content

    def others(self, dag_ids: list[str]) -> dict[str, str]:
        """Which of some DAGs other files bring that were deployed, and that Airflow may not have seen yet.

        :returns: DAG id to path
        """
        found: dict[str, str] = {}
        for path in self.all.glob(f"*/{RECORD}"):
            record = read(path)
            if path.parent == self.folder or not record.get("deployed"):
                continue
            if Path(record.get("path", "")).is_file():
                found.update(dict.fromkeys({*dag_ids}.intersection(record["dag_ids"]), record["path"]))
        return found

    def _note(self, **changes: Any) -> None:
        record = {"dag_ids": [], "versions": [], **self.record, "path": str(self.place.path), **changes}
        write(self.folder / RECORD, json.dumps(record).encode())


def key(place: Place) -> str:
    """The name of a file's folder: of fixed length, and without its characters."""
    path = f"{place.root.resolve()}\0{place.name}"
    return hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()[:40]


def read(path: Path) -> dict[str, Any]:
    """A record; an empty one when there is none."""
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(path.read_text("utf-8"))
        if isinstance(found, dict):
            return found
    return {}


def write(path: Path, content: bytes) -> None:
    """Write a private file, whole or not at all.

    :raises OSError: when it cannot be written
    """
    partial = path.with_name(f".{path.name}{os.getpid()}.partial")
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
