from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stub import JOB_ID, FakeJob

from airflow_remote.errors import UnreachableError
from airflow_remote.following import Tail
from airflow_remote.patience import Patience
from airflow_remote.resources import Resources
from airflow_remote.transport import Transport


@given(
    out=st.binary(max_size=60), err=st.binary(max_size=60), step=st.integers(1, 40), silent=st.integers(0, 3)
)
def test_every_byte_comes_once_and_in_order(shared_stub, out, err, step, silent):
    shared_stub.reset()
    shared_stub.job = FakeJob(out, err, step=step, silent=silent)
    heard = {"stdout": b"", "stderr": b""}
    transport = Transport(shared_stub.url, None, 10.0)
    with transport.connect() as connection:
        offsets = {"stdout": 0, "stderr": len(err) // 2}
        for stream, data in Tail(Resources(connection), JOB_ID, offsets, Patience(print), 10.0):
            assert 0 < len(data) <= step
            heard[stream] += data
    assert heard == {"stdout": out, "stderr": err[len(err) // 2 :]}


@pytest.mark.parametrize(("timeout", "wait"), [(150.0, "2"), (3.0, "1"), (0.5, "0")])
def test_the_server_holds_back_a_poll_no_longer_than_the_time_out_allows(stub, timeout, wait):
    stub.job = FakeJob(silent=4)
    with Transport(stub.url, None, timeout).connect() as connection:
        assert not list(Tail(Resources(connection), JOB_ID, {"stderr": 0}, Patience(print), timeout))
    waits = [request.query["wait"] for request in stub.named("output")]
    assert waits == [wait] * 4 + ["0"]


def test_the_stream_that_spoke_last_is_waited_for(stub):
    stub.job = FakeJob(b"", b"log")
    with Transport(stub.url, None, 10.0).connect() as connection:
        list(Tail(Resources(connection), JOB_ID, {"stdout": 0, "stderr": 0}, Patience(print), 10.0))
    asked = [(request.query["stream"], request.query["wait"]) for request in stub.named("output")]
    assert asked == [
        ("stdout", "2"),
        ("stderr", "0"),
        ("stderr", "2"),
        ("stdout", "0"),
        ("stderr", "0"),
        ("stdout", "0"),
    ]


def test_a_server_that_was_never_there_is_given_up_at_once():
    said = []
    with Transport("http://127.0.0.1:1", None, 1.0).connect() as connection:
        tail = Tail(Resources(connection), JOB_ID, {"stdout": 0}, Patience(said.append), 1.0)
        with pytest.raises(UnreachableError):
            next(iter(tail))
    assert said == []
