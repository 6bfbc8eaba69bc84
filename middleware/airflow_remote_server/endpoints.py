"""A classic endpoint, from the arguments of a request to what its answer says."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from werkzeug.utils import secure_filename

from airflow_remote_server import dags
from airflow_remote_server.actions import PARSED
from airflow_remote_server.argv import Values, build, masked, shown
from airflow_remote_server.catalogue.classic import Classic
from airflow_remote_server.catalogue.spec import AS_JSON, Endpoint, Form
from airflow_remote_server.catalogue.validation import Validator, choose, nearest
from airflow_remote_server.errors import ApiError, BadArguments, CommandFailed, NotFound, NotInThisAirflow
from airflow_remote_server.masking import MASK, redact_text
from airflow_remote_server.runner import Command
from airflow_remote_server.runner.failures import last_line

if TYPE_CHECKING:
    from pathlib import Path

    from werkzeug.datastructures import FileStorage

    from airflow_remote_server.arguments import Given
    from airflow_remote_server.execution import Executor, Finished
    from airflow_remote_server.settings import Settings


@dataclass
class Answer:
    """What the answer to a request says.

    :param fields: of the envelope
    :param error: what went wrong; None when nothing did
    :param status: HTTP status when nothing did
    """

    fields: dict[str, Any] = field(default_factory=dict)
    error: ApiError | None = None
    status: int = 200


class Endpoints:
    """The classic endpoints of the installed Airflow.

    :param settings: the configuration
    :param executor: runs the commands
    """

    def __init__(self, settings: Settings, executor: Executor) -> None:
        self.settings = settings
        self.executor = executor
        self.all = Classic(settings.airflow_major).endpoints()
        self._names = {
            name: endpoint for endpoint in self.all.values() for name in (endpoint.name, *endpoint.aliases)
        }

    def find(self, name: str) -> Endpoint:
        """The endpoint of a name.

        :param name: its name or an alias
        :raises NotFound: naming the nearest
        """
        endpoint = self._names.get(name)
        if endpoint is None:
            raise NotFound(f"no such endpoint: {name[:80]!r}{nearest(name, self._names)}")
        return endpoint

    def run(self, endpoint: Endpoint, given: Given, ignore_unknown: bool = False) -> Answer:
        """Do what a request asks for.

        :param endpoint: the endpoint
        :param given: the arguments of the request
        :param ignore_unknown: drop arguments that the endpoint does not have
        """
        try:
            return self.answer(endpoint, given, ignore_unknown)
        except ApiError as error:
            return Answer({"arguments": self.echo(endpoint, given)}, error)

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

    def answer(self, endpoint: Endpoint, given: Given, ignore_unknown: bool) -> Answer:
        """What ``run`` does, for a request that is not refused.

        :raises ApiError: when nothing has been run
        """
        self.refuse_absent(endpoint)
        form, given = choose(endpoint, given)
        values, uploads = Validator(form, self.settings)(given, ignore_unknown)
        visible = masked(form, values, self.settings.sensitive_names)
        said: dict[str, Any] = {
            "airflow_cmd": shown(form, visible),
            "arguments": {**visible, **{name: file.filename for name, file in uploads.items()}},
        }
        if endpoint.name == "rest_api_plugin_version":
            from airflow_remote_server import __version__

            return Answer({**said, "airflow_cmd": endpoint.name, "output": __version__})
        if endpoint.name == "deploy_dag":
            return self.deploy(uploads["dag_file"], values, said)
        if form.service:
            return self.service(endpoint, form, values, said)
        with self.executor.folder() as folder:
            save(uploads, folder, values)
            command = Command(form.program, tuple(build(form, values)), folder, said["airflow_cmd"])
            finished = self.executor.run(command)
        return ended(form, finished, said)

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

    def service(self, endpoint: Endpoint, form: Form, values: Values, said: dict[str, Any]) -> Answer:
        """Start what runs until it is stopped; it is detached from the request."""
        argv = tuple(build(form, values))
        finished = self.executor.start_service(form.program, argv, said["airflow_cmd"])
        if finished.pid is None:
            return ended(form, finished, said)
        output = f"{endpoint.name} runs as process {finished.pid}"
        job = {"state": "running", "kind": "service", "pid": finished.pid}
        return Answer({**said, "output": output, "job": job}, status=202)

    def deploy(self, upload: FileStorage, values: Values, said: dict[str, Any]) -> Answer:
        """Put a DAG file into the DAGs folder; parse it there when its DAGs are to be paused or unpaused."""
        if values.get("pause") and values.get("unpause"):
            raise BadArguments("'pause' and 'unpause' do not go together: give one of them")
        filename = upload.filename or ""
        path = dags.target(filename, self.settings.dags_folder)
        source = upload.stream.read()
        dags.compile_source(source, filename)
        dags.replace(path, source, force=bool(values.get("force")))
        said["airflow_cmd"] = f"deploy_dag {filename}"
        said["output"] = f"DAG File [{filename}] has been uploaded"
        state = "pause" if values.get("pause") else "unpause" if values.get("unpause") else ""
        if not state:
            return Answer(said)
        with self.executor.folder() as folder:
            argv = ("parse-dag-file", "--", str(path), state)
            finished = self.executor.run(Command("airflow-remote-server", argv, folder, said["airflow_cmd"]))
            found = parsed_file(folder)
        if found is None:
            reason = finished.error.message if finished.error else "the parser ended without a result"
            message = f"{filename} is in place, but could not be parsed: {reason}"
            fields = {**said, "stderr": finished.stderr, "exit_code": finished.exit_code}
            return Answer({**fields, "output": message}, CommandFailed(message))
        said["result"] = found
        if found["import_errors"]:
            broken = next(iter(found["import_errors"].values())).strip().splitlines()[-1]
            message = f"{filename} is in place, but Airflow cannot import it: {broken}"
            return Answer({**said, "output": message}, CommandFailed(message))
        said["output"] += f"; {state}d: {', '.join(found['dag_ids']) or 'it has no DAGs'}"
        return Answer(said)


def parsed_file(folder: Path) -> dict[str, Any] | None:
    """What the action that parses a DAG file wrote down; None when it did not come to that."""
    try:
        found = json.loads((folder / PARSED).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def save(uploads: dict[str, FileStorage], folder: Path, values: Values) -> None:
    """Write uploaded files into a command's folder, and give the command their paths.

    :param uploads: by argument name
    :param folder: the command's folder
    :param values: gets the path of each
    """
    for name, upload in uploads.items():
        # Airflow tells the format by the suffix; the rest of a client's name is of no use here.
        path = folder / f"upload-{secure_filename(upload.filename or '')[-80:]}"
        upload.save(path)
        values[name] = str(path)


def ended(form: Form, finished: Finished, said: dict[str, Any]) -> Answer:
    """The answer for a command that has ended.

    :param form: the command
    :param finished: how it ended
    :param said: what the answer says already
    """
    output = finished.stdout.removesuffix("\n")
    if form.log_is_output and not output:
        output = finished.stderr.removesuffix("\n")
    fields = {
        **said,
        "output": output,
        "stdout": finished.stdout,
        "stderr": finished.stderr,
        "exit_code": finished.exit_code,
        "warning": finished.warning,
    }
    if finished.error is not None:
        return Answer({**fields, "output": finished.error.message}, finished.error)
    if AS_JSON[0] in form.fixed:
        fields["result"] = result = parsed(finished.stdout)
        if result is None and output:
            # Exit code 0, and yet nothing was done: "No unpaused DAGs were found".
            fields["warning"] = f"the command gave no JSON, but said: {last_line(output)}"
        if form.command == ("dags", "trigger") and isinstance(result, list) and result:
            fields["dag_run_id"] = result[0].get("dag_run_id")
    return Answer(fields)


def parsed(text: str) -> Any:
    """The JSON that a command printed; None when it printed something else, as "No unpaused DAGs"."""
    try:
        return json.loads(text)
    except ValueError:
        return None
