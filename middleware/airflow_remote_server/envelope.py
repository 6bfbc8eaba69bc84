"""The common response object of the 2016 plugin, with the fields added since.

==================== ===================================================================================
``airflow_cmd``      the command line, shell-quoted, secrets masked
``arguments``        the arguments of the request, secrets masked
``call_time``        time of the request, an HTTP date (RFC 9110)
``response_time``    time of the response
``output``           the command's text; on failure, the error message
``status``           ``OK`` or ``ERROR``
==================== ===================================================================================

Added since 2016: ``http_response_code``, ``exit_code``, ``stdout``, ``stderr``, ``result``, ``error``,
``job``, ``warning``, and fields of single endpoints such as ``dag_run_id``.
"""

from __future__ import annotations

from datetime import datetime, timezone
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

from airflow_remote_server.errors import AuthenticationFailed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_remote_server.errors import ApiError


def http_date(moment: datetime) -> str:
    """Return a time in UTC as an HTTP date.

    :param moment: the time
    """
    return format_datetime(moment, usegmt=True)


def now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(timezone.utc)


def success(call_time: datetime, status: int, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the envelope of a successful request.

    :param call_time: time of the request
    :param status: HTTP status
    :param fields: further fields; None values are left out
    """
    return _envelope(call_time, "OK", status, fields)


def failure(call_time: datetime, error: ApiError, fields: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the envelope of a failed request.

    :param call_time: time of the request
    :param error: the failure; a failed token gets exactly the four keys of the 2016 plugin
    :param fields: further fields; None values are left out
    """
    if isinstance(error, AuthenticationFailed):
        return {
            "call_time": http_date(call_time),
            "output": error.message,
            "response_time": http_date(now()),
            "status": "ERROR",
        }
    error_fields = {"output": error.message, "error": {"type": error.kind, "message": error.message}}
    return _envelope(call_time, "ERROR", error.status, {**error_fields, **(fields or {})})


def _envelope(call_time: datetime, word: str, status: int, fields: Mapping[str, Any]) -> dict[str, Any]:
    common = {
        "airflow_cmd": "",
        "arguments": {},
        "call_time": http_date(call_time),
        "output": "",
        "response_time": http_date(now()),
        "status": word,
        "http_response_code": status,
    }
    return {**common, **{name: value for name, value in fields.items() if value is not None}}
