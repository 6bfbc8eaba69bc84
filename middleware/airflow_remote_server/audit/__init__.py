"""The audit: each request that ran something or was refused, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """A request.

    :param id: sorts by time
    :param time: when it came, in seconds since the epoch
    :param principal: who asked; "" when that is not known
    :param role: of the principal
    :param peer: the address that it came from
    :param method: of HTTP
    :param path: that was asked for, without its query
    :param name: of the endpoint; ``stop`` for a job's end
    :param command: the command line, or what was given for it, secrets masked
    :param status: of HTTP
    :param result: ``done``, ``running``, ``failed`` (the command did), ``refused``, ``invalid`` or ``error``
    :param layer: what refused it: ``token``, ``role``, ``DAG``, ``policy``, ...; "" when nothing did
    :param message: why, in one line; "" when it was done
    :param seconds: until it was answered
    :param job: the id of its job; "" when it has none
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
