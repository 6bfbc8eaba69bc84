"""An endpoint, from the arguments of a request to a job, and from a job to what the answer says."""

from __future__ import annotations

import hashlib
import hmac
import importlib.util
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_remote_server import strictjson
from airflow_remote_server.argv import Values, build, logged, masked, shown
from airflow_remote_server.auth import HOW_TO_OPEN
from airflow_remote_server.catalogue.classic import Classic
from airflow_remote_server.catalogue.live import Live
from airflow_remote_server.catalogue.policy import Policy
from airflow_remote_server.catalogue.spec import AS_JSON, Endpoint, Form
from airflow_remote_server.catalogue.validation import Validator, choose, nearest
from airflow_remote_server.dags import orders
from airflow_remote_server.dags.orders import ACTIONS
from airflow_remote_server.errors import NotFound, NotInThisAirflow, Refused
from airflow_remote_server.jobs.exchange import outputs, save
from airflow_remote_server.jobs.service import Wanted
from airflow_remote_server.jobs.store import Taken
from airflow_remote_server.masking import MASK, redact_text
from airflow_remote_server.responses import Answer
from airflow_remote_server.roles import ALL
from airflow_remote_server.runner.failures import last_line
from airflow_remote_server.runner.folder import STDERR, STDOUT, Command

if TYPE_CHECKING:
    from collections.abc import Iterable

    from werkzeug.datastructures import FileStorage

    from airflow_remote_server.arguments import Given
    from airflow_remote_server.auth import Principal
    from airflow_remote_server.catalogue.source import Source
    from airflow_remote_server.jobs import Job
    from airflow_remote_server.jobs.service import Jobs
    from airflow_remote_server.roles import Permit
    from airflow_remote_server.runner.warm import Line
    from airflow_remote_server.settings import Settings


@dataclass(frozen=True)
class Plan:
    """What a request comes to, once its arguments are validated.

    :param endpoint: what it asks for
    :param form: the command that is run
    :param values: the command's values
    :param uploads: files, by argument name
    :param said: what the answer says in any case
    """

    endpoint: Endpoint
    form: Form
    values: Values
    uploads: dict[str, FileStorage]
    said: dict[str, Any]


