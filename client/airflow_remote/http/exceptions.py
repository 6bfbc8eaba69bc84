"""Translate the exceptions of ``requests`` and ``urllib3`` to those of this package."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow_remote.errors import LostError, NotTheApiError, UnreachableError, UnusableError

if TYPE_CHECKING:
    from collections.abc import Iterator

CONNECT_TIMEOUT = 10.0
"""How long to wait for a connection, in seconds."""


@contextmanager
def translate_errors(base: str, timeout: float) -> Iterator[None]:
    """Translate the exceptions raised in the block.

    :param base: the API's URL, for the messages
    :param timeout: seconds that were waited for a response
    :raises LostError: if the request may have arrived but the response did not
    :raises UnreachableError: if there was no connection
    :raises NotTheApiError: if the response cannot be decoded
    :raises UnusableError: if the URL is invalid
    """
    import requests
    import urllib3

    lost = f"the connection to {base} was lost before the end of the response"
    late = f"no response from {base} within {timeout:g} s (see --timeout)"
    try:
        yield
    except requests.exceptions.ConnectTimeout:
        limit = min(CONNECT_TIMEOUT, timeout)
        raise UnreachableError(f"no connection to {base} within {limit:g} s") from None
    except (requests.exceptions.Timeout, urllib3.exceptions.ReadTimeoutError):
        raise LostError(late) from None
    except (requests.exceptions.ContentDecodingError, urllib3.exceptions.DecodeError) as error:
        raise NotTheApiError(f"{base} sent a response that cannot be decoded") from error
    except requests.exceptions.ConnectionError as error:
        if _any_is(error, urllib3.exceptions.ReadTimeoutError):
            raise LostError(late) from error
        if _never_connected(error):
            raise UnreachableError(f"no connection to {base}: {_reason(error)}") from error
        raise LostError(f"{lost} ({_reason(error)})") from error
    except (
        requests.exceptions.InvalidURL,
        requests.exceptions.InvalidProxyURL,
        urllib3.exceptions.LocationParseError,
        UnicodeError,
    ) as error:
        raise UnusableError(f"the URL {base!r} cannot be used: {error}") from error
    except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError) as error:
        raise LostError(f"{lost} ({_reason(error)})") from error


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
    import requests
    import urllib3

    kinds = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ProxyError)
    return isinstance(error, requests.exceptions.SSLError) or any(_any_is(error, kind) for kind in kinds)


def _reason(error: BaseException) -> str:
    """Return the reason from the operating system or TLS, which the last exceptions in a chain carry."""
    chain = list(_chain(error))
    for link in reversed(chain):
        if isinstance(link, OSError) and isinstance(link.strerror, str):
            return link.strerror
    texts = [str(link) for link in reversed(chain) if not link.args or isinstance(link.args[0], str)]
    return next((text for text in texts if text), type(error).__name__)
