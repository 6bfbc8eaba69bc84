"""Plan a batch: authorize and validate all of its commands before anything runs."""

from __future__ import annotations

import hmac
import json
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow_remote_server.batch.models import BatchCommand, BatchOptions, write_batch
from airflow_remote_server.catalog.spec import Handler
from airflow_remote_server.errors import ApiError, BadArguments
from airflow_remote_server.execution.batch_progress import BatchProgress
from airflow_remote_server.execution.command import Command
from airflow_remote_server.execution.spool import BATCH_PROGRAM
from airflow_remote_server.http.arguments import merge
from airflow_remote_server.jobs.models import JobRequest
from airflow_remote_server.jobs.store import DuplicateKey
from airflow_remote_server.jobs.transfers import download_paths

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_remote_server.auth.authenticator import Principal
    from airflow_remote_server.execution.client import CompletionChannel
    from airflow_remote_server.http.batch_body import BatchItem
    from airflow_remote_server.http.plan import Plan
    from airflow_remote_server.http.planning import Planner
    from airflow_remote_server.jobs.models import Job

NAME = "batch"
"""The name of the jobs that run a batch."""

BUSY_SECONDS, PAUSE_SECONDS = 0.01, 0.001
"""How long to plan before a pause, and how long the pause is: Airflow's pages come from the same process."""

MAX_NAMED = 10
"""How many problems the message names, and how many kinds of commands the title does."""

MAX_PROBLEMS = 1000
"""How many problems are looked for: a name that is close to a wrong one takes a millisecond to find."""


class InvalidBatch(BadArguments):
    """Raised if commands of a batch are invalid or not permitted. Nothing was run.

    :param problems: the index and the error of each
    :param count: the number of commands that were looked at
    """

    def __init__(self, problems: list[tuple[int, ApiError]], count: int) -> None:
        [(_, first), *_] = problems
        named = "; ".join(f"commands[{index}]: {error.message}" for index, error in problems[:MAX_NAMED])
        more = f"; and {len(problems) - MAX_NAMED} more" if len(problems) > MAX_NAMED else ""
        super().__init__(f"{len(problems)} of {count} commands cannot run, so none was run: {named}{more}")
        self.problems = problems
        kinds = {type(error) for _, error in problems}
        if len(kinds) == 1:
            self.status = first.status  # type: ignore[misc] # of this error only
            self.layer = first.layer
            self._kind = first.kind
        else:
            self._kind = "BadArguments"

    @property
    def kind(self) -> str:
        """Return the ``error.type``: that of the problems, if they have the same."""
        return self._kind

    @property
    def fields(self) -> dict[str, Any]:
        """Return the field ``error`` with all problems."""
        problems = [
            {
                "index": index,
                "type": error.kind,
                "message": error.message,
                "http_response_code": error.status,
            }
            for index, error in self.problems
        ]
        return {"error": {"type": self.kind, "message": self.message, "problems": problems}}


@dataclass
class BatchPlan:
    """A batch whose commands are all valid.

    :param lines: the commands, as ``BatchCommand.to_json`` returns them
    :param titles: the name and the command line of each, secrets masked
    :param secrets: the secrets of all commands
    :param digest: is equal for equal batches
    """

    lines: list[bytes] = field(default_factory=list)
    titles: list[tuple[str, str]] = field(default_factory=list)
    secrets: set[str] = field(default_factory=set)
    digest: str = ""

    @property
    def title(self) -> str:
        """Return the number of commands, and how many there are of each kind."""
        return describe(name for name, _ in self.titles)


