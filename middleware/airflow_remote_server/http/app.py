"""The WSGI application behind the prefix: it authenticates, routes and audits every request."""

from __future__ import annotations

import logging
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import Map
from werkzeug.wrappers import Request, Response

from airflow_remote_server import envelope
from airflow_remote_server.auth.authenticator import Authenticator
from airflow_remote_server.catalog.source import CommandSource
from airflow_remote_server.config.reader import read_settings
from airflow_remote_server.config.settings import SettingsError
from airflow_remote_server.errors import ApiError, BadArguments, InternalError
from airflow_remote_server.execution.fingerprint import current_fingerprint
from airflow_remote_server.http.autostart import Autostart
from airflow_remote_server.http.connection import CONNECTION, find_connection
from airflow_remote_server.http.cors import Cors
from airflow_remote_server.http.csrf import SAFE_METHODS, refuse_forgery
from airflow_remote_server.http.dispatch import CommandDispatcher
from airflow_remote_server.http.limits import RequestSlots, check_headers
from airflow_remote_server.http.missing_route import no_route
from airflow_remote_server.http.planning import Planner
from airflow_remote_server.http.resources.audit import AuditRoutes
from airflow_remote_server.http.resources.batch import BatchRoutes
from airflow_remote_server.http.resources.commands import CommandRoutes
from airflow_remote_server.http.resources.jobs import JobRoutes
from airflow_remote_server.http.resources.server import ServerRoutes
from airflow_remote_server.http.resources.whoami import WhoAmIRoutes
from airflow_remote_server.http.responses import NO_PRINCIPAL, RequestContext, json_response
from airflow_remote_server.http.routes import PUBLIC, ROUTES, RUNS_COMMANDS
from airflow_remote_server.http.routing import ApiPath, find_api
from airflow_remote_server.http.sending import send_body
from airflow_remote_server.http.unavailable import UnavailableApp
from airflow_remote_server.http.waiting import WaitingRequests
from airflow_remote_server.integrations.release import warn_of_untested_release
from airflow_remote_server.jobs.audit.entry import AuditNotes
from airflow_remote_server.jobs.audit.recorder import AuditRecorder
from airflow_remote_server.jobs.audit.table import AuditTable
from airflow_remote_server.jobs.factory import make_jobs
from airflow_remote_server.jobs.watcher import JobWatcher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from _typeshed.wsgi import StartResponse, WSGIEnvironment
    from werkzeug.routing import MapAdapter

    from airflow_remote_server.config.settings import Settings

log = logging.getLogger(__name__)

DEFECT = InternalError("internal error; the webserver's log has the details")


def create_app(settings: Settings | None = None) -> Api | UnavailableApp:
    """Create the application behind the prefix.

    :param settings: the configuration; None to read Airflow's
    :returns: the API, or an application that responds with 503 if Airflow's configuration cannot be used
    """
    if settings is None:
        try:
            settings = read_settings()
        except SettingsError as error:
            log.error("The REST API answers 503: %s", error)
            return UnavailableApp()
        warn_of_untested_release(settings.airflow_release)
    return Api(settings)


