"""Read how a client wants its response, from the headers ``Accept``, ``Prefer`` and ``Idempotency-Key``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_remote_server.errors import BadArguments

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

JSON, TEXT, EVENTS = "application/json", "text/plain", "application/x-ndjson"

MAX_KEY_LENGTH = 255


@dataclass(frozen=True)
class Preferences:
    """The preferences of a request.

    :param media: the response's type: ``JSON``, or a stream of ``TEXT`` or ``EVENTS``
    :param wait: seconds to wait for the command to end
    :param explicit: whether the request itself set ``wait``
    :param key: its Idempotency-Key; None without one
    """

    media: str = JSON
    wait: float = 0.0
    explicit: bool = False
    key: str | None = None

    @property
    def applied_headers(self) -> dict[str, str]:
        """Return the ``Preference-Applied`` header (RFC 7240), if the request set a wait."""
        if not self.explicit:
            return {}
        return {"Preference-Applied": f"wait={self.wait:g}" if self.wait else "respond-async"}


def read(request: Request, max_wait: float, default_wait: float = 0.0) -> Preferences:
    """Read the preferences of a request.

    :param request: the request
    :param max_wait: the maximum time that a request may wait, in seconds
    :param default_wait: how long it waits if it does not say so, in seconds
    :raises BadArguments: if the Idempotency-Key is invalid
    """
    media = request.accept_mimetypes.best_match([JSON, TEXT, EVENTS], JSON)
    preferred = preferred_wait(request)
    wait = min(max_wait, default_wait if preferred is None else preferred)
    return Preferences(media, wait, preferred is not None, idempotency_key(request))


def preferred_wait(request: Request) -> float | None:
    """Return the seconds of ``Prefer: wait=N``, 0 for ``respond-async``, or None without either.

    Ignore invalid preferences, as RFC 7240 requires.
    """
    seconds: float | None = None
    for preference in ",".join(request.headers.getlist("Prefer")).split(","):
        name, _, value = preference.partition(";")[0].strip().partition("=")
        name, value = name.strip().lower(), value.strip().strip('"')
        if name == "wait" and value.isascii() and value.isdigit():
            seconds = float(value[:9])
        elif name == "respond-async" and seconds is None:
            seconds = 0.0
    return seconds


def idempotency_key(request: Request) -> str | None:
    """Return the Idempotency-Key of a request; None without one.

    :raises BadArguments: if the key is empty, too long or not printable ASCII
    """
    value = request.headers.get("Idempotency-Key")
    if value is None:
        return None
    key = value.strip()
    if len(key) > 1 and key[0] == key[-1] == '"':  # the draft asks for an RFC 8941 string; most clients don't
        key = key[1:-1]
    if not key or len(key) > MAX_KEY_LENGTH or not key.isascii() or not key.isprintable():
        raise BadArguments(f"Idempotency-Key must be 1 to {MAX_KEY_LENGTH} printable ASCII characters")
    return key