class BatchPlanner:
    """Plans batches.

    :param planner: plans each command
    """

    def __init__(self, planner: Planner) -> None:
        self.planner = planner

    def plan(self, items: Iterable[BatchItem], principal: Principal) -> BatchPlan:
        """Authorize and validate the commands of a batch.

        :param items: the commands
        :param principal: the client
        :raises InvalidBatch: if some of them are invalid or not permitted; it tells all of them
        :raises ApiError: if the request as a whole is rejected
        """
        batch, problems, count = BatchPlan(), [], 0
        digest = hmac.new(principal.key, digestmod="sha256")
        next_pause = time.monotonic() + BUSY_SECONDS
        for index, item in enumerate(items):
            count = index + 1
            try:
                plan = self._plan_command(item, principal)
            except ApiError as error:
                problems.append((index, error))
                batch.lines.clear()  # nothing will run
                if len(problems) == MAX_PROBLEMS:
                    break
            else:
                self._add(batch, index, plan, principal, keep=not problems)
                request = plan.request
                content = [request.endpoint.name, request.variant.name, request.values]
                digest.update(json.dumps(content, sort_keys=True).encode() + b"\n")
            if time.monotonic() >= next_pause:
                time.sleep(PAUSE_SECONDS)
                next_pause = time.monotonic() + BUSY_SECONDS
        if problems:
            raise InvalidBatch(problems, count)
        batch.digest = digest.hexdigest()
        return batch

    def submit(
        self, batch: BatchPlan, options: tuple[int, bool], principal: Principal, key: str | None
    ) -> tuple[Job, CompletionChannel | None]:
        """Make a job of a batch and start it.

        :param batch: a batch from ``plan``
        :param options: how many commands may run at once, and whether a failure stops the batch
        :param principal: the client
        :param key: the request's Idempotency-Key
        :returns: the job, or that of the first request with the same key; and a channel that reports its end
        :raises ApiError: if it cannot be run
        """
        jobs, (parallel, stop_on_failure) = self.planner.jobs, options
        shown = {"commands": len(batch.lines), "parallel": parallel, "stop_on_failure": stop_on_failure}
        digest = f"{batch.digest} {parallel} {stop_on_failure}"
        request = JobRequest(
            NAME,
            json.dumps(shown),
            principal.name,
            principal.peer,
            key,
            hmac.new(principal.key, digest.encode(), "sha256").hexdigest() if key else "",
        )
        try:
            job = jobs.create(request, batch.title, service=False)
        except DuplicateKey as duplicate:
            jobs.spools.require_readable(duplicate.job)
            return duplicate.job, None
        settings, starter = self.planner.settings, jobs.launcher.cold
        try:
            spool = jobs.spools.spool_of(job)
            BatchProgress(spool).create(batch.titles)
            how = BatchOptions(
                len(batch.lines),
                parallel,
                stop_on_failure,
                settings.max_output_bytes,
                str(starter.make_lock_dir()),
                starter.most,
                settings.max_workers > 0,
                tuple(sorted(batch.secrets)),
            )
            write_batch(spool, how, batch.lines)
        except OSError as error:
            jobs.discard(job)
            raise jobs.spools.unwritable(error) from error
        return job, jobs.start(job, Command(BATCH_PROGRAM, (), batch.title, principal=principal.name))

    def _plan_command(self, item: BatchItem, principal: Principal) -> Plan:
        """Return the plan of a command.

        :raises ApiError: if it is invalid, not permitted, or cannot be a part of a batch
        """
        if item.error is not None:
            raise item.error
        permissions, planner = principal.permissions, self.planner
        if item.name == NAME:
            raise BadArguments("a batch cannot contain another batch: list its commands instead")
        endpoint = planner.find_command(item.name, permissions)
        planner.check_peer(endpoint, principal)
        plan = planner.plan(endpoint, merge(item.arguments), False, permissions)
        request = plan.request
        reason = ""
        if request.variant.service:
            reason = "starts a service"
        elif endpoint.handler is not Handler.COMMAND:
            reason = "is not a command of Airflow"
        elif request.uploads or download_paths(request.variant, request.values):
            reason = "sends or writes files"
        if reason:
            raise BadArguments(f"`{item.name}` {reason}, so it needs a request of its own")
        return plan

    def _add(self, batch: BatchPlan, index: int, plan: Plan, principal: Principal, keep: bool) -> None:
        """Add a valid command to a batch.

        :param keep: whether the batch may still run
        """
        request = plan.request
        batch.titles.append((request.endpoint.name, plan.title))
        if not keep:
            return
        secrets = self.planner.secrets_of(request)
        argv = plan.handler.argv(request, request.values)
        command = self.planner.command_of(plan, argv, request.values, principal, secrets)
        if secrets:
            batch.secrets.update(secrets)
            command = replace(command, secrets=())  # those of all commands are masked, not only its own
        name, log_is_output = request.endpoint.name, request.variant.log_is_output
        batch.lines.append(BatchCommand(index, name, plan.arguments, command, log_is_output).to_json())


def describe(names: Iterable[str]) -> str:
    """Return the title of a batch: the number of its commands, and how many there are of each kind.

    :param names: the names of its commands
    """
    counts = Counter(names)
    kinds = ", ".join(f"{count} {name}" for name, count in counts.most_common(MAX_NAMED))
    more = ", ..." if len(counts) > MAX_NAMED else ""
    return f"{NAME}: {kinds}{more}"
