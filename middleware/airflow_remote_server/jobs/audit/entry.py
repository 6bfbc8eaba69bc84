"""An entry of the audit log, and the notes that are taken for it while a request is served."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_remote_server.auth.authenticator import Principal
from airflow_remote_server.errors import ApiError
from airflow_remote_server.jobs.models import Job


@dataclass(frozen=True)
class AuditEntry:
    """A request in the audit log.

    :param id: sorts by time
    :param time: when the request arrived, in seconds since the epoch
    :param principal: name of the principal; "" if unauthenticated
    :param role: the principal's role
    :param peer: the address that the request came from
    :param method: the HTTP method
    :param path: the path, without the query
    :param name: name of the endpoint; ``stop`` for a request to stop a job
    :param command: the command line, or the arguments of a rejected request, secrets masked
    :param status: the HTTP status
    :param result: ``done``, ``running``, ``failed`` (of the command), ``refused``, ``invalid`` or ``error``
    :param layer: the rule that refused it: ``token``, ``role``, ``DAG``, ``policy``, ...; "" if none did
    :param message: the error, in one line; "" if it succeeded
    :param seconds: until it was answered
    :param job: the id of its job; "" if it has none
    :param state: the final state of its job; None if the job has not ended, or there is none
    :param exit_code: the exit code of its job; None if there is none
    """

    id: str
    time: float
    principal: str
    role: str
    peer: str
    method: str
    path: str
    name: str
    command: str
    status: int
    result: str
    layer: str
    message: str
    seconds: float
    job: str
    state: str | None = None
    exit_code: int | None = None


@dataclass
class AuditNotes:
    """Facts about a request that are collected for the audit log while it is served.

    :param route: the route that serves it; "" if no route matches
    :param principal: the principal; None if unauthenticated
    :param name: name of the endpoint
    :param command: the command line, secrets masked
    :param job: the id of its job
    :param ended: its job, if the response reports how the job ended
    :param unrecorded: its job, if it has ended and its end may not be in the job store yet
    :param error: the error of its response; None if it has none
    """

    route: str = ""
    principal: Principal | None = None
    name: str = ""
    command: str = ""
    job: str = ""
    ended: Job | None = None
    unrecorded: Job | None = None
    error: ApiError | None = None
