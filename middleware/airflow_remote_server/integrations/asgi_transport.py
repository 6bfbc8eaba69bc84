"""Find the transport of an ASGI server's connection.

ASGI has no message that breaks a response off. Starlette's ``BaseHTTPMiddleware``, which Airflow uses, even
completes a response before it passes an exception on. So the connection itself has to be closed.
"""

from __future__ import annotations

from functools import partial
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asyncio import Transport
    from collections.abc import Iterator

MAX_STEPS = 1000
"""How many objects to look at; each middleware adds a few."""


def find_transport(*callables: Any) -> Transport | None:
    """Return the transport behind the ``send`` and ``receive`` of a request; None if there is none.

    In uvicorn they are methods of a ``RequestResponseCycle``, which has the transport. Middlewares wrap them
    in functions and objects, so all callables that these refer to are followed.

    :param callables: ``send`` and ``receive``
    """
    waiting, seen = list(callables), set[int]()
    while waiting and len(seen) < MAX_STEPS:
        current = waiting.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        transport: Transport | None = getattr(current, "transport", None)
        if all(hasattr(transport, name) for name in ("abort", "close", "is_closing", "write")):
            return transport
        waiting.extend(_referents(current))
    return None


def _referents(current: Any) -> Iterator[Any]:
    if isinstance(current, MethodType):
        yield current.__self__
        yield current.__func__
    elif isinstance(current, partial):
        yield from (current.func, *current.args, *current.keywords.values())
    elif isinstance(current, FunctionType):
        for cell in current.__closure__ or ():
            try:
                value = cell.cell_contents
            except ValueError:  # not assigned yet
                continue
            if isinstance(value, (FunctionType, MethodType, partial)):
                yield value
    else:
        # An object that wraps them, such as the request of BaseHTTPMiddleware.
        for value in getattr(current, "__dict__", {}).values():
            if isinstance(value, (FunctionType, MethodType, partial)):
                yield value
