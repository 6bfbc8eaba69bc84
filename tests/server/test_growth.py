"""No request makes the server grow: what a refused request needed is freed."""

from __future__ import annotations

import gc
import io
import itertools
import logging
import tracemalloc
import wsgiref.util
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from doubles import Wrapped
from remote import TOKEN, entry, secret_of

from airflow_remote_server import RestApiMiddleware
from airflow_remote_server.catalog import source

WARM_UP, REQUESTS = 50, 100
MOST_GROWTH = 400 * REQUESTS
"""Bytes. A request that is kept takes 4 kB. Other threads, and coverage, allocate some as well."""

API = "/admin/rest_api/api/v1.0"
BAD_SETTING = "AIRFLOW__REST_API_PLUGIN__MAX_BODY_BYTES"
WITH_TOKEN: dict[str, Any] = {"HTTP_REST_API_PLUGIN_HTTP_TOKEN": TOKEN}
JSON: dict[str, Any] = {"REQUEST_METHOD": "POST", "CONTENT_TYPE": "application/json"}


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Switch off logging: pytest keeps each record."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def send(app: Any, path: str, body: bytes = b"", **environ: Any) -> int:
    """Send a request to the middleware as a server does, and return the status."""
    environ = {"PATH_INFO": path, "REMOTE_ADDR": "192.0.2.1", "CONTENT_LENGTH": str(len(body)), **environ}
    environ["wsgi.input"] = io.BytesIO(body)
    wsgiref.util.setup_testing_defaults(environ)
    statuses: list[str] = []
    response = app(environ, lambda status, headers, exc_info=None: statuses.append(status))
    for _ in response:
        pass
    getattr(response, "close", lambda: None)()
    return int(statuses[0][:3])


def growth_of(request: Callable[[int], int], status: int) -> int:
    """Return how many bytes requests leave behind, in the first of three rounds that leaves few, or the last.

    Caches fill up, and other threads allocate, in one round, but not in each.
    """
    numbers = itertools.count()
    tracemalloc.start(1)
    try:
        for _ in range(WARM_UP):
            assert request(next(numbers)) == status
        growth = MOST_GROWTH
        for _ in range(3):
            gc.collect()
            before = tracemalloc.get_traced_memory()[0]
            for _ in range(REQUESTS):
                request(next(numbers))
            gc.collect()
            growth = tracemalloc.get_traced_memory()[0] - before
            if growth < MOST_GROWTH:
                break
        return growth
    finally:
        tracemalloc.stop()


REFUSED: dict[str, tuple[int, Callable[[Any, int], int]]] = {
    "no token": (403, lambda app, n: send(app, f"{API}/version")),
    "a wrong token": (
        403,
        lambda app, n: send(
            app, f"{API}/x", HTTP_AUTHORIZATION=f"Bearer {n}", REMOTE_ADDR=f"192.0.2.{n % 9}"
        ),
    ),
    "another spelling": (308, lambda app, n: send(app, f"/{API}/{n}")),
    "an unknown path": (404, lambda app, n: send(app, f"{API}/a/{n}", **WITH_TOKEN)),
    "an unknown endpoint": (404, lambda app, n: send(app, f"{API}/a{n}", **WITH_TOKEN)),
    "an unknown job": (404, lambda app, n: send(app, f"{API}/jobs/{n}", **WITH_TOKEN)),
    "a wrong method": (
        405,
        lambda app, n: send(app, f"{API}/jobs", **WITH_TOKEN, REQUEST_METHOD=f"A{n}"),
    ),
    "an unknown argument": (
        400,
        lambda app, n: send(app, f"{API}/version", **WITH_TOKEN, QUERY_STRING=f"a{n}=1"),
    ),
    "invalid JSON": (
        400,
        lambda app, n: send(app, f"{API}/version", b'{"a": %d' % n, **WITH_TOKEN, **JSON),
    ),
    "a compressed body": (
        415,
        lambda app, n: send(
            app, f"{API}/version", b"x" * (n + 1), **WITH_TOKEN, HTTP_CONTENT_ENCODING=f"x{n}"
        ),
    ),
    "a large body": (
        413,
        lambda app, n: send(app, f"{API}/version", b"x" * 2000, **WITH_TOKEN, **JSON),
    ),
    "large headers": (431, lambda app, n: send(app, f"{API}/version", HTTP_X=f"{n}" * 70_000)),
    "a refused command": (
        403,
        lambda app, n: send(app, f"{API}/commands/db/reset", **WITH_TOKEN, **JSON),
    ),
    "an invalid value": (
        400,
        lambda app, n: send(app, f"{API}/trigger_dag", **WITH_TOKEN, QUERY_STRING=f"conf={n}["),
    ),
}


