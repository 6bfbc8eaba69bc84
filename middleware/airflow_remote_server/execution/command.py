"""What a supervisor is told to run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CommandLimits:
    """Limits that a supervisor enforces on a command.

    :param run_seconds: maximum run time; None for a service
    :param output_bytes: maximum size of stdout and stderr together
    :param grace_seconds: time between SIGTERM and SIGKILL
    """

    run_seconds: float | None
    output_bytes: int
    grace_seconds: float


@dataclass(frozen=True)
class Command:
    """A command to run.

    :param program: ``airflow``, ``airflow-remote-server``, or an Airflow module to run as a program
    :param argv: the arguments, without the program
    :param title: the command line for process lists, secrets masked
    :param service: whether the command runs until it is stopped
    :param logged: the arguments for Airflow's audit log, secrets masked
    :param principal: name of the principal that requested the command
    :param secrets: the secret values in the request, to be masked in all that the command prints
    :param preview: whether to end the command when it asks for confirmation
    :param reusable: whether its process may run other commands before and after it
    :param restarts: how often it is started again within some minutes if it is a service that fails
    """

    program: str
    argv: tuple[str, ...]
    title: str
    service: bool = False
    logged: tuple[str, ...] = ()
    principal: str = ""
    secrets: tuple[str, ...] = ()
    preview: bool = False
    reusable: bool = False
    restarts: int = 0
