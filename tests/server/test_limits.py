from __future__ import annotations

import io
import threading
import time
from typing import Any

import pytest
from conftest import TOKEN
from processes import wait_for
from remote import entry, secret_of

from airflow_remote_server.errors import Busy
from airflow_remote_server.limits import (
    FREE_FAILURES,
    LONGEST_WAIT,
    MOST_PEERS,
    Failures,
    Slots,
)

AUTH = {"rest-api-plugin-http-token": TOKEN}
API = "/admin/rest_api/api/v1.0"


class Clock:
    """A time that a test makes pass."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def failures(clock: Clock) -> Failures:
    return Failures(clock)


def test_each_further_failure_makes_a_peer_wait_longer_up_to_a_minute(
    failures: Failures, clock: Clock
) -> None:
    waits = []
    for count in range(FREE_FAILURES + 12):
        waiting = failures.waiting("192.0.2.1")
        assert (waiting is None) == (count < FREE_FAILURES)
        if waiting is not None:
            waits.append(int(waiting.headers["Retry-After"]) - 1)
            clock.now += waits[-1] + 0.001
            assert failures.waiting("192.0.2.1") is None
        failures.add("192.0.2.1")
    assert waits[:4] == [1, 2, 4, 8]
    assert max(waits) == LONGEST_WAIT


def test_nobody_else_has_to_wait(failures: Failures) -> None:
    for _ in range(FREE_FAILURES * 2):
        failures.add("192.0.2.1")
        failures.add("2001:db8:0:1::5")
    assert failures.waiting("192.0.2.1") is not None
    assert failures.waiting("192.0.2.2") is None
    assert failures.waiting("2001:db8:0:1:ffff::1") is not None, "one customer has the whole network"
    assert failures.waiting("2001:db8:0:2::5") is None


def test_a_success_is_a_new_start(failures: Failures) -> None:
    for _ in range(FREE_FAILURES):
        failures.add("192.0.2.1")
    failures.forgive("192.0.2.1")
    assert failures.waiting("192.0.2.1") is None


def test_long_ago_is_forgotten(failures: Failures, clock: Clock) -> None:
    for _ in range(FREE_FAILURES):
        failures.add("192.0.2.1")
    clock.now += 1000
    failures.add("192.0.2.1")
    assert failures.waiting("192.0.2.1") is None


def test_only_so_many_peers_are_remembered(failures: Failures) -> None:
    for number in range(MOST_PEERS + 500):
        failures.add(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(failures._peers) == MOST_PEERS


def test_a_slot_is_given_back_once() -> None:
    slots = Slots(2)
    first = slots.take("a")
    slots.take("a")
    with pytest.raises(Busy):
        slots.take("a")
    slots.take("b")
    first()
    first()
    slots.take("a")
    with pytest.raises(Busy):
        slots.take("a")


class Slow(io.BytesIO):
    """A body of which a byte comes now and then, until it is to end."""

    def __init__(self, pause: float = 0.01) -> None:
        super().__init__()
        self.pause = pause
        self.end = threading.Event()

    def read(self, size: int | None = -1, /) -> bytes:
        self.end.wait(self.pause)
        return b"" if self.end.is_set() else b"x"


def post(client: Any, body: Any, length: int | None) -> Any:
    environ = {"wsgi.input": body, "CONTENT_TYPE": "application/x-www-form-urlencoded"}
    environ |= {"wsgi.input_terminated": True} if length is None else {"CONTENT_LENGTH": str(length)}
    return client.post(f"{API}/version", headers=AUTH, environ_overrides=environ)


def test_a_token_has_only_so_many_requests_at_once(make_client: Any, tokens_file: Any) -> None:
    tokens_file.write_text(entry("other", "admin"))
    client = make_client(max_requests=2, tokens_file=tokens_file)
    body = Slow(60)
    threads = [threading.Thread(target=post, args=(client, body, 9)) for _ in "12"]
    for thread in threads:
        thread.start()

    def busy() -> Any:
        response = client.get(f"{API}/rest_api_plugin_version", headers=AUTH)
        return response if response.status_code == 429 else None

    try:
        response = wait_for(busy)
        assert response.headers["Retry-After"] == "1"
        assert "max_requests" in response.json["output"]
        assert client.get(f"{API}/health").status_code == 200
        other = {"Authorization": f"Bearer {secret_of('other')}"}
        assert client.get(f"{API}/rest_api_plugin_version", headers=other).status_code == 200
    finally:
        body.end.set()
        for thread in threads:
            thread.join()
    assert client.get(f"{API}/rest_api_plugin_version", headers=AUTH).status_code == 200


@pytest.mark.slow
def test_whatever_becomes_of_a_request_its_slot_is_free_again(make_client: Any, tokens_file: Any) -> None:
    tokens_file.write_text("")
    client = make_client(max_requests=1, tokens_file=tokens_file)
    for path in ("rest_api_plugin_version", "nope", "version?x=1", "jobs", "jobs/nope", "commands/x y"):
        for method in ("GET", "PUT", "HEAD", "OPTIONS"):
            assert client.open(f"{API}/{path}", method=method, headers=AUTH).status_code != 429


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_slow_is_given_up(make_client: Any, chunked: bool) -> None:
    client = make_client(body_timeout=0.3)
    began = time.monotonic()
    response = post(client, Slow(), None if chunked else 100_000)
    assert (response.status_code, response.json["output"]) == (408, "the body did not come within 0.3 s")
    assert time.monotonic() - began < 5


def test_headers_over_the_limit_are_refused(make_client: Any) -> None:
    response = make_client().get(f"{API}/version", headers={**AUTH, "X-Long": "x" * 70_000})
    assert response.status_code == 431
