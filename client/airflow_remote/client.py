"""The Python API: run a command on a remote Airflow, and get what it printed.

::

    from airflow_remote.client import Client

    client = Client("https://airflow.example.com", token="...")
    run = client.run("trigger_dag", dag_id="hello_remote", conf={"name": "you"})
    print(run.dag_run_id)
    client.run("deploy_dag", dag_file=Path("my_dag.py"), force=True)
    client.run("dags trigger", dag_id="hello_remote", conf={"name": "you"})
    job = client.submit("backfill", dag_id="hello_remote", start_date="2026-01-01")
    print(job.wait().stdout)
"""

from __future__ import annotations

import re
from contextlib import ExitStack
from typing import TYPE_CHECKING, Callable

from airflow_remote.access import Access
from airflow_remote.address import DEFAULT_URL
from airflow_remote.body import encode
from airflow_remote.errors import AnsweredError, UnsupportedError, UnusableError
from airflow_remote.jobs import Job
from airflow_remote.progress import silent
from airflow_remote.resources import Resources, checked_id
from airflow_remote.result import Result
from airflow_remote.running import Running, Wishes
from airflow_remote.transport import DEFAULT_TIMEOUT, Request, Transport

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from airflow_remote.body import Value
    from airflow_remote.catalogue import Catalogue
    from airflow_remote.files import Export
    from airflow_remote.progress import Progress
    from airflow_remote.remote_files import RemoteFile
    from airflow_remote.transcript import OnOutput

__all__ = ["Client", "Job", "Result"]

NAME = re.compile(r"[A-Za-z0-9_-]{1,100}( [A-Za-z0-9_-]{1,100}){0,4}")


