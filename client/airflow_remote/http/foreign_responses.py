"""Explain responses that are not from the API: those of a proxy, of another server, and redirects."""

from __future__ import annotations

from airflow_remote.errors import GatewayError, NotTheApiError
from airflow_remote.http.proxies import through_proxy
from airflow_remote.http.url import MOUNT

GATEWAY = {
    502: "the webserver behind it is down: start it, or try again later",
    503: "the webserver behind it is down or slow: try again later",
    504: "the webserver behind it is slow: try again, or raise its limit (nginx: proxy_read_timeout)",
}
"""What to do about each status of a proxy whose webserver does not respond."""

OTHERS = {
    401: "it asks for a login of its own, which airflow-remote does not have: use a URL without it",
    407: "a proxy asks for a password: set it in the proxy's variable, as in http://USER:PASSWORD@HOST:PORT",
    413: "a proxy limits the size of requests: raise its limit (nginx: client_max_body_size), or send less",
}
"""What to do about further statuses of a proxy. The API itself explains the same statuses in JSON."""

NEEDS_TLS = "the server may use TLS on this port, so try --url https://"
CHECK_URL = "check --url, and that the webserver runs the middleware"


def not_the_api_error(url: str, status: int, content: str) -> NotTheApiError:
    """Return the error for a response that is not from the API.

    :param url: the URL of the request
    :param status: HTTP status
    :param content: what the response holds instead
    """
    through = "" if url.startswith("https:") else through_proxy(url)  # a proxy only forwards bytes of TLS
    message = f"{url} responded{through} with status {status} and {content}"
    if status in GATEWAY:
        return GatewayError(f"{message}: a proxy responded, and {GATEWAY[status]}")
    if status == 400 and url.startswith("http:"):
        return NotTheApiError(f"{message}: {NEEDS_TLS}")
    return NotTheApiError(f"{message}: {OTHERS.get(status, CHECK_URL)}")


def redirect_error(url: str, target: str, base: str) -> NotTheApiError:
    """Return the error for a redirect, with the URL to set if it leads to the API.

    :param url: the URL of the request
    :param target: the ``Location`` header
    :param base: the API's URL
    """
    message = f"{url} redirects to {target[:300]!r}, which is not followed: the token is for one server only"
    new_base = target.partition(MOUNT)[0]
    if MOUNT in target and new_base.startswith(("http://", "https://")) and new_base != base:
        return NotTheApiError(f"{message}; if that is the right server, set --url {new_base}")
    return NotTheApiError(f"{message}; set --url to the address that does not redirect")