class Endpoints:
    """The endpoints of the installed Airflow: the classic ones, and every command by its own name.

    :param settings: the configuration
    :param jobs: run the commands
    :param source: of the commands that the installed Airflow has
    """

    def __init__(self, settings: Settings, jobs: Jobs, source: Source) -> None:
        self.settings = settings
        self.jobs = jobs
        self.all = Classic(settings.airflow_major).endpoints()
        self._names = {
            name: endpoint for endpoint in self.all.values() for name in (endpoint.name, *endpoint.aliases)
        }
        self.classic = classic_names(self.all.values())
        self.policy = Policy(settings.allow_commands, settings.deny_commands, self.classic)
        self.live = Live(source, self.policy, self.classic)

    def find(self, name: str) -> Endpoint:
        """The classic endpoint of a name.

        :param name: its name or an alias
        :raises NotFound: naming the nearest
        """
        endpoint = self._names.get(name)
        if endpoint is None:
            raise NotFound(f"no such endpoint: {name[:80]!r}{nearest(name, self._names)}")
        return endpoint

    def echo(self, endpoint: Endpoint, given: Given) -> dict[str, Any]:
        """What was given, as it may be shown when it was refused: only what is known not to be secret.

        :param endpoint: the endpoint
        :param given: the arguments of the request
        """
        table = [argument for form in endpoint.forms for argument in form.arguments]
        secret = {argument.name for argument in table if argument.secret}
        known = {name for argument in table for name in (argument.name, *argument.aliases)}
        known |= {form.name for form in endpoint.forms if form.name} | {"cmd"}
        texts = {name: values[0] for name, values in given.items() if isinstance(values[0], (str, bool, int))}
        return {
            name: MASK if name in secret else redact_text(value, self.settings.sensitive_names)
            for name, value in texts.items()
            if name in known
        }

    def admit(self, endpoint: Endpoint, principal: Principal) -> None:
        """See that somebody may ask for an endpoint at all.

        :param endpoint: the endpoint
        :param principal: who asks for it
        :raises Refused: saying what they need
        """
        if endpoint.known_only and not principal.known:
            raise Refused(
                f"Refused: without a token {endpoint.name} is open to this machine only; {HOW_TO_OPEN}",
                layer="peer",
            )

    def plan(self, endpoint: Endpoint, given: Given, ignore_unknown: bool, permit: Permit = ALL) -> Plan:
        """See what a request comes to.

        :param endpoint: the endpoint
        :param given: the arguments of the request
        :param ignore_unknown: drop arguments that the endpoint does not have
        :param permit: of who asks
        :raises ApiError: when it is refused
        """
        self.refuse_absent(endpoint)
        form, given = choose(endpoint, given)
        command = " ".join(form.command)
        permit.check(form, endpoint.name, self.classic.get(command, ()))
        self.policy.check(command, endpoint.name)
        values, uploads = Validator(form, self.settings)(given, ignore_unknown)
        permit.check_dags(form, values)
        visible = masked(form, values, self.settings.sensitive_names)
        said: dict[str, Any] = {
            "airflow_cmd": shown(form, visible),
            "arguments": {**visible, **{name: file.filename for name, file in uploads.items()}},
        }
        if endpoint.name == "rest_api_plugin_version":
            said["airflow_cmd"] = endpoint.name
        if endpoint.name in ACTIONS:
            said["airflow_cmd"] = orders.title(endpoint.name, values, uploads, self.settings)
        return Plan(endpoint, form, values, uploads, said)

    def submit(self, plan: Plan, principal: Principal, key: str | None) -> tuple[Job, Line | None]:
        """Make a job of a plan, and have it run.

        :param plan: from ``plan``
        :param principal: who asks for it
        :param key: the Idempotency-Key of the request
        :returns: the job, and a line on which its end is told; that of the first request with the key
        :raises ApiError: when it cannot be run
        """
        wanted = Wanted(
            plan.endpoint.name,
            json.dumps(plan.said["arguments"]),
            principal.name,
            principal.peer,
            key,
            self.digest(plan, principal.key) if key else "",
        )
        title = plan.said["airflow_cmd"]
        try:
            job = self.jobs.open(wanted, title, plan.form.service)
        except Taken as taken:
            self.jobs.refuse_elsewhere(taken.job)
            return taken.job, None
        try:
            folder = self.jobs.folder(job).path
            values = {**plan.values, **save(plan.uploads, folder), **outputs(plan.form, plan.values, folder)}
            argv = (
                orders.argv(plan.endpoint.name, values, plan.uploads, self.settings)
                if plan.endpoint.name in ACTIONS
                else build(plan.form, values)
            )
        except OSError as error:
            self.jobs.drop(job)
            raise self.jobs.unwritable(error) from error
        sensitive = self.settings.sensitive_names
        command = Command(
            plan.form.program,
            tuple(argv),
            title,
            plan.form.service,
            tuple(logged(plan.form, masked(plan.form, values, sensitive))),
            principal.name,
        )
        return job, self.jobs.start(job, command)

    def digest(self, plan: Plan, key: bytes) -> str:
        """Tells whether two requests want the same; keyed, since it is stored and values may be secret."""
        said: list[Any] = [plan.endpoint.name, plan.form.name, plan.values]
        for name, upload in sorted(plan.uploads.items()):
            content = hashlib.sha256(upload.stream.read()).hexdigest()
            upload.stream.seek(0)
            said.append([name, upload.filename, content])
        text = json.dumps(said, sort_keys=True).encode()
        return hmac.new(key, text, "sha256").hexdigest()

    def answer(self, plan: Plan, job: Job) -> Answer:
        """What is to be said of a job.

        :param plan: what it was made from
        :param job: as it is now
        """
        if not job.state.final:
            verb = "runs" if job.state.value == "running" else "is queued"
            return Answer({**plan.said, "output": f"{plan.endpoint.name} {verb} as job {job.id}"}, status=202)
        stdout, stderr = self.jobs.text(job, STDOUT), self.jobs.text(job, STDERR)
        output = stdout.removesuffix("\n")
        if plan.form.log_is_output and not output:
            output = stderr.removesuffix("\n")
        fields = {
            **plan.said,
            "output": output,
            "stdout": stdout,
            "stderr": stderr,
            "exit_code": job.exit_code,
            **orders.found(self.jobs.folder(job), job.name),
        }
        error = self.jobs.failure(job)
        if error is not None:
            return Answer({**fields, "output": error.message}, error)
        fields["warning"] = self.jobs.outcome(job).message or None
        if AS_JSON[0] in plan.form.fixed or plan.values.get("output") == "json":
            fields["result"] = result = parsed(stdout)
            if result is None and output and plan.form.fixed:
                # Exit code 0, and yet nothing was done: "No unpaused DAGs were found".
                fields["warning"] = f"the command gave no JSON, but said: {last_line(output)}"
            if plan.form.command == ("dags", "trigger") and isinstance(result, list) and result:
                fields["dag_run_id"] = result[0].get("dag_run_id")
        return Answer(fields)

    def refuse_absent(self, endpoint: Endpoint) -> None:
        """Refuse what the installed Airflow does not have.

        :raises NotInThisAirflow: naming the nearest command, or what to install
        """
        if endpoint.absent:
            raise NotInThisAirflow(endpoint.absent)
        if not endpoint.provider:
            return
        command = " ".join(endpoint.forms[0].command)
        if importlib.util.find_spec("airflow.providers.celery") is None:
            raise NotInThisAirflow(f"`{command}` needs the provider: pip install {endpoint.provider}")
        if self.settings.airflow_major < 3 and "celery" not in self.settings.executor.lower():
            raise NotInThisAirflow(f"Airflow 2 has `{command}` only when [core] executor is a Celery one")


def classic_names(endpoints: Iterable[Endpoint]) -> dict[str, tuple[str, ...]]:
    """The names of the classic endpoints that become a command, by the command's words.

    :param endpoints: the classic ones
    """
    found: dict[str, tuple[str, ...]] = {}
    for endpoint in endpoints:
        for command in dict.fromkeys(" ".join(form.command) for form in endpoint.forms):
            found[command] = (*found.get(command, ()), endpoint.name, *endpoint.aliases)
    return found


def parsed(text: str) -> Any:
    """The JSON that a command printed; None when it printed something else, as "No unpaused DAGs".

    The answer has to be JSON with it, so what no parser of JSON has to take is something else as well.
    """
    try:
        return strictjson.loads(text)
    except ValueError:
        return None
