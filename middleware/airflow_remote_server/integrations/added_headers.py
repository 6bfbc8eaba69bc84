"""Tell the client's Authorization header from one that Airflow adds.

With ``[core] simple_auth_manager_all_admins``, a middleware of Airflow 3 appends an Authorization header with
a token of Airflow's own to each request (``SimpleAllAdminMiddleware``). Airflow's plugins are inside it, so a
request without a token would count as one with a wrong token.

This project's middleware may also be outside of it, as with the gunicorn configuration. So the order of the
application's middleware decides, which Starlette keeps in ``user_middleware``, the outermost first. If this
name is missing, no header is removed.
"""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Headers = list[tuple[bytes, bytes]]

ADDS_AUTHORIZATION = "airflow.api_fastapi.auth.managers.simple.middleware.SimpleAllAdminMiddleware"


def without_added_authorization(scope: Mapping[str, Any], inner: type) -> Headers:
    """Return the headers of a request without the one that Airflow appended.

    :param scope: the ASGI scope of the request
    :param inner: the class of the middleware that asks
    """
    headers: Headers = list(scope["headers"])
    if ADDS_AUTHORIZATION in _names_outside(getattr(scope.get("app"), "user_middleware", ()), inner):
        places = [place for place, (name, _) in enumerate(headers) if name == b"authorization"]
        if places:
            del headers[places[-1]]
    return headers


def _names_outside(stack: Iterable[Any], inner: type) -> set[str]:
    """Return the names of the classes that are outside of a middleware; none if it is not in the stack."""
    classes = [getattr(entry, "cls", None) for entry in stack]
    if inner not in classes:
        return set()
    outside = takewhile(lambda each: each is not inner, classes)
    return {f"{getattr(each, '__module__', '')}.{getattr(each, '__qualname__', '')}" for each in outside}
