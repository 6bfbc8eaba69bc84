"""Test back-off after failures, and the limits of requests."""

from __future__ import annotations

import io
import threading
from typing import Any

import pytest
from processes import wait_for
from remote import TOKEN, entry, secret_of

from airflow_remote_server.auth.rate_limit import FREE_FAILURES, LONGEST_WAIT, MOST_PEERS, FailureThrottle
from airflow_remote_server.errors import Busy
from airflow_remote_server.http.limits import RequestSlots

AUTH = {"rest-api-plugin-http-token": TOKEN}
API = "/admin/rest_api/api/v1.0"


class Clock:
    """A clock that a test advances."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def throttle(clock: Clock) -> FailureThrottle:
    return FailureThrottle(clock)


def test_repeated_failures_back_off_up_to_a_minute(throttle: FailureThrottle, clock: Clock) -> None:
    waits = []
    for count in range(FREE_FAILURES + 12):
        refusal = throttle.refusal_for("192.0.2.1")
        assert (refusal is None) == (count < FREE_FAILURES)
        if refusal is not None:
            waits.append(int(refusal.headers["Retry-After"]) - 1)
            clock.now += waits[-1] + 0.001
            assert throttle.refusal_for("192.0.2.1") is None
        throttle.record_failure("192.0.2.1")
    assert waits[:4] == [1, 2, 4, 8]
    assert max(waits) == LONGEST_WAIT


def test_back_off_affects_only_the_failing_network(throttle: FailureThrottle) -> None:
    for _ in range(FREE_FAILURES * 2):
        throttle.record_failure("192.0.2.1")
        throttle.record_failure("2001:db8:0:1::5")
    assert throttle.refusal_for("192.0.2.1") is not None
    assert throttle.refusal_for("192.0.2.2") is None
    assert throttle.refusal_for("2001:db8:0:1:ffff::1") is not None, (
        "a customer usually has the whole /64 network"
    )
    assert throttle.refusal_for("2001:db8:0:2::5") is None


def test_success_resets_back_off(throttle: FailureThrottle) -> None:
    for _ in range(FREE_FAILURES):
        throttle.record_failure("192.0.2.1")
    throttle.record_success("192.0.2.1")
    assert throttle.refusal_for("192.0.2.1") is None


def test_old_failures_are_forgotten(throttle: FailureThrottle, clock: Clock) -> None:
    for _ in range(FREE_FAILURES):
        throttle.record_failure("192.0.2.1")
    clock.now += 1000
    throttle.record_failure("192.0.2.1")
    assert throttle.refusal_for("192.0.2.1") is None


def test_number_of_remembered_peers_is_bounded(throttle: FailureThrottle) -> None:
    for number in range(MOST_PEERS + 500):
        throttle.record_failure(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(throttle._peers) == MOST_PEERS  # noqa: SLF001 - nothing else shows the bound


def test_slot_is_released_once() -> None:
    slots = RequestSlots(2)
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
    """A body that yields a byte now and then until it is told to end."""

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


def test_concurrent_requests_of_one_token_are_limited(make_client: Any, tokens_file: Any) -> None:
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
def test_slot_is_released_after_every_outcome(make_client: Any, tokens_file: Any) -> None:
    tokens_file.write_text("")
    client = make_client(max_requests=1, tokens_file=tokens_file)
    for path in ("rest_api_plugin_version", "nope", "version?x=1", "jobs", "jobs/nope", "commands/x y"):
        for method in ("GET", "PUT", "HEAD", "OPTIONS"):
            assert client.open(f"{API}/{path}", method=method, headers=AUTH).status_code != 429


@pytest.mark.parametrize("chunked", [False, True])
def test_slow_body_times_out(make_client: Any, chunked: bool) -> None:
    client = make_client(body_timeout=0.3)
    response = post(client, Slow(), None if chunked else 100_000)
    assert (response.status_code, response.json["output"]) == (408, "the body did not arrive within 0.3 s")


def test_time_limit_of_the_web_server_counts_even_if_it_is_a_little_ahead(make_client: Any) -> None:
    class TimedOut(io.BytesIO):
        def read(self, _: int | None = -1, /) -> bytes:
            raise TimeoutError

    assert post(make_client(), TimedOut(), 100).status_code == 408


def test_oversized_headers_are_rejected(make_client: Any) -> None:
    response = make_client().get(f"{API}/version", headers={**AUTH, "X-Long": "x" * 70_000})
    assert response.status_code == 431
