"""Decide whether a request comes from this machine: without a token, only such requests are accepted."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

FORWARDING_HEADERS = (
    "HTTP_AKAMAI_",
    "HTTP_ALI_CDN_",
    "HTTP_CDN_",
    "HTTP_CF_",
    "HTTP_CLIENT_IP",
    "HTTP_CLOUDFRONT_",
    "HTTP_DO_CONNECTING_IP",
    "HTTP_FASTLY_",
    "HTTP_FLY_",
    "HTTP_FORWARDED",
    "HTTP_INCAP_",
    "HTTP_PROXY_CLIENT_IP",
    "HTTP_TAILSCALE_",
    "HTTP_TRUE_CLIENT_IP",
    "HTTP_VIA",
    "HTTP_WL_PROXY_CLIENT_IP",
    "HTTP_X_AKAMAI_",
    "HTTP_X_AMZN_",
    "HTTP_X_AMZ_CF_",
    "HTTP_X_APPENGINE_",
    "HTTP_X_ARR_",
    "HTTP_X_AZURE_",
    "HTTP_X_BLUECOAT_",
    "HTTP_X_CLIENT_IP",
    "HTTP_X_CLIENTIP",
    "HTTP_X_CLOUD_TRACE_CONTEXT",
    "HTTP_X_CLUSTER_CLIENT_IP",
    "HTTP_X_ENVOY_",
    "HTTP_X_FORWARDED",
    "HTTP_X_GOOG_",
    "HTTP_X_NF_",
    "HTTP_X_ORIGINAL_",
    "HTTP_X_PROXY",
    "HTTP_X_REAL_",
    "HTTP_X_REMOTE_",
    "HTTP_X_REWRITE_URL",
    "HTTP_X_SUCURI_",
    "HTTP_X_TRUE_CLIENT_IP",
    "HTTP_X_VARNISH",
    "HTTP_X_VERCEL_",
)
"""Prefixes of the environ keys of headers that proxies, load balancers, tunnels, and CDNs add.

Behind a proxy on this machine, clients may be anywhere. The list is from the documentation of these products.
A proxy that adds none of them looks like a client on this machine.
"""

HOST = re.compile(r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9.-]+))(?::[0-9]*)?")
"""A host and a port (RFC 9110, section 7.2), without user information: ``evil@127.0.0.1`` is invalid."""


def remote_reason(environ: Mapping[str, object], peer: str) -> str:
    """Return why a request may come from another machine; "" if it comes from this one.

    A request from this machine has a loopback peer and a loopback host name, and passed through no proxy.

    :param environ: the WSGI environ of the request
    :param peer: the address that it came from
    """
    if not is_loopback(peer):
        return "is open to this machine only"
    if any(header.startswith(FORWARDING_HEADERS) for header in environ):
        return "is not open through a proxy"
    if not is_loopback_host(str(environ.get("HTTP_HOST", ""))):
        # DNS rebinding: the host name of a web page may resolve to this machine.
        return "is open to a loopback host name only"
    return ""


def is_loopback(address: str) -> bool:
    """Return whether a text is a loopback address.

    ``::ffff:127.0.0.1`` is one, although its ``is_loopback`` is False before Python 3.13.

    :param address: the text, which may end in an IPv6 zone (``%lo``)
    """
    try:
        parsed = ip_address(address.rpartition("%")[0] or address)
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return parsed.is_loopback or bool(mapped and mapped.is_loopback)


def is_loopback_host(host: str) -> bool:
    """Return whether a Host header names this machine.

    :param host: the header; "" if there is none
    """
    match = HOST.fullmatch(host)
    if match is None:
        return False
    name = (match["ipv6"] or match["name"]).lower()
    return name == "localhost" or name.endswith(".localhost") or is_loopback(name)