@pytest.mark.parametrize(("status", "request_"), REFUSED.values(), ids=REFUSED)
def test_refused_requests_are_freed(
    make_settings: Any, shared_state: Path, status: int, request_: Callable[[Any, int], int]
) -> None:
    app = RestApiMiddleware(Wrapped(), make_settings(max_body_bytes=1000, state_dir=shared_state))
    assert growth_of(lambda n: request_(app, n), status) < MOST_GROWTH


def test_requests_to_unusable_configuration_are_freed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(BAD_SETTING, "many")
    app = RestApiMiddleware(Wrapped())
    assert growth_of(lambda n: send(app, f"{API}/{n}", HTTP_X="x" * 1000), 503) < MOST_GROWTH


def test_requests_with_invalid_tokens_file_are_freed(make_settings: Any, tokens_file: Path) -> None:
    tokens_file.write_text("[[token]]\nname = 1\n")
    app = RestApiMiddleware(Wrapped(), make_settings(tokens_file=tokens_file))
    assert growth_of(lambda n: send(app, f"{API}/{n}", **WITH_TOKEN), 503) < MOST_GROWTH


def test_requests_beyond_a_role_are_freed(make_settings: Any, tokens_file: Path) -> None:
    tokens_file.write_text(entry("v", "viewer"))
    app = RestApiMiddleware(Wrapped(), make_settings(tokens_file=tokens_file))
    token: dict[str, Any] = {"HTTP_REST_API_PLUGIN_HTTP_TOKEN": secret_of("v")}
    assert growth_of(lambda n: send(app, f"{API}/pause", **token), 403) < MOST_GROWTH


@pytest.mark.parametrize("peer", ["192.0.2.1", "127.0.0.1"])
def test_refused_requests_without_token_are_freed(make_settings: Any, peer: str) -> None:
    app = RestApiMiddleware(Wrapped(), make_settings(token=None))
    forged: dict[str, Any] = {"REMOTE_ADDR": peer, "QUERY_STRING": "dag_id=x"}
    assert growth_of(lambda n: send(app, f"{API}/pause", **forged), 403) < MOST_GROWTH


def test_requests_without_catalog_are_freed(make_settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Path) -> None:
        raise OSError("no process")

    monkeypatch.setattr(source, "build_index", fail)
    app = RestApiMiddleware(Wrapped(), make_settings())
    assert growth_of(lambda n: send(app, f"{API}/commands/a{n}", **WITH_TOKEN), 503) < MOST_GROWTH


@pytest.mark.parametrize("url", [None, "nonsense", "nothing://x", "sqlite:////no/such/folder/jobs.db"])
def test_requests_without_job_store_are_freed(make_settings: Any, tmp_path: Path, url: str | None) -> None:
    (tmp_path / "file").touch()
    app = RestApiMiddleware(Wrapped(), make_settings(state_dir=tmp_path / "file" / "state", jobs_url=url))
    assert growth_of(lambda n: send(app, f"{API}/jobs/{n}", **WITH_TOKEN), 503) < MOST_GROWTH
