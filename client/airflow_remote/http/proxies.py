"""Tell which proxy of the environment a request goes through, so that an error can name it."""

from __future__ import annotations

import os
import re
from typing import NamedTuple
from urllib.parse import urlsplit


class Proxy(NamedTuple):
    """A proxy.

    :param address: its URL, with user and password masked
    :param source: the environment variable that names it
    :param target: host of the requests' URL
    """

    address: str
    source: str
    target: str

    @property
    def is_socks(self) -> bool:
        """Return whether it is a SOCKS proxy."""
        return self.address.lower().startswith("socks")

    def __str__(self) -> str:
        """Return the address and the source."""
        return f"the proxy {self.address} ({self.source})"

    @property
    def advice(self) -> str:
        """Return what to do if the proxy does not work."""
        return f"check {self.source}, or set no_proxy={self.target} to connect without it"


def find_proxy(url: str) -> Proxy | None:
    """Return the proxy that ``requests`` uses for a URL; None if it connects directly.

    :param url: an http or https URL
    """
    from requests.utils import get_environ_proxies, select_proxy

    address = select_proxy(url, dict(get_environ_proxies(url, no_proxy=None)))
    if not address:
        return None
    parts = urlsplit(url)
    names = (f"{parts.scheme}_proxy", "all_proxy")
    spellings = [spelling for name in names for spelling in (name, name.upper())]
    source = next((name for name in spellings if os.environ.get(name) == address), "the system's settings")
    return Proxy(_without_user(address), source, parts.hostname or "")


def through_proxy(url: str) -> str:
    """Return " through the proxy ..." for a message; "" without a proxy."""
    proxy = find_proxy(url)
    return "" if proxy is None else f" through {proxy}"


def _without_user(address: str) -> str:
    """Mask the user and the password, which can contain any character."""
    return re.sub(r"^([A-Za-z][A-Za-z0-9+.-]*://)?.*@", r"\g<1>***@", address, flags=re.DOTALL)
