"""Cross-origin requests (CORS): pages of the configured origins may use the API with a token.

The API never authenticates by cookie, so it never allows credentials. Without a configured token, no origin
is allowed: ``auth`` then rejects cross-site requests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from werkzeug.wrappers import Response

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

METHODS = "DELETE, GET, HEAD, POST"
REQUEST_HEADERS = (
    "Authorization, Content-Type, Idempotency-Key, If-None-Match, Prefer, Range, rest-api-plugin-http-token"
)
EXPOSED_HEADERS = (
    "Airflow-Remote-Catalog, Airflow-Remote-Job-State, Airflow-Remote-Next-Offset, "
    "Airflow-Remote-Output-Sizes, Content-Disposition, ETag, Location, "
    "Preference-Applied, Retry-After"
)
MAX_AGE = "600"


class Cors:
    """Tell browsers which origins may use the API.

    :param origins: the allowed origins
    :param enabled: False to allow no origin
    """

    def __init__(self, origins: tuple[str, ...], enabled: bool = True) -> None:
        self.origins = frozenset(origins) if enabled else frozenset()

    def preflight_response(self, request: Request) -> Response | None:
        """Return the response to a preflight request of an allowed origin; None for any other request.

        A preflight request carries no token, so the response is the same for every path.
        """
        headers = request.headers
        is_preflight = request.method == "OPTIONS" and "Access-Control-Request-Method" in headers
        if not is_preflight or headers.get("Origin") not in self.origins:
            return None
        return Response(
            status=204,
            headers={
                "Access-Control-Allow-Methods": METHODS,
                "Access-Control-Allow-Headers": REQUEST_HEADERS,
                "Access-Control-Max-Age": MAX_AGE,
            },
        )

    def add_headers(self, request: Request, response: Response) -> None:
        """Let the requesting page read a response if its origin is allowed.

        :param request: the request
        :param response: its response, which gets the headers
        """
        if not self.origins:
            return
        response.vary.add("Origin")
        origin = request.headers.get("Origin")
        if origin in self.origins:
            response.headers["Access-Control-Allow-Origin"] = str(origin)
            response.headers["Access-Control-Expose-Headers"] = EXPOSED_HEADERS
