"""What can go wrong with a connection, from the exceptions of ``requests`` and ``urllib3`` to our own."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow_remote.errors import LostError, NotTheApiError, UnreachableError, UnusableError

if TYPE_CHECKING:
    from collections.abc import Iterator

CONNECT_TIMEOUT = 10.0
"""Seconds."""


@contextmanager
def translated(base: str, timeout: float) -> Iterator[None]:
    """Turn what ``requests`` raises into our own errors.

    :param base: the API's URL, for the messages
    :param timeout: seconds that were waited for an answer
    :raises LostError: when the request may have come through, and its answer did not
    :raises UnreachableError: when there was no connection
    :raises NotTheApiError: when the answer cannot be decoded
    :raises UnusableError: when the URL turns out to be unusable
    """
    import requests
    import urllib3

    lost = f"the connection to {base} was lost before the end of the answer"
    late = f"no answer from {base} within {timeout:g} s (see --timeout)"
    try:
        yield
    except requests.exceptions.ConnectTimeout:
        limit = min(CONNECT_TIMEOUT, timeout)
        raise UnreachableError(f"no connection to {base} within {limit:g} s") from None
    except (requests.exceptions.Timeout, urllib3.exceptions.ReadTimeoutError):
        raise LostError(late) from None
    except (requests.exceptions.ContentDecodingError, urllib3.exceptions.DecodeError) as error:
        raise NotTheApiError(f"{base} answered with content that cannot be decoded") from error
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
    """An exception and those it came from, also where urllib3 keeps them in ``reason`` or ``args``."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        found = waiting.pop(0)
        if isinstance(found, BaseException) and id(found) not in seen:
            seen.add(id(found))
            yield found
            waiting += [getattr(found, "reason", None), *found.args, found.__cause__, found.__context__]


def _any_is(error: BaseException, kind: type[BaseException]) -> bool:
    return any(isinstance(found, kind) for found in _chain(error))


def _never_connected(error: BaseException) -> bool:
    import requests
    import urllib3

    kinds = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ProxyError)
    return isinstance(error, requests.exceptions.SSLError) or any(_any_is(error, kind) for kind in kinds)


def _reason(error: BaseException) -> str:
    """What the operating system or TLS said, which the last exception of a chain is nearest to."""
    chain = list(_chain(error))
    for found in reversed(chain):
        if isinstance(found, OSError) and isinstance(found.strerror, str):
            return found.strerror
    texts = [str(found) for found in reversed(chain) if not found.args or isinstance(found.args[0], str)]
    return next((text for text in texts if text), type(error).__name__)