class Client:
    """A remote Airflow.

    :param url: the webserver, as ``https://host:8080`` or with the path of its ``base_url``
    :param token: the API's token; None or "" to send none
    :param timeout: seconds to wait for a sign of the server; a command may run longer
    :param say: gets a line for the user when a connection was lost and something is tried again
    :param progress: sees the blocks of files that are sent and fetched
    :param heard: gets the ETag of the server's catalogue of commands, from every answer that names it
    :raises UnusableError: when one of them cannot be used
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        token: str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        say: Callable[[str], None] = lambda line: None,
        progress: Progress = silent,
        heard: Callable[[str], None] = lambda etag: None,
    ) -> None:
        self._transport = Transport(url, token, timeout, heard)
        self._say = say
        self._progress = progress

    def __repr__(self) -> str:
        """Without the token."""
        return f"{type(self).__name__}({self._transport.base!r})"

    def run(
        self,
        name: str,
        arguments: Mapping[str, Value] | None = None,
        /,
        *,
        wait: bool = True,
        on_output: OnOutput | None = None,
        on_start: Callable[[Job], None] | None = None,
        live: bool | None = None,
        **more: Value,
    ) -> Result:
        """Run a command, and wait for its end, however long that takes; a service's start is its end.

        When the connection is lost it is tried again, some times. Nothing is run twice by that.

        :param name: a live command, as ``dags trigger``; or a classic one, as ``trigger_dag``
        :param arguments: by name, as ``dag_id``; what is None is not sent, and a file to send is a ``Path``.
            A file that a live command writes has a name only: see ``Result.files`` and ``Job.download``
        :param wait: False to have the answer at once: ``Result.job`` is what goes on on the server
        :param on_output: gets the name of a stream, ``stdout`` or ``stderr``, and a text, for all that the
            command prints, as it comes
        :param on_start: gets the command's job as soon as it is known, if that is before its end
        :param live: for a name that both have, as ``version``; None means the classic one there
        :param more: further arguments
        :raises CommandFailedError: when the command ran and failed
        :raises AnsweredError: when the server answers that it did not run it; the subclass says why
        :raises UnreachableError: when there is no connection
        :raises LostError: when there is no answer; the message says whether it may have been run, or goes on
        :raises NotTheApiError: when something else answers at this URL
        :raises UnusableError: when a name or value cannot be sent
        :raises LocalFileError: when a file to send cannot be read
        """
        if not NAME.fullmatch(name):
            raise UnusableError(f"{name[:80]!r} is not a command's name")

        def started(job: Mapping[str, Any]) -> None:
            if on_start is not None:
                on_start(self._job(job))

        wishes = Wishes(wait, on_output, started if on_start is not None else None)
        with ExitStack() as stack:
            body, content_type = encode({**(arguments or {}), **more}, stack, self._progress)
            connection = stack.enter_context(self._transport.connect())
            request = Request("POST", _path(name, live), body=body, content_type=content_type)
            return Running(connection, wishes, self._say)(request)

    def submit(self, name: str, arguments: Mapping[str, Value] | None = None, /, **more: Value) -> Job:
        """Have a command run, and do not wait for its end.

        :param name: and the further parameters as for ``run``
        :returns: its job, whatever has become of it already
        :raises UnsupportedError: when the server has answered without making a job of it
        :raises RemoteError: as ``run``
        """
        try:
            result = self.run(name, {**(arguments or {}), **more}, wait=False)
        except AnsweredError as error:
            if error.result.job is None:
                raise
            result = error.result
        if result.job is None:
            raise UnsupportedError(f"the server makes no job of {name}, and has answered it", result)
        return self._job(result.job)

    def commands(self) -> Catalogue:
        """All commands of the server's Airflow, as it describes them now.

        :raises UnsupportedError: when the server is older than such descriptions
        :raises RemoteError: as ``run``
        """
        from airflow_remote.known import fetch

        answer = fetch(self._transport, "", self._transport.timeout)
        assert answer is not None  # noqa: S101 (for the type checker: nothing was there that could still be right)
        return answer[2]

    def job_of(self, result: Result) -> Job | None:
        """The job of a result; None when it has none."""
        return None if result.job is None else self._job(result.job)

    def fetch(self, result: Result, file: RemoteFile, export: Export) -> None:
        """Fetch a file that a command has written; ``Job.download`` is more convenient.

        :param result: the command's
        :param file: one of ``result.files``
        :param export: gets its content
        :raises RemoteError: when it does not come
        """
        job = self.job_of(result)
        if job is None:
            raise UnusableError("the result has no job, and so no files")
        job.fetch(file, export)

    def job(self, job_id: str) -> Job:
        """A job by its id.

        :raises UnusableError: when that is none
        :raises RemoteError: as ``Job.refresh``
        """
        return self._job({"id": checked_id(job_id)}).refresh()

    def jobs(self, *, state: Iterable[str] = (), command: str | None = None, limit: int = 50) -> list[Job]:
        """Jobs, newest first.

        :param state: in one of these states; in any when there are none
        :param command: whose name or command line is or begins with this; ``*`` stands for any text
        :param limit: at most so many
        :raises ArgumentsError: for a state that there is not; and what ``Job.refresh`` raises
        """
        found: list[Job] = []
        query = {"state": ",".join(state), "command": command}
        conditions = {name: text for name, text in query.items() if text}
        before: dict[str, str] = {}
        with self._transport.connect() as connection:
            resources = Resources(connection)
            while len(found) < limit:
                left = str(limit - len(found))
                page, following = resources.list({**conditions, **before, "limit": left})
                found += [self._job(job) for job in page]
                if following is None or {"before": following} == before:
                    break
                before = {"before": following}
        return found[: max(0, limit)]

    def whoami(self, can: str | None = None) -> Mapping[str, Any]:
        """Who the token is, and what it may do.

        :param can: a command, perhaps with a DAG, as ``dags trigger my_dag``: the answer's ``can`` says
            whether it may be run
        :raises RemoteError: as ``run``
        """
        with self._transport.connect() as connection:
            return Access(connection).whoami(can)

    def audit(self, *, limit: int = 50, **conditions: str | None) -> list[Mapping[str, Any]]:
        """What was asked for on the server, newest first; for an admin without restrictions.

        :param limit: at most so many entries
        :param conditions: ``principal``, ``peer``, ``result``, ``layer``, ``job``, ``command``; None for any
        :raises RemoteError: as ``run``
        """
        found: list[Mapping[str, Any]] = []
        query = {name: text for name, text in conditions.items() if text}
        with self._transport.connect() as connection:
            access = Access(connection)
            while len(found) < limit:
                page, following = access.audit({**query, "limit": str(limit - len(found))})
                found += page
                if following is None or query.get("before") == following:
                    break
                query["before"] = following
        return found[: max(0, limit)]

    def _job(self, document: Mapping[str, Any]) -> Job:
        return Job(self._transport, document, self._say, self._progress)


def _path(name: str, live: bool | None) -> str:
    """Where a command is.

    :param live: whether it is a live one; None when the name says so
    """
    if live is None and " " not in name:
        from airflow_remote.commands import find

        live = find(name) is None
    return f"/api/v1.0/commands/{name.replace(' ', '/')}" if live or " " in name else f"/api/v1.0/{name}"
