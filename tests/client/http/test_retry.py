"""The policy for retries after lost connections."""

from __future__ import annotations

import pytest

from airflow_remote import errors
from airflow_remote.http.retry import PAUSES, RetryPolicy
from airflow_remote.models import Result

LOST = errors.LostError("lost")
BEFORE = [errors.UnreachableError("no"), errors.GatewayError("no"), errors.BusyError("no", Result({}, 503))]


def is_retried(policy: RetryPolicy, error: errors.RemoteError) -> bool:
    try:
        policy.pause_or_raise(error)
    except errors.RemoteError as raised:
        assert raised is error
        return False
    return True


def test_lost_connection_is_retried_once_per_pause() -> None:
    notices: list[str] = []
    policy = RetryPolicy(notices.append)
    assert [is_retried(policy, LOST) for _ in range(5)] == [True] * len(PAUSES) + [False] * 2
    assert notices == ["lost; trying again"]
    assert policy.retrying


def test_response_resets_the_retries() -> None:
    notices: list[str] = []
    policy = RetryPolicy(notices.append)
    for _ in range(10):
        assert is_retried(policy, LOST)
        policy.reset()
        assert not policy.retrying
    assert len(notices) == 10


@pytest.mark.parametrize("error", BEFORE, ids=lambda error: type(error).__name__)
def test_known_server_is_retried_after_any_connection_error(error: errors.RemoteError) -> None:
    assert not is_retried(RetryPolicy(print), error)
    policy = RetryPolicy(print)
    policy.reset()
    assert is_retried(policy, error)


@pytest.mark.parametrize("kind", [errors.NotTheApiError, errors.UnusableError, errors.LocalFileError])
def test_other_errors_are_never_retried(
    kind: type[errors.NotTheApiError | errors.UnusableError | errors.LocalFileError],
) -> None:
    policy = RetryPolicy(print)
    policy.reset()
    assert not is_retried(policy, kind("no"))
