"""Plan a request: from an endpoint and its arguments to a job."""

from __future__ import annotations

import importlib.util
import json
import re
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_remote_server.auth.authenticator import SETUP_HINT
from airflow_remote_server.auth.permissions import UNRESTRICTED
from airflow_remote_server.catalog.aliases import successor_of
from airflow_remote_server.catalog.argv import build_audit_argv, mask_values
from airflow_remote_server.catalog.classic import classic_endpoints, classic_names
from airflow_remote_server.catalog.globs import warn_of_globs
from airflow_remote_server.catalog.live import CatalogLoader
from airflow_remote_server.catalog.policy import Policy
from airflow_remote_server.catalog.secret_values import file_secrets, secret_values
from airflow_remote_server.catalog.spec import FORCE, RESTART, Handler
from airflow_remote_server.catalog.validation import Validator
from airflow_remote_server.catalog.variants import choose_variant
from airflow_remote_server.errors import NotFound, NotInThisAirflow, Refused
from airflow_remote_server.execution.command import Command
from airflow_remote_server.http.handlers import ValidatedRequest, make_handlers
from airflow_remote_server.http.permitted_catalog import PermittedCatalogs
from airflow_remote_server.http.plan import Plan
from airflow_remote_server.http.request_digest import digest
from airflow_remote_server.integrations.core_commands import is_core_command
from airflow_remote_server.jobs.models import JobRequest
from airflow_remote_server.jobs.store import DuplicateKey
from airflow_remote_server.jobs.transfers import prepare_downloads, save_uploads
from airflow_remote_server.util.masker import MIN_SECRET
from airflow_remote_server.util.masking import MASK, mask_urls, redact_text
from airflow_remote_server.util.suggestions import did_you_mean

if TYPE_CHECKING:
    from airflow_remote_server.auth.authenticator import Principal
    from airflow_remote_server.auth.permissions import Permissions
    from airflow_remote_server.catalog.argv import Values
    from airflow_remote_server.catalog.source import CommandSource
    from airflow_remote_server.catalog.spec import Endpoint, RequestArguments
    from airflow_remote_server.config.settings import Settings
    from airflow_remote_server.execution.client import CompletionChannel
    from airflow_remote_server.jobs.models import Job
    from airflow_remote_server.jobs.service import JobService

DRY_RUN = "dry_run"


CELERY = "celery"
"""The group of Celery's commands, and a part of the names of Celery executors.

Airflow 3 has the commands with any executor, but without a broker most of them wait forever.
"""

WORD = re.compile(r"[a-z][a-z-]{0,39}")
"""A word that may be a command of Airflow, such as ``info``."""


