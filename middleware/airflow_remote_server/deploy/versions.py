"""Keep the earlier contents of DAG files, in the state directory, private to the webserver's user.

::

    dags/publish.lock       locked while a file is being published
    dags/KEY/lock           locked during a deployment of one file; KEY is a hash of its path
    dags/KEY/record.json    path, dag_ids, whether it is deployed, and the versions, oldest first
    dags/KEY/000001         a version's content
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_remote_server.errors import CommandFailed, Conflict, NotFound
from airflow_remote_server.util import locks
from airflow_remote_server.util.atomic_files import write_atomically
from airflow_remote_server.util.private_dirs import make_private_dir

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_remote_server.deploy.target_file import TargetFile

RECORD, LOCK, PUBLISH = "record.json", "lock", "publish.lock"
PUBLISH_SECONDS = 60.0
"""How long to wait until other files are published."""


@dataclass(frozen=True)
class Version:
    """An earlier content of a file.

    :param number: increases by 1, per file
    :param sha256: the SHA-256 of the content, in hex
    :param size: bytes
    :param kept: when it was replaced or removed, in seconds since the epoch
    """

    number: int
    sha256: str
    size: int
    kept: float

    def document(self) -> dict[str, Any]:
        """Return the version as JSON for a response."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.kept))
        return {"version": self.number, "kept": moment, "bytes": self.size, "sha256": self.sha256}


class Versions:
    """The versions of one file.

    :param state: the state directory
    :param target: the file in the DAGs folder
    :param keep: number of versions to keep
    :raises OSError: if their directory cannot be created
    """

    def __init__(self, state: Path, target: TargetFile, keep: int) -> None:
        self.target = target
        self.max_versions = keep
        self.root = make_private_dir(state / "dags")
        self.folder = make_private_dir(self.root / key_of(target))

    @contextmanager
    def locked(self, seconds: float) -> Iterator[int]:
        """Lock the file against other deployments.

        :param seconds: how long to wait for them
        :returns: the lock's descriptor, which a fork must close
        :raises Conflict: if they take longer
        """
        descriptor = locks.acquire(self.folder / LOCK, seconds)
        if descriptor is None:
            raise Conflict(f"another request is deploying {self.target.name}: try again when it has finished")
        try:
            yield descriptor
        finally:
            locks.release(descriptor)

    @contextmanager
    def publishing(self) -> Iterator[None]:
        """Lock the publication of all files, so that two files cannot define the same DAG.

        :raises Conflict: if another publication takes too long
        """
        descriptor = locks.acquire(self.root / PUBLISH, PUBLISH_SECONDS)
        if descriptor is None:
            raise Conflict("other files are being deployed: try again when they have finished")
        try:
            yield
        finally:
            locks.release(descriptor)

    @property
    def record(self) -> dict[str, Any]:
        """Return the file's record; an empty one if there is none."""
        return read_record(self.folder / RECORD)

    @property
    def versions(self) -> list[Version]:
        """Return the versions, oldest first."""
        return [Version(**fields) for fields in self.record.get("versions", [])]

    @property
    def deployed(self) -> bool:
        """Return whether the file was deployed by this API."""
        return bool(self.record.get("deployed"))

    def keep(self, content: bytes) -> None:
        """Keep a content that is about to be replaced, unless it equals the latest version.

        :raises OSError: if it cannot be written
        """
        versions = self.versions
        digest = hashlib.sha256(content).hexdigest()
        if versions and versions[-1].sha256 == digest:
            return
        number = versions[-1].number + 1 if versions else 1
        write_atomically(self.folder / f"{number:06}", content, sync=True)
        versions.append(Version(number, digest, len(content), time.time()))
        self._update(versions=[vars(version) for version in versions[-self.max_versions :]])
        for version in versions[: -self.max_versions]:
            (self.folder / f"{version.number:06}").unlink(missing_ok=True)

    def note(self, deployed: bool, dag_ids: list[str]) -> None:
        """Record that the file is deployed, or no longer is.

        :param deployed: whether it is
        :param dag_ids: the DAGs in it
        :raises OSError: if it cannot be written
        """
        self._update(deployed=deployed, dag_ids=dag_ids)

    def find(self, current: bytes | None, number: int | None) -> tuple[Version, bytes]:
        """Return the version to roll back to, and its content.

        :param current: the file's content; None if there is no file
        :param number: number of the version; None for the latest that differs from the current content
        :raises NotFound: if there is no such version
        :raises CommandFailed: if its content is damaged
        """
        digest = None if current is None else hashlib.sha256(current).hexdigest()
        versions = self.versions
        candidates = [
            version
            for version in versions
            if version.number == number or (number is None and version.sha256 != digest)
        ]
        if not candidates:
            numbers = ", ".join(str(version.number) for version in versions)
            missing = "no earlier version" if number is None else f"no version {number}"
            hint = f"; available: {numbers}" if numbers else ""
            raise NotFound(f"{missing} of {self.target.name} is kept{hint}")
        version = candidates[-1]
        try:
            content = (self.folder / f"{version.number:06}").read_bytes()
        except OSError:
            content = b""
        if hashlib.sha256(content).hexdigest() != version.sha256:
            raise CommandFailed(f"version {version.number} of {self.target.name} is damaged: use another one")
        return version, content

    def paths_of_other_files(self, dag_ids: list[str]) -> dict[str, str]:
        """Return other deployed files that define some DAGs. Airflow may not have parsed them yet.

        :param dag_ids: the DAGs
        :returns: DAG id to path
        """
        paths: dict[str, str] = {}
        for path in self.root.glob(f"*/{RECORD}"):
            record = read_record(path)
            if path.parent == self.folder or not record.get("deployed"):
                continue
            if Path(record.get("path", "")).is_file():
                paths.update(dict.fromkeys({*dag_ids}.intersection(record["dag_ids"]), record["path"]))
        return paths

    def _update(self, **changes: Any) -> None:
        record = {"dag_ids": [], "versions": [], **self.record, "path": str(self.target.path), **changes}
        write_atomically(self.folder / RECORD, json.dumps(record), sync=True)


def key_of(target: TargetFile) -> str:
    """Return the name of a file's directory: a hash, so that its length and characters are always valid."""
    path = f"{target.root.resolve()}\0{target.name}"
    return hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()[:40]


def read_record(path: Path) -> dict[str, Any]:
    """Return a record; an empty one if there is none."""
    with contextlib.suppress(OSError, ValueError):
        record = json.loads(path.read_text("utf-8"))
        if isinstance(record, dict):
            return record
    return {}
