"""How an answer is to be delivered: what the standard headers of a request say about that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_remote_server.errors import BadArguments

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

JSON, TEXT, EVENTS = "application/json", "text/plain", "application/x-ndjson"

DEFAULT_WAIT = 60.0
"""Seconds that a request waits for a command when it does not say."""

LONGEST_KEY = 255


@dataclass(frozen=True)
class Delivery:
    """What a request prefers.

    :param media: the type of the answer: ``JSON``, or a stream of ``TEXT`` or ``EVENTS``
    :param wait: seconds to wait for the end of a command
    :param asked: whether the request said how long
    :param key: its Idempotency-Key; None when it has none
    """

    media: str = JSON
    wait: float = DEFAULT_WAIT
    asked: bool = False
    key: str | None = None

    @property
    def applied(self) -> dict[str, str]:
        """The ``Preference-Applied`` header (RFC 7240) for what was asked."""
        if not self.asked:
            return {}
        return {"Preference-Applied": f"wait={self.wait:g}" if self.wait else "respond-async"}


def read(request: Request, longest: float) -> Delivery:
    """Read what a request prefers.

    :param request: the request
    :param longest: seconds that it may wait at most
    :raises BadArguments: for an Idempotency-Key that cannot be one
    """
    media = request.accept_mimetypes.best_match([JSON, TEXT, EVENTS], JSON)
    asked = preferred_wait(request)
    wait = min(longest, DEFAULT_WAIT if asked is None else asked)
    return Delivery(media, wait, asked is not None, idempotency_key(request))


def preferred_wait(request: Request) -> float | None:
    """The seconds of ``Prefer: wait=N``, 0 for ``respond-async``; None when neither is there.

    What cannot be understood is ignored, as RFC 7240 has it.
    """
    found: float | None = None
    for preference in ",".join(request.headers.getlist("Prefer")).split(","):
        name, _, value = preference.partition(";")[0].strip().partition("=")
        name, value = name.strip().lower(), value.strip().strip('"')
        if name == "wait" and value.isascii() and value.isdigit():
            found = float(value[:9])
        elif name == "respond-async" and found is None:
            found = 0.0
    return found


def idempotency_key(request: Request) -> str | None:
    """The key of a request that may be sent again.

    :raises BadArguments: when it is empty, too long or not printable ASCII
    """
    value = request.headers.get("Idempotency-Key")
    if value is None:
        return None
    key = value.strip()
    if len(key) > 1 and key[0] == key[-1] == '"':  # the draft's string of RFC 8941; most clients send it bare
        key = key[1:-1]
    if not key or len(key) > LONGEST_KEY or not key.isascii() or not key.isprintable():
        raise BadArguments(f"Idempotency-Key must be 1 to {LONGEST_KEY} printable ASCII characters")
    return key
