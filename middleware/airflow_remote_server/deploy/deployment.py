"""The steps of a deployment: check a content, publish it, and bring it into Airflow's database."""

from __future__ import annotations

import json
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_remote_server.deploy import package
from airflow_remote_server.deploy.checking import UNCHANGED, CheckResult, check
from airflow_remote_server.deploy.names import DagFileName, validate_name
from airflow_remote_server.deploy.parse_now import parse_now
from airflow_remote_server.deploy.parse_wait import ParseWait
from airflow_remote_server.deploy.requests import ANSWER
from airflow_remote_server.deploy.target_file import TargetFile
from airflow_remote_server.deploy.versions import Versions
from airflow_remote_server.errors import BadArguments, Conflict, Unavailable
from airflow_remote_server.execution.spool import STAGE
from airflow_remote_server.integrations.installed import installed_integration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_remote_server.deploy.models import DeployRequest

LOCK_SECONDS = 30.0
"""How long to wait for other deployments of the file, beyond the time that an import of it may take."""


class Deployment:
    """One request, in the process of its job, whose working directory is the job's spool.

    :param request: the request
    :raises Unavailable: if the state directory is not writable
    """

    def __init__(self, request: DeployRequest) -> None:
        self.request = request
        self.name: DagFileName = validate_name(request.filename, request.folder)
        self.target = TargetFile(Path(request.root), self.name)
        self.answer: dict[str, Any] = {}
        """Fields for the response."""
        self.spool_dir = Path.cwd()
        with self._reporting_unwritable():
            self.versions = Versions(Path(request.state), self.target, request.limits.versions)

    @contextmanager
    def exclusive(self) -> Iterator[int]:
        """Lock the file against other deployments; at the end, write the answer, also after an error.

        :returns: the descriptor of the lock
        :raises Conflict: if another deployment takes too long
        :raises Unavailable: if the state directory is not writable
        """
        try:
            seconds = self.request.limits.seconds + LOCK_SECONDS
            with self._reporting_unwritable(), self.versions.locked(seconds) as lock:
                yield lock
                self.answer["versions"] = [version.document() for version in self.versions.versions]
        finally:
            if self.answer:
                with suppress(OSError):  # must not hide the error of the deployment
                    (self.spool_dir / ANSWER).write_text(json.dumps(self.answer), "utf-8")

    @contextmanager
    def _reporting_unwritable(self) -> Iterator[None]:
        """Turn an OSError into an error that tells the user what to do about it."""
        try:
            yield
        except OSError as error:
            raise Unavailable(
                f"cannot write to {self.request.state} ({error.strerror}): free some space, "
                "make it writable, or set [rest_api_plugin] state_dir"
            ) from error

    def check(self, content: bytes, lock: int) -> CheckResult:
        """Check that Airflow can import a content.

        :param content: the content of the file
        :param lock: the descriptor of the lock
        :raises BadArguments: if it is too large, not a valid package, or does not compile
        :raises CommandFailed: if Airflow cannot import it
        """
        limits = self.request.limits
        if len(content) > limits.file_bytes:
            raise BadArguments(
                f"'dag_file': {self.name} is over {limits.file_bytes} bytes ([rest_api_plugin] max_dag_bytes)"
            )
        modules = package.check(content, limits) if self.name.is_package else {"": content}
        stage = self.spool_dir / STAGE
        result = check(self.target, content, modules, stage, limits.seconds, self.request.bundle, lock)
        self.answer.update(dag_ids=result.dag_ids, import_errors=result.import_errors)
        error = result.error(f"Airflow cannot import {self.name}, and {UNCHANGED}")
        if error is not None:
            raise error
        return result

    def publish(self, content: bytes, current: bytes | None, checked: CheckResult, replace: bool) -> datetime:
        """Write a content to the DAGs folder, and keep the current content as a version.

        :param content: the new content
        :param current: the current content; None if there is no file
        :param checked: the DAGs in the new content
        :param replace: replace an existing file
        :returns: when it was published
        :raises Conflict: if the file exists, or another file defines one of the DAGs
        """
        with self.versions.publishing():
            if not self.request.force:
                self._refuse_duplicates(checked.dag_ids)
            if current is not None and current != content:
                self.versions.keep(current)
            published = datetime.now(timezone.utc)
            self.target.put(content, replace)
            self.versions.note(True, checked.dag_ids)
        return published

    def _refuse_duplicates(self, dag_ids: list[str]) -> None:
        """Reject DAGs that another file defines.

        :raises Conflict: naming one of them
        """
        paths = self.versions.paths_of_other_files(dag_ids)
        for dag_id, record in installed_integration().known_dags(dag_ids).items():
            other_bundle = record.bundle not in (
                "",
                self.request.bundle,
            )
            # The files of another bundle may be on another machine.
            exists = other_bundle or Path(record.package).is_file()
            if record.active and exists and not self.target.is_at(record.package):
                paths.setdefault(dag_id, record.path)
        if paths:
            dag_id, path = min(paths.items())
            raise Conflict(
                f"DAG {dag_id} already exists in {path}; use force to define it in {self.name} as well"
            )

    def activate(self, checked: CheckResult, published: datetime) -> list[str]:
        """Pause or unpause the DAGs, and wait for Airflow, as requested.

        :param checked: the DAGs in the file
        :param published: when the file was published
        :returns: what was done, for the user
        :raises CommandFailed: if Airflow cannot import the file, or does not parse it in time
        """
        request, notes = self.request, []
        if request.pause or request.unpause:
            checked = self._set_paused(request.pause, checked)
            verb = "paused" if request.pause else "unpaused"
            notes.append(f"{verb}: {', '.join(checked.dag_ids) or 'it has no DAGs'}")
        elif checked.dag_ids:
            notes.append(f"DAGs: {', '.join(checked.dag_ids)}")
        if request.wait and checked.dag_ids:
            wait = ParseWait(self.target, request.bundle, checked, published, request.limits.seconds)
            wait.run(request.wait)
            notes.append("parsed by Airflow")
        elif request.wait and not (request.pause or request.unpause):
            notes.append("it has no DAGs to wait for")
        return notes

    def warning_for(self, checked: CheckResult) -> str:
        """Return a warning if a published file defines no DAG, otherwise ""."""
        if checked.dag_ids:
            return ""
        return (
            f"no DAG was found in {self.name}; Airflow skips a file that does not contain both 'dag' and "
            "'airflow' ([core] dag_discovery_safe_mode)"
        )

    def _set_paused(self, paused: bool, checked: CheckResult) -> CheckResult:
        """Parse the published file into Airflow's database, then pause or unpause its DAGs.

        :param paused: whether to pause them
        :param checked: the DAGs in the file
        :returns: the DAGs that were parsed
        :raises CommandFailed: if Airflow cannot import the file
        """
        request, subject = self.request, f"{self.name} is in place, but"
        dag_ids, import_errors = parse_now(
            str(self.target.path), request.bundle, request.limits.seconds, subject
        )
        parsed = CheckResult({dag_id: checked.hashes.get(dag_id, "") for dag_id in dag_ids}, import_errors)
        error = parsed.error(f"{subject} Airflow cannot import it")
        if error is not None:
            raise error
        installed_integration().set_paused(parsed.dag_ids, paused)
        return parsed
