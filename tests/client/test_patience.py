from __future__ import annotations

import pytest

from airflow_remote import errors
from airflow_remote.patience import PAUSES, Patience
from airflow_remote.result import Result

LOST = errors.LostError("lost")
BEFORE = [errors.UnreachableError("no"), errors.GatewayError("no"), errors.BusyError("no", Result({}, 503))]


def borne(patience, error):
    try:
        patience.bear(error)
    except errors.RemoteError as raised:
        assert raised is error
        return False
    return True


def test_a_lost_connection_is_borne_as_often_as_there_are_pauses():
    said = []
    patience = Patience(said.append)
    assert [borne(patience, LOST) for _ in range(5)] == [True] * len(PAUSES) + [False] * 2
    assert said == ["lost; trying again"]
    assert patience.tried


def test_it_begins_anew_when_the_server_is_heard():
    said = []
    patience = Patience(said.append)
    for _ in range(10):
        assert borne(patience, LOST)
        patience.heard()
        assert not patience.tried
    assert len(said) == 10


@pytest.mark.parametrize("error", BEFORE, ids=lambda error: type(error).__name__)
def test_what_says_that_nothing_was_done_is_borne_of_a_server_that_was_there(error):
    assert not borne(Patience(print), error)
    patience = Patience(print)
    patience.heard()
    assert borne(patience, error)


@pytest.mark.parametrize("kind", [errors.NotTheApiError, errors.UnusableError, errors.LocalFileError])
def test_all_else_is_never_borne(kind):
    patience = Patience(print)
    patience.heard()
    assert not borne(patience, kind("no"))
