"""The common response object of the seed, with what has been added to it since.

==================== ===================================================================================
``airflow_cmd``      what was run, quoted for a shell, secrets masked
``arguments``        the arguments that were given, secrets masked
``call_time``        when the request came, an HTTP date (RFC 9110)
``response_time``    when the answer was made
``output``           the command's text; on failure the message
``status``           ``OK`` or ``ERROR``
==================== ===================================================================================

Since the seed: ``http_response_code``, ``exit_code``, ``stdout``, ``stderr``, ``result``, ``error``, ``job``,
``warning``, and what an endpoint adds, as ``dag_run_id``.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from werkzeug.http import http_date

from airflow_remote_server.errors import AuthenticationFailed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_remote_server.errors import ApiError


def now() -> datetime:
    """The current time, in UTC."""
    return datetime.now(timezone.utc)


def success(call_time: datetime, status: int, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The envelope of a request that did what was asked.

    :param call_time: when it came
    :param status: HTTP status
    :param fields: what else to say; None values are left out
    """
    return _envelope(call_time, "OK", status, fields)


def failure(call_time: datetime, error: ApiError, fields: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The envelope of a request that did not.

    :param call_time: when it came
    :param error: what went wrong; a failed token is answered with the seed's four keys and nothing else
    :param fields: what else to say
    """
    if isinstance(error, AuthenticationFailed):
        return {
            "call_time": http_date(call_time),
            "output": error.message,
            "response_time": http_date(now()),
            "status": "ERROR",
        }
    said = {"output": error.message, "error": {"type": error.kind, "message": error.message}}
    return _envelope(call_time, "ERROR", error.status, {**said, **(fields or {})})


def _envelope(call_time: datetime, word: str, status: int, fields: Mapping[str, Any]) -> dict[str, Any]:
    seed = {
        "airflow_cmd": "",
        "arguments": {},
        "call_time": http_date(call_time),
        "output": "",
        "response_time": http_date(now()),
        "status": word,
        "http_response_code": status,
    }
    return {**seed, **{name: value for name, value in fields.items() if value is not None}}
