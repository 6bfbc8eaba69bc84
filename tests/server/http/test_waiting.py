"""Test that waiting requests leave workers free, and stop waiting when their clients are gone."""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import ExitStack
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from processes import wait_for

from airflow_remote_server.http.connection import CONNECTION, UnknownConnection, find_connection
from airflow_remote_server.http.gunicorn_connection import GunicornConnection
from airflow_remote_server.http.waiting import SHORT_SECONDS, WaitingRequests
from airflow_remote_server.util.slots import waiting_share

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from probe_dag import MakeProbe
    from remote import Remote

TEXT, EVENTS = "text/plain", "application/x-ndjson"


class StubConnection(UnknownConnection):
    """A connection of a web server that a test describes.

    :param threads: how many requests a process serves at once
    :param processes: the number of processes
    """

    def __init__(self, threads: int | None, processes: int | None = None) -> None:
        self.threads = threads
        self.processes = processes
        self.gone = False

    def is_gone(self) -> bool:
        return self.gone


class Gunicorn:
    """The part of gunicorn's response that a request shows.

    :param settings: gunicorn's settings
    """

    def __init__(self, **settings: Any) -> None:
        self.cfg = SimpleNamespace(**settings)

    def start_response(self, *_: Any) -> Any:
        raise AssertionError("nothing is sent")


@pytest.fixture
def waiting(tmp_path: Path) -> WaitingRequests:
    return WaitingRequests(tmp_path)


def turns(requests: WaitingRequests, connection: Any, count: int, stack: ExitStack) -> list[float]:
    """Let requests begin to wait for a minute; return how long each may."""
    return [stack.enter_context(requests.take_turn(connection, 60)).seconds for _ in range(count)]


@given(st.integers(2, 2000))
def test_some_workers_never_wait(total: int) -> None:
    assert 1 <= waiting_share(total) < total
    assert waiting_share(total) <= max(1, total * 3 / 4)


@pytest.mark.parametrize(("threads", "long", "short"), [(32, 24, 6), (4, 3, 1), (2, 1, 1), (1000, 750, 187)])
def test_threads_are_left(waiting: WaitingRequests, threads: int, long: int, short: int) -> None:
    connection = StubConnection(threads)
    with ExitStack() as stack:
        seconds = turns(waiting, connection, threads, stack)
        assert seconds == [60.0] * long + [SHORT_SECONDS] * short + [0.0] * (threads - long - short)
    with ExitStack() as stack:
        assert turns(waiting, connection, 1, stack) == [60.0], "every slot is released"


@pytest.mark.parametrize(
    ("processes", "long", "short"), [(1, 1, 0), (2, 1, 1), (3, 1, 1), (4, 2, 1), (8, 4, 3)]
)
def test_processes_are_left(tmp_path: Path, processes: int, long: int, short: int) -> None:
    with ExitStack() as stack:
        # Processes have nothing in common but the state directory.
        seconds = [
            turns(WaitingRequests(tmp_path), StubConnection(1, processes), 1, stack)[0]
            for _ in range(processes)
        ]
        assert seconds == [60.0] * long + [SHORT_SECONDS] * short + [0.0] * (processes - long - short)
    with ExitStack() as stack:
        assert turns(WaitingRequests(tmp_path), StubConnection(1, processes), 1, stack) == [60.0]


@pytest.mark.parametrize("connection", [StubConnection(4), StubConnection(1, 4)])
def test_polls_take_no_short_slot(waiting: WaitingRequests, connection: StubConnection) -> None:
    with ExitStack() as stack:
        for _ in range(10):
            seconds = stack.enter_context(waiting.take_turn(connection, 60, poll=True)).seconds
        assert seconds == 0.0
        assert turns(waiting, connection, 2, stack) == [SHORT_SECONDS, 0.0]


def test_unknown_server_is_not_limited(waiting: WaitingRequests) -> None:
    with ExitStack() as stack:
        assert set(turns(waiting, UnknownConnection(), 100, stack)) == {60.0}


def test_no_slot_is_taken_without_a_wait(waiting: WaitingRequests) -> None:
    connection = StubConnection(2)
    with ExitStack() as stack:
        for _ in range(10):
            assert not stack.enter_context(waiting.take_turn(connection, 0)).shortened
        assert turns(waiting, connection, 1, stack) == [60.0]


@pytest.mark.parametrize(
    ("settings", "threads"),
    [
        ({"worker_class_str": "sync", "threads": 1}, 1),
        ({"worker_class_str": "gthread", "threads": 4}, 4),
        ({"worker_class_str": "gunicorn.workers.gthread.ThreadWorker", "threads": 4}, 4),
        ({"worker_class_str": "gevent", "threads": 1, "worker_connections": 1000}, 1000),
        ({"worker_class_str": "gunicorn.workers.geventlet.EventletWorker", "worker_connections": 9}, 9),
        ({"worker_class_str": "tornado", "threads": 1}, None),
        ({}, None),
    ],
)
def test_gunicorns_workers_are_known(settings: dict[str, Any], threads: int | None) -> None:
    with socket.socket() as connection:
        response = Gunicorn(workers=3, **settings)
        found = find_connection({"gunicorn.socket": connection}, response.start_response)
        assert (found.processes, found.threads) == (3, threads)


def test_gunicorn_behind_another_middleware_is_unknown() -> None:
    with socket.socket() as connection:
        found = find_connection({"gunicorn.socket": connection}, lambda *_: lambda _: None)
        assert (found.processes, found.threads) == (None, None)
    assert isinstance(find_connection({}, lambda *_: lambda _: None), UnknownConnection)