class Planner:
    """Plan requests for the endpoints of the installed Airflow.

    :param settings: the configuration
    :param jobs: the service that runs the commands
    :param source: describes the commands of the installed Airflow
    """

    def __init__(self, settings: Settings, jobs: JobService, source: CommandSource) -> None:
        self.settings = settings
        self.jobs = jobs
        self.endpoints = classic_endpoints(settings.airflow_release)
        self._names = {
            name: endpoint
            for endpoint in self.endpoints.values()
            for name in (endpoint.name, *endpoint.aliases)
        }
        self.classic = classic_names(self.endpoints.values())
        self.without = () if CELERY in settings.executor.lower() else (CELERY,)
        self.policy = Policy(settings.allow_commands, settings.deny_commands, self.classic)
        loader = CatalogLoader(
            source, self.policy, self.without, partial(warn_of_globs, settings, self.classic)
        )
        self.live = PermittedCatalogs(loader, self.classic)
        self._handlers = make_handlers(settings)

    def find(self, name: str) -> Endpoint:
        """Return a classic endpoint.

        :param name: the endpoint's name or an alias
        :raises NotFound: naming the nearest endpoint
        """
        endpoint = self._names.get(name)
        if endpoint is None:
            command = successor_of(name, self.settings.airflow_major)
            hint = "" if command else did_you_mean(name, self._names)
            if command or (not hint and WORD.fullmatch(name)):
                path = (command or name).replace(" ", "/")
                hint = f"; for a command of this Airflow, use '/api/v1.0/commands/{path}'"
            raise NotFound(f"no such endpoint: {name[:80]!r}{hint}")
        return endpoint

    def find_command(self, name: str, permissions: Permissions) -> Endpoint:
        """Return the endpoint of a command by its name in the installed Airflow, or by that of a classic one.

        :param name: its words after ``airflow``, or the name or an alias of a classic endpoint
        :param permissions: the permissions of the principal
        :raises ApiError: if there is no such command; the message names a similar one
        """
        catalog = self.live.for_permissions(permissions)
        classic = None if name in catalog.endpoints else self._names.get(name)
        return catalog.find(name) if classic is None else classic

    def visible_arguments(self, endpoint: Endpoint, arguments: RequestArguments) -> dict[str, Any]:
        """Return the arguments of a rejected request that are known not to be secret.

        :param endpoint: the requested endpoint
        :param arguments: the arguments of the request, not validated
        """
        table = [argument for variant in endpoint.variants for argument in variant.arguments]
        secret = {
            name for argument in table if argument.secret for name in (argument.name, *argument.aliases)
        }
        known = {name for argument in table for name in (argument.name, *argument.aliases)}
        known |= {variant.name for variant in endpoint.variants if variant.name} | {"cmd"}
        first = {name: values[0] for name, values in arguments.items()}
        names = self.settings.sensitive_names

        def visible(value: Any) -> Any:
            return mask_urls(redact_text(value, names), names) if isinstance(value, str) else value

        return {
            name: MASK if name in secret else visible(value)
            for name, value in first.items()
            if name in known and isinstance(value, (str, bool, int))
        }

    def check_peer(self, endpoint: Endpoint, principal: Principal) -> None:
        """Check that a client without a token may use an endpoint.

        :param endpoint: the requested endpoint
        :param principal: the client
        :raises Refused: explaining how to open the endpoint
        """
        if endpoint.trusted_only and not principal.trusted:
            raise Refused(
                f"Refused: without a token {endpoint.name} is open to this machine only; {SETUP_HINT}",
                layer="peer",
            )

    def plan(
        self,
        endpoint: Endpoint,
        arguments: RequestArguments,
        ignore_unknown: bool,
        permissions: Permissions = UNRESTRICTED,
    ) -> Plan:
        """Validate a request and plan how to carry it out.

        :param endpoint: the requested endpoint
        :param arguments: the arguments of the request
        :param ignore_unknown: drop arguments that the endpoint does not have
        :param permissions: the permissions of the principal
        :raises ApiError: if the request is rejected
        """
        self.check_available(endpoint)
        variant, arguments = choose_variant(endpoint, arguments)
        command = " ".join(variant.command)
        permissions.check(variant, endpoint.name, self.classic.get(command, ()))
        self.policy.check(command, endpoint.name)
        values, uploads = Validator(variant, self.settings).validate(arguments, ignore_unknown)
        permissions.check_dags(variant, values)
        confirm = variant.confirm
        preview = confirm is not None and confirm.is_previewed(values)
        if confirm is not None and preview and DRY_RUN in confirm.unless:
            values, preview = {**values, DRY_RUN: True}, False  # it says more than the question
        request = ValidatedRequest(endpoint, variant, values, uploads, preview)
        visible = mask_values(variant, values, self.settings.sensitive_names)
        handler = self._handlers[endpoint.handler]
        filenames = {name: file.filename for name, file in uploads.items()}
        return Plan(request, handler, handler.title(request, visible), {**visible, **filenames})

    def submit(
        self, plan: Plan, principal: Principal, key: str | None
    ) -> tuple[Job, CompletionChannel | None]:
        """Make a job of a plan and start it.

        :param plan: a plan from ``plan``
        :param principal: the client
        :param key: the request's Idempotency-Key
        :returns: the job, or that of the first request with the same key; and a channel that reports its end
        :raises ApiError: if it cannot be run
        """
        request, variant = plan.request, plan.request.variant
        job_request = JobRequest(
            request.endpoint.name,
            json.dumps(plan.arguments),
            principal.name,
            principal.peer,
            key,
            digest(request, principal.key) if key else "",
        )
        try:
            again = bool(request.values.get(FORCE))
            job = self.jobs.create(job_request, plan.title, variant.service, again, plan.names(self.classic))
        except DuplicateKey as duplicate:
            self.jobs.spools.require_readable(duplicate.job)
            return duplicate.job, None
        try:
            folder = self.jobs.spools.new_spool(job).path
            secrets = self.secrets_of(request)
            uploads = save_uploads(request.uploads, folder)
            downloads = prepare_downloads(variant, request.values, folder)
            values: Values = {**request.values, **uploads, **downloads}
            argv = plan.handler.argv(request, values)
        except OSError as error:
            self.jobs.discard(job)
            raise self.jobs.spools.unwritable(error) from error
        command = self.command_of(plan, argv, values, principal, secrets)
        return job, self.jobs.start(job, command)

    def command_of(
        self, plan: Plan, argv: list[str], values: Values, principal: Principal, secrets: tuple[str, ...] = ()
    ) -> Command:
        """Return the command of a plan.

        :param plan: a plan from ``plan``
        :param argv: the arguments of its program
        :param values: the values that they were made of
        :param principal: the client
        :param secrets: to be masked in all that the command prints
        """
        variant = plan.request.variant
        visible = mask_values(variant, values, self.settings.sensitive_names)
        return Command(
            variant.program,
            tuple(argv),
            plan.title,
            variant.service,
            tuple(build_audit_argv(variant, visible)),
            principal.name,
            secrets,
            plan.request.preview,
            reusable=self._is_reusable(plan, argv, secrets),
            restarts=self.settings.restarts_of(values.get(RESTART)) if variant.service else 0,
        )

    def _is_reusable(self, plan: Plan, argv: list[str], secrets: tuple[str, ...]) -> bool:
        """Return whether a command may run in a process that runs other commands.

        :param plan: the plan
        :param argv: the arguments of its program
        :param secrets: the secret values in the request
        """
        request = plan.request
        if secrets or request.uploads or request.preview or request.variant.service:
            return False
        return request.variant.program == "airflow" and is_core_command(argv)

    def secrets_of(self, request: ValidatedRequest) -> tuple[str, ...]:
        """Return the secret values in a request that are long enough to be masked."""
        names = self.settings.sensitive_names
        secrets = secret_values(request.variant, request.values, names)
        if request.endpoint.handler is Handler.COMMAND:
            for upload in request.uploads.values():
                secrets |= file_secrets(upload.filename or "", upload.stream.read(), names)
                upload.stream.seek(0)
        return tuple(secret for secret in sorted(secrets) if len(secret) >= MIN_SECRET)

    def check_available(self, endpoint: Endpoint) -> None:
        """Check that the installed Airflow has an endpoint's command.

        :raises NotInThisAirflow: naming the nearest command, or the package to install
        """
        if endpoint.absent:
            raise NotInThisAirflow(endpoint.absent)
        if not endpoint.provider:
            return
        command = " ".join(endpoint.variants[0].command)
        if importlib.util.find_spec("airflow.providers.celery") is None:
            raise NotInThisAirflow(f"`{command}` needs the provider: pip install {endpoint.provider}")
        if CELERY in self.without:
            raise NotInThisAirflow(f"`{command}` needs a Celery executor ([core] executor)")