class Api:
    """The API for one configuration.

    :param settings: the configuration
    """

    def __init__(self, settings: Settings) -> None:
        self.base_path = settings.base_path
        self.body_timeout = settings.body_timeout
        self.send_timeout = settings.send_timeout
        self.authenticator = Authenticator(settings)
        self.cors = Cors(settings.cors_origins, enabled=not self.authenticator.open)
        # With a single token, no other client shares the web worker.
        self.slots = RequestSlots(settings.max_requests if settings.tokens_file else sys.maxsize)
        self.jobs = make_jobs(settings)
        audit = AuditTable(self.jobs, settings.audit_seconds, settings.audit_rows)
        self.recorder = AuditRecorder(audit)
        self.jobs.reconciler.on_end = self.recorder.record_end
        self.watcher = JobWatcher(self.jobs)
        planner = Planner(settings, self.jobs, CommandSource(settings.state_dir, current_fingerprint))
        autostart = Autostart(planner, self.recorder, settings.services_autostart)
        self.jobs.found_dead.start_again = autostart.start_again
        waiting = WaitingRequests(settings.state_dir)
        dispatcher = CommandDispatcher(
            planner,
            self.jobs,
            waiting,
            settings.max_wait,
            settings.default_wait,
            settings.default_wait_sync,
        )
        self.handlers: dict[str, Callable[..., Response]] = {
            **ServerRoutes(planner, self.authenticator, settings).handlers,
            **WhoAmIRoutes(planner).handlers,
            **AuditRoutes(audit).handlers,
            **CommandRoutes(planner, dispatcher, settings).handlers,
            **BatchRoutes(planner, dispatcher, settings).handlers,
            **JobRoutes(self.jobs, waiting, settings).handlers,
        }
        self.map = Map([rule.empty() for rule in ROUTES], strict_slashes=False, merge_slashes=False)
        self.proxied = None if settings.proxy_fix is None else ProxyFix(self.respond, **settings.proxy_fix)

    def prepare(self) -> None:
        """Start the fork server ahead of the first command."""
        self.jobs.prepare()

    def watch(self) -> None:
        """Notice the ends of jobs without a request, from now on, in this process."""
        self.watcher.start()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Respond to a request.

        :param environ: the WSGI environ (PEP 3333)
        :param start_response: as in PEP 3333
        """
        environ = dict(environ)  # leave the wrapped application's environ unchanged
        if self.proxied is not None and "werkzeug.proxy_fix.orig" not in environ:
            return self.proxied(environ, start_response)
        return self.respond(environ, start_response)

    def respond(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Respond to a request, after ProxyFix if Airflow uses it.

        :param environ: the WSGI environ (PEP 3333)
        :param start_response: as in PEP 3333
        """
        script_name, path_info = environ.get("SCRIPT_NAME", ""), environ.get("PATH_INFO", "")
        path = find_api(script_name, path_info, self.base_path) or ApiPath(script_name, path_info)
        environ["SCRIPT_NAME"], environ["PATH_INFO"] = path.script_name, path.path_info
        environ[CONNECTION] = find_connection(environ, start_response)
        request = Request(environ)
        call_time, notes = envelope.now(), AuditNotes()
        try:
            response = self.dispatch(request, path, call_time, notes)
        except ApiError as error:
            notes.error = error
            response = json_response(envelope.failure(call_time, error), error.status, error.headers)
        except Exception:
            log.exception("The REST API failed on %s %r", request.method, request.path)
            notes.error = DEFECT
            response = json_response(envelope.failure(call_time, DEFECT), DEFECT.status)
        finally:
            request.close()
        self.recorder.record(request, call_time.timestamp(), notes, response)
        self.cors.add_headers(request, response)
        return send_body(response(environ, start_response), environ[CONNECTION], self.send_timeout)

    def dispatch(self, request: Request, path: ApiPath, call_time: datetime, notes: AuditNotes) -> Response:
        """Check a request, and route it.

        :param request: the request
        :param path: its path
        :param call_time: when it arrived
        :param notes: the notes for the audit log
        :raises ApiError: if it is rejected
        """
        check_headers(request.environ)
        if not path.path_info or not path.canonical:
            return redirect(request, path)
        # Route by the path alone: the Host header may hold anything.
        adapter = self.map.bind("localhost", path_info=request.path, default_method=request.method)
        preflight = self.cors.preflight_response(request)
        if preflight is not None:
            return preflight
        try:
            return self.authenticate_and_route(request, adapter, call_time, notes)
        except HTTPException as error:
            raise BadArguments(f"malformed request: {error.description}") from None

    def authenticate_and_route(
        self, request: Request, adapter: MapAdapter, call_time: datetime, notes: AuditNotes
    ) -> Response:
        """Authenticate a request unless its route is public, and call the route's handler.

        :param request: the request
        :param adapter: matches its path
        :param call_time: when it arrived
        :param notes: the notes for the audit log
        :raises ApiError: if it is rejected
        """
        routing_error: HTTPException | None = None
        values: dict[str, Any] = {}
        try:
            notes.route, matched = adapter.match()
            values = dict(matched)
        except HTTPException as error:
            routing_error = error
        if notes.route in PUBLIC:
            return self.route(RequestContext(request, call_time, NO_PRINCIPAL, notes), adapter, values)
        principal = notes.principal = self.authenticator.authenticate(request)
        context = RequestContext(request, call_time, principal, notes)
        with ExitStack() as stack:
            stack.callback(self.slots.take(principal.name))
            response = self.route(context, adapter, values, routing_error)
            if response.is_streamed:
                response.call_on_close(stack.pop_all().close)
        log.info("%s from %s: %s %s", principal.name, principal.peer, request.path, response.status_code)
        return response

    def route(
        self,
        context: RequestContext,
        adapter: MapAdapter,
        values: dict[str, Any],
        routing_error: HTTPException | None = None,
    ) -> Response:
        """Call the handler of a route.

        :param context: the request
        :param adapter: knows the methods of its path
        :param values: the variable parts of its path
        :param routing_error: if no route matches
        :raises ApiError: if no route matches, or the handler rejects the request
        """
        allowed = set(adapter.allowed_methods())
        if context.request.method == "OPTIONS" and allowed:
            return Response(status=204, headers={"Allow": ", ".join(sorted({"OPTIONS", *allowed}))})
        if routing_error is not None:
            raise no_route(context.request, routing_error)
        if context.request.method not in SAFE_METHODS and context.notes.route not in RUNS_COMMANDS:
            refuse_forgery(context)
        return self.handlers[context.notes.route](context, **values)


def redirect(request: Request, path: ApiPath) -> Response:
    """Redirect to the canonical path. The page needs its trailing slash, because its links are relative.

    The status 308 keeps the method and the body of the request.

    :param request: the request
    :param path: its path
    """
    location = path.location(request.query_string.decode("latin-1"))
    text = f"Use the path {path.location()}, or let the client follow redirects.\n"
    return Response(text, 308, {"Location": location}, content_type="text/plain; charset=utf-8")
