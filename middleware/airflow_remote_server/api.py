"""The WSGI application behind the prefix: routes, one gate in front of them, and answers."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

from sqlalchemy.engine import URL
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from airflow_remote_server import arguments, envelope
from airflow_remote_server import settings as configuration
from airflow_remote_server.audit.routes import AuditRoute
from airflow_remote_server.audit.rows import Rows
from airflow_remote_server.audit.trail import Trail
from airflow_remote_server.auth import Authenticator
from airflow_remote_server.catalogue.source import Source
from airflow_remote_server.catalogue.validation import nearest
from airflow_remote_server.commands import Commands
from airflow_remote_server.cors import Cors
from airflow_remote_server.endpoints import Endpoints
from airflow_remote_server.errors import (
    ApiError,
    BadArguments,
    InternalError,
    MethodNotAllowed,
    NotFound,
    Unavailable,
)
from airflow_remote_server.jobs.routes import RULES, JobRoutes
from airflow_remote_server.jobs.service import Jobs
from airflow_remote_server.jobs.store import Store
from airflow_remote_server.limits import Slots, check_headers
from airflow_remote_server.middleware import split_path
from airflow_remote_server.openapi import OpenApi
from airflow_remote_server.responses import (
    NOBODY,
    Answer,
    Call,
    Notes,
    respond,
    revalidated,
)
from airflow_remote_server.runner.cold import ColdRunner
from airflow_remote_server.runner.warm import WarmRunner
from airflow_remote_server.web import Page
from airflow_remote_server.whoami import WhoAmI

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from airflow_remote_server.catalogue.spec import Endpoint
    from airflow_remote_server.settings import Settings

log = logging.getLogger(__name__)

ROUTES = (
    Rule("/", endpoint="page", methods=["GET"]),
    Rule("/static/<name>", endpoint="static", methods=["GET"]),
    Rule("/static/<string(length=16):version>/<name>", endpoint="static", methods=["GET"]),
    Rule("/api/v1.0/health", endpoint="health", methods=["GET"]),
    Rule("/api/v1.0/openapi.json", endpoint="openapi", methods=["GET"]),
    *RULES,
    Rule("/api/v1.0/whoami", endpoint="whoami", methods=["GET"]),
    Rule("/api/v1.0/audit", endpoint="audit", methods=["GET"]),
    Rule("/api/v1.0/commands", endpoint="commands", methods=["GET"]),
    Rule("/api/v1.0/commands/<path:words>", endpoint="command", methods=["GET", "POST"]),
    Rule("/api/v1.0/<name>", endpoint="classic", methods=["GET", "POST"]),
    Rule("/api", endpoint="ancestor", methods=["GET", "POST"]),
)
PUBLIC = frozenset({"page", "static", "health"})
"""What needs no token. Everything else does, also what does not exist."""

CATALOGUE_HEADER = "Airflow-Remote-Catalogue"
"""The ETag of the catalogue, for clients that keep one."""

DEFECT = InternalError("internal error; the webserver's log has the details")
UNREADABLE = Unavailable("The REST API's configuration cannot be used; the webserver's log says why")


class Api:
    """The API for one configuration.

    :param settings: the configuration; None to read Airflow's. When that cannot be used, every route
        answers 503: nobody gets in by a mistake in a configuration.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.base_path = ""
        self.body_timeout = arguments.BODY_SECONDS
        self.settings = settings
        try:
            if settings is None:
                self.base_path = configuration.base_path()
                self.settings = settings = configuration.from_airflow()
        except configuration.SettingsError as error:
            log.error("The REST API answers 503: %s", error)
            return
        self.base_path = settings.base_path
        self.limit = settings.max_body_bytes
        self.body_timeout = settings.body_timeout
        self.authenticate = Authenticator(settings)
        self.cors = Cors(settings.cors_origins, enabled=not self.authenticate.open)
        # Where there is but one token, there is nobody to leave anything to.
        self.slots = Slots(settings.max_requests if settings.tokens_file else sys.maxsize)
        self.jobs = make_jobs(settings)
        rows = Rows(self.jobs, settings.audit_seconds, settings.audit_rows)
        self.trail = Trail(rows)
        source = Source(settings.state_dir, configuration.current_fingerprint)
        self.endpoints = Endpoints(settings, self.jobs, source)
        self.runner = Commands(self.endpoints, self.jobs, settings.max_wait)
        self.page = Page(self.endpoints.all, settings.airflow_major, self.authenticate.open)
        self.openapi = OpenApi(self.endpoints.all, anonymous=self.authenticate.open)
        self.handlers: dict[str, Callable[..., Response]] = {
            "page": self.handle_page,
            "static": self.handle_static,
            "health": self.handle_health,
            "whoami": WhoAmI(self.endpoints),
            "openapi": self.handle_openapi,
            "audit": AuditRoute(rows),
            "commands": self.handle_commands,
            "command": self.handle_command,
            "classic": self.handle_classic,
            "ancestor": self.handle_ancestor,
            **JobRoutes(self.jobs, settings).handlers,
        }
        self.map = Map([rule.empty() for rule in ROUTES], strict_slashes=False, merge_slashes=False)
        self.proxied = None if settings.proxy_fix is None else ProxyFix(self.answer, **settings.proxy_fix)

    def prepare(self) -> None:
        """Have the warm host started."""
        if self.settings is not None:
            self.jobs.prepare()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ = dict(environ)  # the wrapped application's is left as it is
        proxied = None if self.settings is None else self.proxied
        if proxied is not None and "werkzeug.proxy_fix.orig" not in environ:
            return proxied(environ, start_response)
        return self.answer(environ, start_response)

    def answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request for the API.

        :param environ: the WSGI environ, after ProxyFix where Airflow uses it
        :param start_response: as PEP 3333 has it
        """
        split = split_path(environ.get("SCRIPT_NAME", ""), environ.get("PATH_INFO", ""), self.base_path)
        if split is not None:
            environ["SCRIPT_NAME"], environ["PATH_INFO"] = split
        request = Request(environ)
        call_time, notes = envelope.now(), Notes()
        try:
            response = self.dispatch(request, call_time, notes)
        except ApiError as error:
            notes.error = error
            response = respond(envelope.failure(call_time, error), error.status, error.headers)
        except Exception:
            log.exception("The REST API failed on %s %r", request.method, request.path)
            notes.error = DEFECT
            response = respond(envelope.failure(call_time, DEFECT), DEFECT.status)
        finally:
            request.close()
        if self.settings is not None:
            self.trail(request, call_time.timestamp(), notes, response)
            self.cors.permit(request, response)
        return response(environ, start_response)

    def dispatch(self, request: Request, call_time: datetime, notes: Notes) -> Response:
        """Route a request, once it is known who asks.

        :raises ApiError: when it cannot be served
        """
        if self.settings is None:
            raise UNREADABLE
        check_headers(request.environ)
        if not request.environ["PATH_INFO"]:
            query = request.query_string.decode("latin-1")
            location = request.environ["SCRIPT_NAME"] + "/" + (f"?{query}" if query else "")
            return Response(status=308, headers={"Location": location})
        # Only the path decides: a Host header may hold anything.
        adapter = self.map.bind("localhost", path_info=request.path, default_method=request.method)
        try:
            route, found = adapter.match()
        except HTTPException as error:
            route, found = "", {"error": error}
        preflight = self.cors.preflight(request)
        if preflight is not None:
            return preflight
        notes.route = route
        give_back: Callable[[], None] | None = None
        try:
            principal = None if route in PUBLIC else self.authenticate(request)
            if principal is not None:
                notes.principal = principal
                give_back = self.slots.take(principal.name)
            allowed = set(adapter.allowed_methods())
            if request.method == "OPTIONS" and allowed:
                return Response(status=204, headers={"Allow": ", ".join(sorted({"OPTIONS", *allowed}))})
            if not route:
                raise self.unrouted(request, found["error"])
            response = self.handlers[route](Call(request, call_time, principal or NOBODY, notes), **found)
            if give_back is not None and response.is_streamed:
                response.call_on_close(give_back)
                give_back = None
        except HTTPException as error:
            raise BadArguments(f"the request cannot be understood: {error.description}") from None
        finally:
            if give_back is not None:
                give_back()
        if principal is not None:
            log.info("%s from %s: %s %s", principal.name, principal.peer, request.path, response.status_code)
        return response

    def unrouted(self, request: Request, error: HTTPException) -> ApiError:
        """The answer for a path or method that no route has."""
        allowed = getattr(error, "valid_methods", None)
        if allowed:
            allow = ", ".join(sorted(allowed))
            return MethodNotAllowed(f"{request.method} is not possible here; use {allow}", {"Allow": allow})
        hint = nearest(request.path, ["/", "/api", "/api/v1.0/version", "/api/v1.0/health"])
        return NotFound(f"nothing is at {request.path[:200]!r} of the REST API{hint}")

    def handle_page(self, call: Call) -> Response:
        """``GET /``."""
        return self.page.html(call.request)

    def handle_static(self, call: Call, name: str, version: str = "") -> Response:
        """``GET /static/NAME``, ``GET /static/VERSION/NAME``."""
        return self.page.static(call.request, name, version)

    def handle_health(self, call: Call) -> Response:
        """``GET /api/v1.0/health``."""
        problem = self.authenticate.problem
        if problem:
            return respond({"status": "unhealthy", "reason": problem}, 503)
        return respond({"status": "healthy"}, 200)

    def handle_openapi(self, call: Call) -> Response:
        """``GET /api/v1.0/openapi.json``."""
        text, etag = self.openapi(self.endpoints.live(call.principal.permit), call.root)
        return revalidated(Response(text, content_type="application/json"), etag, call.request)

    def handle_commands(self, call: Call) -> Response:
        """``GET /api/v1.0/commands``."""
        catalogue = self.endpoints.live(call.principal.permit)
        response = Response(catalogue.text, content_type="application/json")
        return revalidated(response, catalogue.etag, call.request)

    def handle_command(self, call: Call, words: str) -> Response:
        """``GET|POST /api/v1.0/commands/GROUP/COMMAND``."""
        catalogue = self.endpoints.live(call.principal.permit)
        told = {CATALOGUE_HEADER: f'"{catalogue.etag}"'}
        try:
            response = self.run_live(call, catalogue.find(words.replace("/", " ")))
        except ApiError as error:
            error.headers.update(told)
            raise
        response.headers.update(told)
        return response

    def run_live(self, call: Call, endpoint: Endpoint) -> Response:
        """Run a command by its own name.

        :raises MethodNotAllowed: when it changes something and is asked for by GET
        """
        if not endpoint.read_only and call.request.method != "POST":
            raise MethodNotAllowed(
                f"`{endpoint.name}` changes something; use POST", {"Allow": "OPTIONS, POST"}
            )
        if call.request.method == "HEAD":
            return respond({}, 200)
        call.notes.name = endpoint.name
        query, body = arguments.read(call.request, self.limit, self.body_timeout)
        return self.runner(call, endpoint, arguments.merge(query, body))

    def handle_classic(self, call: Call, name: str) -> Response:
        """``GET|POST /api/v1.0/NAME``."""
        endpoint = self.endpoints.find(name)
        if call.request.method == "HEAD":
            return respond({}, 200)  # HEAD is safe (RFC 9110): nothing may be run for it
        call.notes.name = endpoint.name
        query, body = arguments.read(call.request, self.limit, self.body_timeout)
        return self.runner(call, endpoint, arguments.merge(query, body))

    def handle_ancestor(self, call: Call) -> Response:
        """``GET|POST /api?api=NAME``: output in parts, and arguments apart by where they came from."""
        query, body = arguments.read(call.request, self.limit, self.body_timeout)
        names = [*query.pop("api", []), *body.pop("api", [])]
        if len(names) != 1:
            raise BadArguments("give the endpoint's name once, as api=NAME")
        endpoint = self.endpoints.find(str(names[0]))
        if call.request.method == "HEAD":
            return respond({}, 200)

        def reshape(answer: Answer) -> Answer:
            shown = answer.fields.get("arguments", {})
            answer.fields["arguments"] = {name: value for name, value in shown.items() if name not in body}
            answer.fields["post_arguments"] = {name: value for name, value in shown.items() if name in body}
            output = answer.error.message if answer.error else answer.fields.get("output", "")
            answer.fields["output"] = {
                "stdout": answer.fields.get("stdout", output),
                "stderr": answer.fields.get("stderr", ""),
                "stdin": "",
            }
            return answer

        return self.runner(call, endpoint, arguments.merge(query, body), ignore_unknown=True, reshape=reshape)


def make_jobs(settings: Settings) -> Jobs:
    """The jobs of a configuration.

    :param settings: the configuration
    """
    state = settings.state_dir
    cold = ColdRunner(state, settings.max_running)
    runner = WarmRunner(state / "host", configuration.current_fingerprint, cold)
    return Jobs(
        settings, Store(settings.jobs_url or URL.create("sqlite", database=str(state / "jobs.db"))), runner
    )
