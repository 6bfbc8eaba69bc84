"""Refuse forged requests: without a token, a web page of another site could send some of them.

An image, a link, or a form of a page can send a GET request, or a POST request with the content types of
forms, and a browser that uses plain HTTP may say nothing about the page. Any other content type or header
needs a preflight request (Fetch Standard, CORS-preflight fetch), which the API rejects without a token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_remote_server.auth.authenticator import SETUP_HINT, TOKEN_HEADER
from airflow_remote_server.errors import Refused
from airflow_remote_server.http.preferences import EVENTS

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

    from airflow_remote_server.http.responses import RequestContext

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

CUSTOM_HEADERS = ("HTTP_X_REQUESTED_WITH", TOKEN_HEADER)
"""The environ keys of headers that no page of another site can send; their values do not matter."""


def refuse_forgery(context: RequestContext) -> None:
    """Refuse a request that changes something if a page of another site could have sent it.

    :param context: the request
    :raises Refused: if it has no token, and no JSON body or custom header with a POST
    """
    if context.principal.forgeable and not _proves_intent(context.request):
        raise Refused(
            "Refused: without a token, a request that changes something must be a POST with the header "
            "'X-Requested-With: curl' or with a JSON body, because a web page of another site can send any "
            f"other; or {SETUP_HINT}",
            layer="site",
        )


def _proves_intent(request: Request) -> bool:
    if request.method in SAFE_METHODS:
        return False
    is_json = request.mimetype in ("application/json", EVENTS) or request.mimetype.endswith("+json")
    return is_json or any(header in request.environ for header in CUSTOM_HEADERS)
