"""What one peer or one token may take of a web worker, so that the others get theirs."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from contextlib import suppress
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from airflow_remote_server.errors import Busy, HeadersTooLarge

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed.wsgi import WSGIEnvironment

FREE_FAILURES = 50
"""Failed authentications of a peer before it has to wait."""

LONGEST_WAIT = 60.0
"""Seconds that it has to wait at most, after one more."""

FORGOTTEN_SECONDS = 900.0
"""After so long without a failure all is forgotten."""

MOST_PEERS = 10_000
"""Peers that are remembered; for one more the longest known goes."""

UNGUESSABLE = 32
"""Bytes of a token that nobody finds by trying: it is looked at although its peer has to wait."""

IPV6_NETWORK = 64
"""Bits of an IPv6 address that are one customer's."""

MOST_HEADER_BYTES = 64 * 1024
"""Of all headers together. gunicorn and uvicorn have limits of their own, which are about the same."""

RETRY_AFTER = "1"


class Failures:
    """Slows down who tries out tokens. Each web worker counts for itself.

    A peer may be a proxy with many users behind it. They are not locked out: a success is as good as a
    new start, and tokens that nobody can find by trying are looked at in any case.

    :param clock: tells the time, in seconds
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._lock = threading.Lock()
        self._peers: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def waiting(self, peer: str) -> Busy | None:
        """What a peer is answered that has to wait; None when it need not.

        :param peer: the address
        """
        with self._lock:
            count, last = self._peers.get(_customer(peer), (0, 0.0))
        beyond = count - FREE_FAILURES
        left = last + min(LONGEST_WAIT, 2.0 ** min(beyond, 10)) - self.clock()
        if beyond < 0 or left <= 0:
            return None
        error = Busy(
            "too many wrong tokens came from this address: wait before the next one",
            {"Retry-After": str(int(left) + 1)},
        )
        error.layer = "token"
        return error

    def add(self, peer: str) -> None:
        """Note a failure."""
        now, key = self.clock(), _customer(peer)
        with self._lock:
            count, last = self._peers.pop(key, (0, now))
            self._peers[key] = (1 if now - last > FORGOTTEN_SECONDS else count + 1, now)
            while len(self._peers) > MOST_PEERS:
                self._peers.popitem(last=False)

    def forgive(self, peer: str) -> None:
        """Note a success."""
        if self._peers:
            with self._lock:
                self._peers.pop(_customer(peer), None)


def _customer(peer: str) -> str:
    with suppress(ValueError):
        address = ip_address(peer.partition("%")[0])
        if address.version == 6 and address.ipv4_mapped is None:
            return str(ip_network((address, IPV6_NETWORK), strict=False))
    return peer


class Slots:
    """How many requests of one token a web worker serves at once; the rest of its threads is for others.

    :param most: requests
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._lock = threading.Lock()
        self._taken: dict[str, int] = {}

    def take(self, name: str) -> Callable[[], None]:
        """Take a slot.

        :param name: of the principal
        :returns: gives it back; once, however often it is called
        :raises Busy: when there is none
        """
        with self._lock:
            taken = self._taken.get(name, 0)
            if taken >= self.most:
                raise Busy(
                    f"{taken} requests of this token are being served ([rest_api_plugin] max_requests): "
                    "try again",
                    {"Retry-After": RETRY_AFTER},
                )
            self._taken[name] = taken + 1
        given_back = False

        def give_back() -> None:
            nonlocal given_back
            with self._lock:
                if not given_back:
                    given_back = True
                    self._taken[name] -= 1
                    if not self._taken[name]:
                        del self._taken[name]

        return give_back


def check_headers(environ: WSGIEnvironment) -> None:
    """See that the headers are not over the limit.

    :param environ: of the request
    :raises HeadersTooLarge: when they are
    """
    size = sum(len(name) + len(value) for name, value in environ.items() if name.startswith("HTTP_"))
    if size > MOST_HEADER_BYTES:
        raise HeadersTooLarge(f"the headers are over {MOST_HEADER_BYTES} bytes")
