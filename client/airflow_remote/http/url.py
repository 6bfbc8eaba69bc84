"""Validate the URL and the token before anything is sent."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import SplitResult, urlsplit

from airflow_remote.errors import UnusableError

MOUNT = "/admin/rest_api"
VERSIONED_API = re.compile(r"/api/v\d+(\.\d+)?/")
"""Paths that no webserver is served under: those of this API below its base, and of Airflow's own API."""
DEFAULT_URL = "http://localhost:8080"


def api_base_url(url: str) -> str:
    """Return the base URL of the API, which ends with ``/admin/rest_api``.

    :param url: the URL from the user: that of the webserver, or any URL of the API, its page, or Airflow's
        own API, as users copy them from a curl command or a browser
    :raises UnusableError: if it is not an http or https URL of a server and an optional path
    """
    if any(char.isspace() or not char.isprintable() for char in url):
        raise UnusableError("the URL contains a space or a control character")
    try:
        parts = urlsplit(url)
        names_server = bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise UnusableError(f"the URL {_without_user(url)!r} cannot be used: {error}") from None
    if "@" in (parts.netloc or url):
        raise UnusableError("the URL must not contain a user or password; see --token")
    if parts.scheme not in ("http", "https"):
        example = (
            "" if "://" in url else f", as in http://{url.lstrip('/')}" if url else f", as in {DEFAULT_URL}"
        )
        raise UnusableError(f"the URL {url!r} must begin with http:// or https://{example}")
    if not names_server:
        raise UnusableError(f"the URL {url!r} names no server")
    prefix, is_api_url = _split_path(parts)
    if (parts.query or parts.fragment) and not is_api_url:
        raise UnusableError(f"the URL {url!r} must end with its path: no ? and no #")
    return f"{parts.scheme}://{parts.netloc}{prefix}{MOUNT}"


def validate_token(token: str) -> str:
    """Return the token as it is sent.

    :param token: "" for none; surrounding spaces are removed, as on the server
    :raises UnusableError: if it is not valid in a header; the message does not contain it
    """
    if any(unicodedata.category(char) in ("Cc", "Cs") for char in token):
        raise UnusableError("the token contains a line break or another control character")
    return token.strip()


def _split_path(parts: SplitResult) -> tuple[str, bool]:
    """Return the path of the webserver, without a slash at its end, and whether the URL is one of the API."""
    path = f"{parts.path}/"
    prefix, found, _ = path.rpartition(f"{MOUNT}/")
    if not found:
        prefix, *rest = VERSIONED_API.split(path, maxsplit=1)
        found = "/" if rest else ""
    return prefix.rstrip("/"), bool(found)


def _without_user(url: str) -> str:
    return "***@" + url.rpartition("@")[2] if "@" in url else url


def page_url(base: str, path: str) -> str:
    """Return the URL of one of Airflow's pages.

    :param base: the base URL of the API
    :param path: the path of the page, with or without that of the webserver
    :raises ValueError: if it could lead to another server
    """
    if not path.startswith("/") or path.startswith("//") or not path.isprintable() or "\\" in path:
        raise ValueError(f"{path[:80]!r}")
    root = base[: -len(MOUNT)]
    prefix = urlsplit(root).path
    return root[: len(root) - len(prefix)] + path if prefix and path.startswith(f"{prefix}/") else root + path
