"""Say what to do about a path or method that no route has."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airflow_remote_server.errors import MethodNotAllowed, NotFound
from airflow_remote_server.http.routes import ROUTES
from airflow_remote_server.util.suggestions import did_you_mean

if TYPE_CHECKING:
    from werkzeug.exceptions import HTTPException
    from werkzeug.wrappers import Request

    from airflow_remote_server.errors import ApiError

API = "/api/v1.0"
COMMANDS = f"{API}/commands"

COMMAND = re.compile(r"(?:/api)?(?:/v1\.0)?/(?P<words>[a-z][a-z_-]*(?:/[a-z][a-z_-]*){1,2})/?")
"""A path that may be a command of Airflow, in a wrong place, such as ``/api/v1.0/dags/trigger``."""

PATHS = tuple(rule.rule for rule in ROUTES if "<" not in rule.rule)
OTHER_WORDS = frozenset(rule.rule.removeprefix(f"{API}/").partition("/")[0] for rule in ROUTES)
"""What the paths of other routes begin with, such as ``jobs``."""


def no_route(request: Request, error: HTTPException) -> ApiError:
    """Return the error for a path or method that no route has.

    :param request: the request
    :param error: raised by the routing
    """
    methods = getattr(error, "valid_methods", None)
    if methods:
        allow = ", ".join(sorted(methods))
        return MethodNotAllowed(f"method {request.method} is not allowed; use {allow}", {"Allow": allow})
    hint = command_hint(request.path) or did_you_mean(request.path, (*PATHS, f"{API}/version"))
    return NotFound(f"no such path: {request.path[:200]!r}{hint}")


def command_hint(path: str) -> str:
    """Return a hint that names the path of a command of Airflow; "" if a path does not look like one.

    Whether the command exists is not known here: that may take the start of a process.

    :param path: the path below the prefix
    """
    match = COMMAND.fullmatch(path)
    words = "" if match is None else match["words"].replace("_", "-")
    if not words or words.partition("/")[0] in OTHER_WORDS:
        return ""
    return f"; for the command `{words.replace('/', ' ')}`, use {f'{COMMANDS}/{words}'!r}"
