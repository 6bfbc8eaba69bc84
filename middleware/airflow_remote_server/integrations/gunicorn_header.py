"""Let the header of the 2016 plugin, ``rest_api_plugin_http_token``, through gunicorn.

Since release 22 gunicorn drops header names with underscores unless a trusted proxy sends them, because
``X_Forwarded_For`` and ``X-Forwarded-For`` become the same WSGI variable. `airflow webserver` offers no way
to configure this. So this one name is replaced by its hyphenated form, which becomes the same variable,
before gunicorn checks it. gunicorn's checks and limits still apply, and its policy for other names does not
change.

| gunicorn | where the name is replaced |
|---|---|
| 20, 21 | nowhere: it drops no names |
| 22 to 25 | in the bytes that ``gunicorn.http.message.Message.parse_headers`` reads |
| 25.2, 25.3 with ``gunicorn_h1c`` | in the result of that C parser as well |
| 26 and later | in the arguments of ``Message._apply_header_policy`` |

These names are private. If they are missing, gunicorn is not changed, and error messages say which header
to send.
"""

from __future__ import annotations

import importlib
import inspect
import logging
import re
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from _typeshed.wsgi import WSGIEnvironment

log = logging.getLogger(__name__)

FIELD = "REST_API_PLUGIN_HTTP_TOKEN"
HYPHENATED = "REST-API-PLUGIN-HTTP-TOKEN"
LINE = re.compile(rb"(^|\r\n)rest_api_plugin_http_token(?=[ \t]*:)", re.IGNORECASE)

MARK = "lets_token_through"
"""The attribute that marks the replaced functions."""

ALWAYS_DROPPING = ("gevent/", "Werkzeug/")
"""Prefixes of SERVER_SOFTWARE for servers that drop such names and cannot be configured."""

_unknown_gunicorn = ""


def let_token_through() -> None:
    """Make the gunicorn of this process accept the header.

    This does nothing if gunicorn does not run or drops no names, and when it is called again. Call it in
    gunicorn's master or in a worker.
    """
    global _unknown_gunicorn
    message = sys.modules.get("gunicorn.http.message")
    if message is None or not _drops_names():
        return
    try:
        known = _replace_in_policy(message) or _replace_in_lines(message)
    except Exception as error:  # noqa: BLE001 - a private name may be anything
        log.debug("gunicorn's parser is not changed: %s: %s", type(error).__name__, error)
        known = False
    if not known:
        _unknown_gunicorn = f"gunicorn {getattr(sys.modules.get('gunicorn'), '__version__', '')}".strip()
        log.info("%s", hint({}))


def hint(environ: WSGIEnvironment) -> str:
    """Return a hint that says why a request's header may be missing and what to send; "" if nothing drops it.

    :param environ: the WSGI environment of the request
    """
    software = str(environ.get("SERVER_SOFTWARE", ""))
    server = software.split(" ")[0] if software.startswith(ALWAYS_DROPPING) else _unknown_gunicorn
    if not server:
        return ""
    return f"this webserver ({server}) drops rest_api_plugin_http_token: send rest-api-plugin-http-token"


def _drops_names() -> bool:
    """Return whether this gunicorn has the setting ``header_map``, so that it drops or rejects names."""
    return hasattr(sys.modules.get("gunicorn.config"), "HeaderMap")


def _replace_in_policy(message: ModuleType) -> bool:
    """Replace the name where gunicorn 26 and later apply their policy.

    :returns: whether this gunicorn has that function
    """
    for owner in message.Message.__mro__:
        original: Callable[..., Any] | None = vars(owner).get("_apply_header_policy")
        if original is None:
            continue
        if hasattr(original, MARK):
            return True
        if tuple(inspect.signature(original).parameters)[:3] != ("self", "name", "value"):
            return False

        def apply(
            self: Any, name: str, *rest: Any, _original: Callable[..., Any] = original, **more: Any
        ) -> Any:
            # A trailer arrives after the token check, so it must not be renamed.
            trailer = more.get("from_trailer", False)
            return _original(self, HYPHENATED if name == FIELD and not trailer else name, *rest, **more)

        setattr(apply, MARK, True)
        owner._apply_header_policy = apply  # noqa: SLF001 - guarded by ``let_token_through``
        return True
    return False


def _replace_in_lines(message: ModuleType) -> bool:
    """Replace the name in the bytes that gunicorn 22 to 25 parse.

    :returns: whether this gunicorn parses them that way
    """
    original: Callable[..., Any] = message.Message.parse_headers
    if hasattr(original, MARK):
        return True
    if tuple(inspect.signature(original).parameters) != ("self", "data", "from_trailer"):
        return False
    if hasattr(message, "_check_fast_parser"):
        _replace_in_c_parser(message)

    def parse_headers(self: Any, data: bytes, from_trailer: bool = False) -> Any:
        if not from_trailer:
            data = LINE.sub(rb"\1" + HYPHENATED.lower().encode(), bytes(data))
        return original(self, data, from_trailer=from_trailer)

    setattr(parse_headers, MARK, True)
    message.Message.parse_headers = parse_headers
    return True


def _replace_in_c_parser(message: ModuleType) -> None:
    """Replace the name in what the C parser returns to gunicorn 25.2 and 25.3, where it is installed."""
    # gunicorn imports it for the first request, unless these variables say that it is imported already.
    parser = message._fast_parser_module  # noqa: SLF001 - guarded by ``let_token_through``
    if parser is None:
        try:
            parser = importlib.import_module("gunicorn_h1c")
        except ImportError:
            return
    vars(message).update(_fast_parser_available=True, _fast_parser_module=_CParser(parser))


class _CParser:
    """Wraps the module ``gunicorn_h1c``, and replaces the name in its parsed requests.

    :param module: the module
    """

    def __init__(self, module: ModuleType) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)

    def parse_request(self, *arguments: Any, **limits: Any) -> Any:
        """Parse the head of a request. Trailers are parsed elsewhere."""
        result = self._module.parse_request(*arguments, **limits)
        result["headers"] = [
            (HYPHENATED.encode() if name.upper() == FIELD.encode() else name, value)
            for name, value in result["headers"]
        ]
        return result