@pytest.fixture(params=["tcp", "unix"])
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Return a server's side of a connection, and the client's."""
    if request.param == "unix":
        server, client = socket.socketpair()
    else:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            client = socket.create_connection(listener.getsockname())
            server = listener.accept()[0]
    with server, client:
        yield server, client


@pytest.mark.parametrize("half", [False, True])
def test_client_that_hangs_up_is_gone(pair: tuple[socket.socket, socket.socket], half: bool) -> None:
    server, client = pair
    connection = GunicornConnection(server, Gunicorn().start_response)
    assert not connection.is_gone()
    if half:
        client.shutdown(socket.SHUT_WR)
    else:
        client.close()
    wait_for(connection.is_gone)


def test_request_that_follows_is_kept(pair: tuple[socket.socket, socket.socket]) -> None:
    server, client = pair
    client.sendall(b"GET / HTTP/1.1\r\n")
    assert not GunicornConnection(server, Gunicorn().start_response).is_gone()
    assert server.recv(100) == b"GET / HTTP/1.1\r\n"


def test_client_that_hangs_up_behind_a_pipelined_request_is_gone() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server = listener.accept()[0]
    with server:
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        client.close()
        wait_for(GunicornConnection(server, Gunicorn().start_response).is_gone)


@pytest.mark.slow
@pytest.mark.parametrize("media", ["application/json", TEXT, EVENTS])
def test_request_ends_soon_after_its_client_is_gone(
    remote: Remote, make_probe: MakeProbe, media: str
) -> None:
    probe, connection = make_probe("wait"), StubConnection(32)
    responses: list[Any] = []

    def call() -> None:
        response = remote.run(
            probe, ACCEPT=media, PREFER="wait=100", environ_overrides={CONNECTION: connection}, buffered=False
        )
        try:
            for piece in response.iter_encoded():
                responses.append(piece)
        except ConnectionError as error:
            responses.append(error)
        response.close()

    thread = threading.Thread(target=call)
    thread.start()
    wait_for(lambda: probe.processes)
    connection.gone = True
    thread.join(80)
    assert not thread.is_alive(), "it did not wait for the command"
    assert remote.jobs()[0]["state"] == "running"
    probe.release()
    assert remote.end(remote.jobs()[0]["id"])["state"] == "succeeded"


@pytest.mark.slow
def test_requests_beyond_the_share_are_answered_with_the_job(
    remote: Remote, make_probe: MakeProbe, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = StubConnection(2)
    probe = make_probe("wait")
    first = remote.run(probe, ACCEPT=EVENTS, environ_overrides={CONNECTION: connection}, buffered=False)
    coming = first.iter_encoded()
    assert b"started" in next(coming)
    for media in ("application/json", TEXT):
        second = remote.run(
            make_probe("wait"), ACCEPT=media, PREFER="wait=50", environ_overrides={CONNECTION: connection}
        )
        assert second.status_code == 202
        assert second.json["job"]["state"] in ("queued", "running")
        assert "Preference-Applied" not in second.headers
        assert second.headers["Location"].endswith(second.json["job"]["id"])
    job_id = second.json["job"]["id"]
    overrides: dict[str, Any] = {"environ_overrides": {CONNECTION: connection}}
    short = remote(f"jobs/{job_id}/output", query_string={"offset": 6, "wait": 50}, **overrides)
    assert (short.status_code, short.json["complete"]) == (200, False)
    monkeypatch.setattr("airflow_remote_server.http.waiting.SHORT_SECONDS", 60.0)  # for a busy machine
    assert remote.run(make_probe("say", "hi"), ACCEPT=TEXT, **overrides).data.startswith(b"hi\n")
    first.close()
    third = remote.run(make_probe("wait"), PREFER="wait=2", **overrides)
    assert third.headers["Preference-Applied"] == "wait=2", "the slot is released"


@pytest.mark.slow
def test_default_wait_of_a_sync_worker_is_short(make_remote: Any, make_probe: MakeProbe) -> None:
    remote = make_remote(default_wait=100.0, default_wait_sync=0.5)
    sync: dict[str, Any] = {"environ_overrides": {CONNECTION: StubConnection(1, 4)}}
    quick = remote("version", **sync)
    for media in ("application/json", EVENTS):
        begun = time.monotonic()
        response = remote.run(make_probe("wait"), ACCEPT=media, **sync)
        assert time.monotonic() - begun < 60
        last = json.loads(response.text.splitlines()[-1])
        assert last["job"]["state"] in ("queued", "running")
        assert response.status_code == 202 or last["event"] == "unfinished"
        assert "Preference-Applied" not in response.headers
    assert quick.status_code in (200, 202)


@pytest.mark.slow
def test_client_of_the_first_release_gets_the_output_of_a_sync_worker(
    make_remote: Any, make_probe: MakeProbe
) -> None:
    remote = make_remote(default_wait=100.0, default_wait_sync=0.001)
    sync: dict[str, Any] = {"environ_overrides": {CONNECTION: StubConnection(1, 4)}}
    response = remote.client.get(
        "/admin/rest_api/api",
        query_string={"api": "version"},
        headers={"Authorization": f"Bearer {remote.token}"},
        **sync,
    )
    assert response.status_code == 200, "it knows no jobs"
    assert response.json["output"]["stdout"]
