"""Translate the exceptions of ``requests`` and ``urllib3`` to those of this package."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow_remote.errors import LostError, NotTheApiError, UnreachableError, UnusableError
from airflow_remote.http.proxies import find_proxy, through_proxy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_remote.errors import RemoteError

CONNECT_TIMEOUT = 10.0
"""How long to wait for a connection, in seconds."""

NEW_NAME = "set --url to a name that the certificate has"
NEW_ISSUER = "set --cacert to the certificate of its issuer"
CERTIFICATE_ADVICE = {
    9: "check the clock of this machine",
    **dict.fromkeys((2, 18, 19, 20, 21), NEW_ISSUER),
    **dict.fromkeys((62, 64), NEW_NAME),
}
"""What to do by OpenSSL's ``X509_V_ERR`` number: not yet valid; issuer unknown; wrong host name or address.

For all others, such as an expired certificate, the server needs a new one. Source: OpenSSL's ``x509_vfy.h``.
"""


@contextmanager
def translate_errors(base: str, timeout: float) -> Iterator[None]:
    """Translate the exceptions raised in the block.

    :param base: the API's URL, for the messages
    :param timeout: seconds that were waited for a response
    :raises LostError: if the request may have arrived but the response did not
    :raises UnreachableError: if there was no connection
    :raises NotTheApiError: if the response cannot be decoded
    :raises UnusableError: if the URL or that of a proxy is invalid
    """
    import requests
    import urllib3

    begin = time.monotonic()
    try:
        yield
    except requests.exceptions.ConnectTimeout:
        raise _unconnected(base, timeout) from None
    except (requests.exceptions.Timeout, urllib3.exceptions.ReadTimeoutError):
        raise _late(base, timeout, begin) from None
    except (requests.exceptions.ContentDecodingError, urllib3.exceptions.DecodeError) as error:
        raise NotTheApiError(f"{base} sent a response that cannot be decoded") from error
    except requests.exceptions.ConnectionError as error:
        raise _connection_error(base, timeout, begin, error) from error
    except (
        requests.exceptions.InvalidURL,
        requests.exceptions.InvalidSchema,
        urllib3.exceptions.LocationValueError,
        urllib3.exceptions.ProxySchemeUnknown,
        UnicodeError,
    ) as error:
        raise _invalid_url(base, error) from error
    except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError) as error:
        raise _lost(base, error) from error


def _connection_error(base: str, timeout: float, begin: float, error: BaseException) -> RemoteError:
    """Return the error for a connection that failed.

    :param begin: when the block was entered
    :param error: the ``ConnectionError`` of ``requests``, which stands for many reasons
    """
    import http.client
    import socket

    import requests
    import urllib3

    if _any_is(error, urllib3.exceptions.ReadTimeoutError):
        return _late(base, timeout, begin)
    if _any_is(error, http.client.InvalidURL):  # urllib3 1 does not check the name of a proxy
        return _invalid_url(base, error)
    if isinstance(error, requests.exceptions.SSLError):
        return _tls_error(base, error)
    if not _never_connected(error):
        return _lost(base, error)
    if _any_is(error, socket.timeout):  # urllib3 1, for a proxy's tunnel
        return _unconnected(base, timeout)
    return _unreachable(base, _reason(error))


def _unreachable(base: str, reason: str) -> UnreachableError:
    proxy = find_proxy(base)
    if proxy is None:
        return UnreachableError(
            f"no connection to {base}: {reason}; check --url, and that the webserver runs"
        )
    return UnreachableError(f"no connection to {base} through {proxy}: {reason}; {proxy.advice}")


def _tls_error(base: str, error: BaseException) -> UnreachableError:
    """Return the error for a failed TLS handshake.

    :param error: the exception of ``requests``, which hides that of ``ssl``
    """
    import ssl

    chain = list(_chain(error))
    certificate = next((link for link in chain if isinstance(link, ssl.SSLCertVerificationError)), None)
    if certificate is not None:
        reason = certificate.verify_message.rstrip(".")
        advice = CERTIFICATE_ADVICE.get(certificate.verify_code, "the server needs a new certificate")
        return UnreachableError(f"{base} has a certificate that is not trusted: {reason}; {advice}")
    reason = _reason(error)
    if any(type(link).__name__ == "CertificateError" for link in chain):  # urllib3 1 compares the name itself
        return UnreachableError(f"{base} has a certificate that is not trusted: {reason}; {NEW_NAME}")
    speaks_http = any(getattr(link, "reason", None) == "WRONG_VERSION_NUMBER" for link in chain)
    advice = "the server does not use TLS, so set --url to http://" if speaks_http else "check --url"
    return UnreachableError(f"no connection to {base}: {reason}; {advice}")


def _unconnected(base: str, timeout: float) -> UnreachableError:
    return _unreachable(base, f"no answer within {min(CONNECT_TIMEOUT, timeout):g} s")


def _late(base: str, timeout: float, begin: float) -> UnreachableError:
    """Return the error for a response that did not come in time.

    urllib3 reports the time-out of a TLS handshake or of a proxy's tunnel as one of a response, but these
    have the shorter limit of a connection, and nothing was sent.
    """
    if time.monotonic() - begin < 0.9 * timeout:
        return _unconnected(base, timeout)
    return LostError(f"no response from {base}{through_proxy(base)} within {timeout:g} s (see --timeout)")


def _lost(base: str, error: BaseException) -> LostError:
    path = f"{base}{through_proxy(base)}"
    return LostError(f"the connection to {path} was lost before the end of the response ({_reason(error)})")


def _invalid_url(base: str, error: BaseException) -> UnusableError:
    """Return the error for a URL that ``requests`` refuses: that of the proxy, if there is one.

    The API's URL is validated before; with a proxy, its host name is not looked up.
    """
    import requests

    proxy = find_proxy(base)
    if proxy is None:
        return UnusableError(f"the URL {base!r} cannot be used: {error}")
    if proxy.is_socks and isinstance(error, requests.exceptions.InvalidSchema):
        return UnusableError(
            f"{proxy} is a SOCKS proxy, which needs PySocks: run pip install 'requests[socks]', "
            f"or set no_proxy={proxy.target} to connect without it"
        )
    return UnusableError(f"{proxy} has no valid URL, such as http://HOST:PORT: {proxy.advice}")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and its causes, including those that urllib3 keeps in ``reason`` or ``args``."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        current = waiting.pop(0)
        if isinstance(current, BaseException) and id(current) not in seen:
            seen.add(id(current))
            yield current
            waiting += [
                getattr(current, "reason", None),
                *current.args,
                current.__cause__,
                current.__context__,
            ]


def _any_is(error: BaseException, kind: type[BaseException]) -> bool:
    return any(isinstance(link, kind) for link in _chain(error))


def _never_connected(error: BaseException) -> bool:
    import urllib3

    kinds = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ProxyError)
    return any(_any_is(error, kind) for kind in kinds)


def _reason(error: BaseException) -> str:
    """Return the reason from the operating system or TLS, which the last exceptions in a chain carry."""
    chain = list(_chain(error))
    for link in reversed(chain):
        if isinstance(link, OSError) and isinstance(link.strerror, str):
            return link.strerror
    texts = [str(link) for link in reversed(chain) if not link.args or isinstance(link.args[0], str)]
    return next((text for text in texts if text), type(error).__name__)
