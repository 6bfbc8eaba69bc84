"""Web pages of other sites (CORS): those of the configured origins may use the API, with a token.

No cookie authenticates anything here, so credentials are never allowed. Without a token nothing is: the check
in ``auth`` refuses other sites' pages then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from werkzeug.wrappers import Response

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

METHODS = "GET, HEAD, POST"
HEADERS = (
    "Authorization, Content-Type, Idempotency-Key, If-None-Match, Prefer, Range, rest-api-plugin-http-token"
)
EXPOSED = (
    "Airflow-Remote-Catalogue, Airflow-Remote-Next-Offset, Content-Disposition, ETag, Location, "
    "Preference-Applied, Retry-After"
)
MAX_AGE = "600"


class Cors:
    """Tells browsers which pages may use the API.

    :param origins: of these pages
    :param enabled: False to let none
    """

    def __init__(self, origins: tuple[str, ...], enabled: bool = True) -> None:
        self.origins = frozenset(origins) if enabled else frozenset()

    def preflight(self, request: Request) -> Response | None:
        """The answer to a browser that asks whether a page may make a request; None to any other request.

        It bears no token, and so it says only what is the same for every path.
        """
        headers = request.headers
        asks = request.method == "OPTIONS" and "Access-Control-Request-Method" in headers
        if not asks or headers.get("Origin") not in self.origins:
            return None
        said = {
            "Access-Control-Allow-Methods": METHODS,
            "Access-Control-Allow-Headers": HEADERS,
            "Access-Control-Max-Age": MAX_AGE,
        }
        return Response(status=204, headers=said)

    def permit(self, request: Request, response: Response) -> None:
        """Let a page read a response, when it may.

        :param request: it
        :param response: to be changed
        """
        if not self.origins:
            return
        response.vary.add("Origin")
        origin = request.headers.get("Origin")
        if origin in self.origins:
            response.headers["Access-Control-Allow-Origin"] = str(origin)
            response.headers["Access-Control-Expose-Headers"] = EXPOSED
