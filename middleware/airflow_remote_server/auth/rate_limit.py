"""Slow down addresses that send wrong tokens."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address, ip_network

from airflow_remote_server.errors import Busy

FREE_FAILURES = 50
"""The number of failed authentications before an address has to wait."""

LONGEST_WAIT = 60.0
"""The longest wait after a failure, in seconds."""

FORGOTTEN_SECONDS = 900.0
"""Failures are forgotten after this time without another one, in seconds."""

MOST_PEERS = 10_000
"""How many addresses are remembered; the oldest entry makes room for a new one."""

UNGUESSABLE = 32
"""The minimum length of a token that cannot be guessed: it is checked even if its address has to wait."""

IPV6_NETWORK = 64
"""The length of the prefix of an IPv6 network that usually belongs to a single customer, in bits."""


class FailureThrottle:
    """Slows down addresses that guess tokens. Each web worker counts on its own.

    An address may belong to a proxy with many users. They are not locked out: a success resets the count, and
    tokens that cannot be guessed are always checked.

    :param clock: returns the time, in seconds
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._lock = threading.Lock()
        self._peers: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def refusal_for(self, peer: str) -> Busy | None:
        """Return the error for an address that has to wait; None if it need not wait.

        :param peer: the address
        """
        with self._lock:
            count, last = self._peers.get(_network_of(peer), (0, 0.0))
        beyond = count - FREE_FAILURES
        left = last + min(LONGEST_WAIT, 2.0 ** min(beyond, 10)) - self.clock()
        if beyond < 0 or left <= 0:
            return None
        error = Busy(
            "too many wrong tokens came from this address: wait before you try again",
            {"Retry-After": str(int(left) + 1)},
        )
        error.layer = "token"
        return error

    def record_failure(self, peer: str) -> None:
        """Record a failed authentication.

        :param peer: the address
        """
        now, key = self.clock(), _network_of(peer)
        with self._lock:
            count, last = self._peers.pop(key, (0, now))
            self._peers[key] = (1 if now - last > FORGOTTEN_SECONDS else count + 1, now)
            while len(self._peers) > MOST_PEERS:
                self._peers.popitem(last=False)

    def record_success(self, peer: str) -> None:
        """Record a successful authentication, which resets the count.

        :param peer: the address
        """
        if self._peers:
            with self._lock:
                self._peers.pop(_network_of(peer), None)


def _network_of(peer: str) -> str:
    """Return the network that an IPv6 address belongs to, or the address itself."""
    with suppress(ValueError):
        address = ip_address(peer.partition("%")[0])
        if address.version == 6 and address.ipv4_mapped is None:
            return str(ip_network((address, IPV6_NETWORK), strict=False))
    return peer
