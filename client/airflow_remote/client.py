"""The Python API: run a command on a remote Airflow, and get its output.

::

    from airflow_remote.client import Client

    client = Client("https://airflow.example.com", token="...")
    run = client.run("dags trigger", dag_id="hello_remote", conf={"name": "you"})
    client.run("deploy_dag", dag_file=Path("my_dag.py"), force=True)
    job = client.submit("backfill", dag_id="hello_remote", start_date="2026-01-01")
    print(job.wait().stdout)
    print(client.dag_run("hello_remote", run.dag_run_id).wait().state)
"""

from __future__ import annotations

import re
from contextlib import ExitStack
from typing import TYPE_CHECKING, Callable

from airflow_remote.api.access import AccessApi
from airflow_remote.api.batch import Batch, batch_request
from airflow_remote.api.dag_run import DagRun
from airflow_remote.api.job import Job
from airflow_remote.api.jobs import JobsApi, validate_job_id
from airflow_remote.api.pages import iter_pages
from airflow_remote.api.run import CommandRun, RunOptions
from airflow_remote.api.runs_client import RunsClient
from airflow_remote.catalog.fetching import fetch_catalog
from airflow_remote.catalog.paths import command_path
from airflow_remote.errors import AnsweredError, UnsupportedError, UnusableError
from airflow_remote.http.connection import Request, open_connection
from airflow_remote.http.multipart import encode_arguments
from airflow_remote.http.session import DEFAULT_TIMEOUT, Session
from airflow_remote.http.url import DEFAULT_URL
from airflow_remote.local_files import no_progress
from airflow_remote.models import Result

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    from airflow_remote.api.transcript import OnOutput
    from airflow_remote.catalog.models import Catalog
    from airflow_remote.http.multipart import Value
    from airflow_remote.local_files import LocalTarget, Progress
    from airflow_remote.models import RemoteFile

__all__ = ["Client", "DagRun", "Job", "Result"]

COMMAND_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}( [A-Za-z0-9_-]{1,100}){0,4}")


class Client(RunsClient):
    """A remote Airflow server.

    :param url: URL of the webserver, such as ``https://host:8080`` or with the path of its ``base_url``;
        or any URL of the API or its page
    :param token: the API token; None or "" to send none
    :param timeout: read timeout in seconds; does not limit the command
    :param notify: is called with a line for the user before a retry
    :param progress: reports the progress of uploads and downloads
    :param on_catalog_etag: is called with the ETag of the server's catalog from every response that has one
    :param cacert: file of CA certificates in PEM format; None for the first of ``CURL_CA_BUNDLE``,
        ``REQUESTS_CA_BUNDLE``, ``SSL_CERT_FILE`` and ``SSL_CERT_DIR``, or else those that come with requests
    :raises UnusableError: if one of them is invalid
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        token: str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        notify: Callable[[str], None] = lambda line: None,
        progress: Progress = no_progress,
        on_catalog_etag: Callable[[str], None] = lambda etag: None,
        cacert: str | None = None,
    ) -> None:
        self._session = Session(url, token, timeout, on_catalog_etag, cacert)
        self._notify = notify
        self._progress = progress

    def __repr__(self) -> str:
        """Show the URL but not the token."""
        return f"{type(self).__name__}({self._session.base!r})"

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
        """Run a command and wait for it to end, however long it takes; a service ends when it has started.

        If the connection is lost, the request is retried a few times. Nothing runs twice.

        :param name: a live command, such as ``dags trigger``, or a classic one, such as ``trigger_dag``
        :param arguments: values by name, such as ``dag_id``; None is not sent. A file to send is a ``Path``.
            For a file that a live command writes, pass a name: see ``Result.files`` and ``Job.download``
        :param wait: False to return at once: ``Result.job`` is the job that continues on the server
        :param on_output: is called with a stream name, ``stdout`` or ``stderr``, and a text for each piece of
            output
        :param on_start: is called with the command's job if it is known before the command ends
        :param live: True to choose the live command if a classic one has the same name, such as ``version``
        :param more: more arguments
        :raises CommandFailedError: if the command ran and failed
        :raises AnsweredError: if the server did not run the command; the subclass says why
        :raises UnreachableError: if there is no connection
        :raises LostError: if there is no response; the message says if the command may have run
        :raises NotTheApiError: if something else responds at this URL
        :raises UnusableError: if a name or value cannot be sent
        :raises LocalFileError: if a file to send cannot be read
        """
        if not COMMAND_NAME.fullmatch(name):
            raise UnusableError(f"{name[:80]!r} is not a valid command name")

        def report_start(job: Mapping[str, Any]) -> None:
            if on_start is not None:
                on_start(self._job(job))

        options = RunOptions(wait, on_output, report_start if on_start is not None else None)
        with ExitStack() as stack:
            body, content_type = encode_arguments({**(arguments or {}), **more}, stack, self._progress)
            connection = stack.enter_context(open_connection(self._session))
            request = Request("POST", command_path(name, live), body=body, content_type=content_type)
            return CommandRun(connection, options, self._notify).execute(request)

    def submit(self, name: str, arguments: Mapping[str, Value] | None = None, /, **more: Value) -> Job:
        """Start a command without waiting for it to end.

        :param name: this and the other parameters are those of ``run``
        :returns: its job, which may have ended already
        :raises UnsupportedError: if the server responded without creating a job
        :raises RemoteError: see ``run``
        """
        return self._started(name, lambda: self.run(name, {**(arguments or {}), **more}, wait=False))

    def batch(
        self,
        commands: Iterable[tuple[str, Mapping[str, Any]]],
        *,
        parallel: int = 1,
        stop_on_failure: bool = False,
        on_start: Callable[[Job], None] = lambda job: None,
        on_end: Callable[[Result], None] = lambda result: None,
    ) -> Iterator[Result]:
        """Run many commands as one job, and yield the result of each as it ends; nothing runs twice.

        None is run if one is invalid or not permitted. A failed command raises no error: see ``Result.ok``.

        :param commands: the name and the arguments of each, such as ``("dags pause", {"dag_id": "a"})``;
            ``Result.index`` is the place of a command among them
        :param parallel: how many of them may run at once; by default, one after the other
        :param stop_on_failure: whether no command begins after one has failed
        :param on_start: is called with the job of the batch
        :param on_end: is called with the result of the batch, whose ``result`` counts its commands
        :raises RemoteError: if no command was run, or the connection was lost for good: see ``run``
        """
        request = batch_request(commands, parallel, stop_on_failure)
        with open_connection(self._session) as connection:
            batch = Batch(connection, self._notify, lambda job: on_start(self._job(job)))
            yield from batch.execute(request)
            if batch.result is not None:
                on_end(batch.result)

    def submit_batch(
        self,
        commands: Iterable[tuple[str, Mapping[str, Any]]],
        *,
        parallel: int = 1,
        stop_on_failure: bool = False,
    ) -> Job:
        """Start a batch without waiting for it to end.

        :param commands: this and the other parameters are those of ``batch``, as are the errors
        :returns: its job
        """
        request = batch_request(commands, parallel, stop_on_failure)
        with open_connection(self._session) as connection:
            run = CommandRun(connection, RunOptions(wait=False), self._notify)
            return self._started("the batch", lambda: run.execute(request))

    def commands(self) -> Catalog:
        """Return all commands of the server's Airflow, fetched now.

        :raises OutdatedServerError: if the server is too old to list its commands
        :raises RemoteError: see ``run``
        """
        fetched = fetch_catalog(self._session, "", self._session.timeout)
        assert fetched is not None  # noqa: S101 (for the type checker: without an ETag there is no 304)
        return fetched.catalog

    def job_of(self, result: Result) -> Job | None:
        """Return the job of a result; None if it has none."""
        return None if result.job is None else self._job(result.job)

    def fetch(self, result: Result, file: RemoteFile, target: LocalTarget) -> None:
        """Download a file that a command wrote; ``Job.download`` is more convenient.

        :param result: the result of the command
        :param file: one of ``result.files``
        :param target: receives the content
        :raises RemoteError: if the download fails
        """
        job = self.job_of(result)
        if job is None:
            raise UnusableError("the result has no job, so it has no files: pass that of a command that ran")
        job.fetch(file, target)

    def job(self, job_id: str) -> Job:
        """Return the job with an id.

        :raises UnusableError: if the id is invalid
        :raises RemoteError: see ``Job.refresh``
        """
        return self._job({"id": validate_job_id(job_id)}).refresh()

    def delete_job(self, job_id: str) -> None:
        """Delete an ended job with its output and files on the server.

        :param job_id: its id
        :raises UnusableError: if the id is invalid; see also ``Job.delete``
        """
        self._job({"id": validate_job_id(job_id)}).delete()

    def jobs(self, *, state: Iterable[str] = (), command: str | None = None, limit: int = 50) -> list[Job]:
        """Return jobs, newest first.

        :param state: only jobs in one of these states; empty for any
        :param command: only jobs with this name or command-line prefix; ``*`` stands for any text
        :param limit: the maximum number of jobs to return
        :raises ArgumentsError: for an unknown state; see also ``Job.refresh``
        """
        return list(self.iter_jobs(state=state, command=command, limit=limit))

    def iter_jobs(
        self, *, state: Iterable[str] = (), command: str | None = None, limit: int | None = None
    ) -> Iterator[Job]:
        """Yield jobs, newest first, and request them a page at a time.

        :param state: this and ``command`` are those of ``jobs``
        :param limit: the maximum number of jobs; None for all
        :raises ArgumentsError: for an unknown state; see also ``Job.refresh``
        """
        query = {"state": ",".join(state), "command": command}
        with open_connection(self._session) as connection:
            for job in iter_pages(JobsApi(connection).list, query, limit):
                yield self._job(job)

    def whoami(self, can: str | None = None) -> Mapping[str, Any]:
        """Return the token's identity and permissions.

        :param can: a command, optionally with a DAG id, such as ``dags trigger my_dag``; ``can`` in the
            result says whether the token may run it
        :raises RemoteError: see ``run``
        """
        with open_connection(self._session) as connection:
            return AccessApi(connection).whoami(can)

    def audit(self, *, limit: int = 50, **conditions: str | None) -> list[Mapping[str, Any]]:
        """Return the audit log, newest first; for an admin without restrictions.

        :param limit: the maximum number of entries to return
        :param conditions: ``principal``, ``peer``, ``result``, ``layer``, ``job``, ``command``; None for any
        :raises RemoteError: see ``run``
        """
        return list(self.iter_audit(limit=limit, **conditions))

    def iter_audit(
        self, *, limit: int | None = None, **conditions: str | None
    ) -> Iterator[Mapping[str, Any]]:
        """Yield the audit log, newest first, and request it a page at a time.

        :param limit: the maximum number of entries; None for all
        :param conditions: those of ``audit``
        :raises RemoteError: see ``run``
        """
        with open_connection(self._session) as connection:
            yield from iter_pages(AccessApi(connection).audit, conditions, limit)

    def _started(self, name: str, run: Callable[[], Result]) -> Job:
        """Start a command, and return its job; the name is for the message if there is none."""
        try:
            result = run()
        except AnsweredError as error:
            if error.result.job is None:
                raise
            result = error.result
        if result.job is None:
            raise UnsupportedError(f"the server responded to {name} without creating a job", result)
        return self._job(result.job)

    def _job(self, document: Mapping[str, Any]) -> Job:
        return Job(self._session, document, self._notify, self._progress)
