"""Send hostile requests to the whole API: without a token, and with a token but hostile otherwise.

``ATTACK_CASES`` is the number of generated requests; use 10000 for a full run.
"""

from __future__ import annotations

import json
import os
import random
import string
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from processes import wait_for
from remote import FINAL, TOKEN, Remote
from werkzeug.test import Client

from airflow_remote_server import RestApiMiddleware
from airflow_remote_server.catalog.classic import classic_endpoints
from airflow_remote_server.http.routes import PUBLIC, ROUTES
from airflow_remote_server.integrations.release import NEWEST_OF_MAJOR

PREFIX = "/admin/rest_api"
CASES = int(os.environ.get("ATTACK_CASES", "400"))
SLOW_SECONDS = 100.0
METHODS = ("GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH")

# Commands that would run long, or harm the tests that follow.
DENIED = (
    *("celery *", "dag-processor", "db *", "edge *", "kerberos", "kubernetes *", "scheduler", "triggerer"),
    *("serve_logs", "worker", "flower", "variables *", "connections *", "dags delete", "rotate-fernet-key"),
    *("users *", "roles *", "sync-perm", "fab-db *", "teams *", "state-store *", "pools *"),
)


SAMPLES = {
    "<path:words>": "version",
    "<string(length=16):version>": "0" * 16,
    "<path:name>": "x",
    "<job_id>": "0" * 32,
    "/static/<name>": "/static/style.css",
    "/<name>": "/version",
}
"""Values for the variable parts of routes."""


def sample(rule: str) -> str:
    """Return a path that matches a route."""
    for part, value in SAMPLES.items():
        rule = rule.replace(part, value)
    assert "<" not in rule, "every variable part has a value"
    return rule


@pytest.mark.parametrize("token", [None, "", "wrong", TOKEN[:-1], "x" * 64])
def test_only_three_routes_are_open_without_token(make_client: Any, token: str | None) -> None:
    """CVE-2021-38540: one route of many needed no authentication."""
    assert {"page", "static", "health"} == PUBLIC, "public routes are a deliberate decision"
    client = make_client()
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    asked = 0
    for rule in ROUTES:
        path = PREFIX + sample(rule.rule)
        for method in METHODS:
            for more in ("", "?api=version", "/", "/x/y/z"):
                asked += 1
                peer = {
                    "REMOTE_ADDR": f"192.0.{asked // 250}.{asked % 250}"
                }  # a peer of its own, so that no back-off applies
                response = client.open(path + more, method=method, headers=headers, environ_overrides=peer)
                open_to_all = rule.endpoint in PUBLIC and method in ("GET", "HEAD") and more != "/x/y/z"
                expected = (200, 404) if open_to_all else (403,)
                if "//" in path + more:
                    expected = (308,)  # to the canonical path, where the token is required
                assert response.status_code in expected, (method, path, more)
    assert asked > 300


NASTY = (
    *(
        "",
        " ",
        "-",
        "--",
        "---",
        "--help",
        "-h",
        "--conf={}",
        "--subdir=/etc",
        "-S/etc",
        "--yes",
        "@/etc/passwd",
    ),
    *("$(touch /tmp/attacked)", "`id`", "; id", "| id", "&& id", "\n--yes", "\r\nX: y", "\x00", "\x1b[2J"),
    *(
        "../../etc/passwd",
        "/etc/passwd",
        "..\\..\\x",
        "%2e%2e%2f",
        "file:///etc/passwd",
        "~root",
        "/dev/stdin",
    ),
    *(
        "{}",
        "[]",
        "null",
        "true",
        "false",
        "0",
        "-1",
        "1e999",
        "NaN",
        '{"a": {"b": [1]}}',
        '{"__class__": "x"}',
    ),
    *("{{ 7 * 7 }}", "%s%n", "' OR 1=1 --", "<script>", "\u202e", "\ud7ff", "\uffff", "é" * 200, "x" * 5000),
)
text = st.one_of(st.sampled_from(NASTY), st.text(max_size=30), st.text(string.printable, max_size=30))
scalar = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), text)
document = st.recursive(
    scalar, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4), max_leaves=8
)
TYPES = (
    "application/x-www-form-urlencoded",
    "application/json",
    "multipart/form-data; boundary=b",
    "text/xml",
    "",
)
HEADERS: dict[str, Any] = {
    "Prefer": ("respond-async", "wait=0", "wait=99999999999999999999", "wait=-1", 'wait="x', ",;=,"),
    "Accept": ("text/plain", "application/x-ndjson", "*/*;q=nope", "x", "application/json;q=0"),
    "Idempotency-Key": ("k", '"', "é", "x" * 300, '""', "k k"),
    "If-None-Match": ("*", '"x"', "W/", '"'),
    "Range": ("bytes=0-0", "bytes=-5", "bytes=9-1", "lines=1-", "bytes="),
    "Content-Encoding": ("gzip", "x"),
    "Cookie": ("a=b; c", "=", "x" * 300),
    "X-Forwarded-For": ("127.0.0.1", "x"),
    "X-HTTP-Method-Override": ("DELETE",),
    "Expect": ("100-continue",),
}


@st.composite
def parts(draw: Any, names: list[str]) -> bytes:
    """Generate a multipart form, perhaps a damaged one."""
    lines = b""
    for _ in range(draw(st.integers(0, 3))):
        name, value = draw(st.sampled_from(names) | text), draw(text)
        file = f'; filename="{draw(text)}"' if draw(st.booleans()) else ""
        part = f'--b\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n{value}\r\n'
        lines += part.encode("utf-8", "replace")
    whole = lines + b"--b--\r\n"
    return whole[: draw(st.integers(0, len(whole)))] if draw(st.booleans()) else whole


@pytest.fixture
def target(make_remote: Any, shared_state: Path) -> Remote:
    """Return a caller of an API whose commands are harmless."""
    remote: Remote = make_remote(state_dir=shared_state, deny_commands=DENIED, max_body_bytes=100_000)
    # Without werkzeug's LintMiddleware, which rejects the Content-Length of a response to HEAD.
    client = Client(RestApiMiddleware(lambda *_: [b""], remote.settings))
    return Remote(client, remote.settings)


def listing(folder: Path) -> set[str]:
    """Return the files below a folder, except those that Airflow's commands write by themselves."""
    names = {str(path.relative_to(folder)) for path in folder.rglob("*")}
    return {
        name for name in names if "__pycache__" not in name and not name.startswith(("logs", "airflow.db"))
    }


def inside(folder: Path) -> list[int]:
    """Return the ids of processes whose working directory is below a folder."""
    pids = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if folder in (path / "cwd").readlink().parents:
                pids.append(int(path.name))
        except OSError:
            continue
    return pids


@pytest.mark.slow
def test_hostile_requests_do_no_harm(
    target: Remote,
    home: Path,
    major: int,
    shared_state: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    live = target("commands").json["commands"]
    classic = classic_endpoints(NEWEST_OF_MAJOR[major])
    names = sorted(
        {argument["name"] for command in live for argument in command["arguments"]}
        | {
            argument.name
            for endpoint in classic.values()
            for variant in endpoint.variants
            for argument in variant.arguments
        }
        | {"api", "cmd", "can", "limit", "before", "stream", "offset", "wait", "force", "state", "command"}
    )
    job_id = target("version").json["job"]["id"]
    paths = [f"/api/v1.0/{name}" for name in classic] + ["/api", "/", "", "/static/style.css"]
    paths += [f"/api/v1.0/commands/{command['name'].replace(' ', '/')}" for command in live]
    paths += [
        f"/api/v1.0/{name}" for name in ("jobs", "whoami", "audit", "commands", "health", "openapi.json")
    ]
    paths += [
        f"/api/v1.0/jobs/{job_id}{more}" for more in ("", "/output", "/stop", "/files/x", "/files/../stdout")
    ]
    Path("/tmp/attacked").unlink(missing_ok=True)
    before = listing(home), {path.name for path in shared_state.iterdir()}
    jobs: set[str] = set()

    @settings(max_examples=CASES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(
        path=st.sampled_from(paths) | text.map(lambda word: f"/{word}"),
        more=st.sampled_from(("", "", "", "/", "//", "/..", "/%2e%2e", "/x")),
        method=st.sampled_from(("GET", "POST", "POST", "POST", *METHODS)),
        query=st.dictionaries(st.sampled_from(names) | text, text, max_size=3),
        kind=st.sampled_from(TYPES),
        form=st.dictionaries(st.sampled_from(names), text, max_size=4),
        posted=document | st.dictionaries(st.sampled_from(names), document, max_size=4),
        multipart=parts(names),
        junk=st.binary(max_size=100),
        use_junk=st.integers(0, 9),
        headers=st.lists(st.sampled_from([*HEADERS]), max_size=3, unique=True),
        which=st.randoms(use_true_random=False),
    )
    def attack(
        path: str,
        more: str,
        method: str,
        query: dict[str, str],
        kind: str,
        form: dict[str, str],
        posted: Any,
        multipart: bytes,
        junk: bytes,
        use_junk: int,
        headers: list[str],
        which: random.Random,
    ) -> None:
        bodies = {TYPES[0]: urlencode(form, errors="replace").encode(), TYPES[2]: multipart}
        data = junk if use_junk == 0 else bodies.get(kind, json.dumps(posted).encode())
        environ = {
            "REQUEST_METHOD": method,
            "PATH_INFO": (PREFIX + path + more).encode("utf-8", "replace").decode("latin-1"),
            "QUERY_STRING": urlencode(query, errors="replace"),
            "HTTP_AUTHORIZATION": f"Bearer {TOKEN}",
            "HTTP_PREFER": "respond-async",
        }
        for name in headers:
            value = which.choice(HEADERS[name])
            environ[f"HTTP_{name.upper().replace('-', '_')}"] = value.encode().decode("latin-1")
        began = time.monotonic()
        response = target.client.open(
            method=method, data=data, content_type=kind, environ_overrides=environ, buffered=True
        )
        assert time.monotonic() - began < SLOW_SECONDS
        assert response.status_code < 500 or response.status_code == 501, response.text
        # The response comes too early for the command's output, where a traceback of Airflow may be.
        assert "Traceback" not in response.text
        if response.data and response.content_type == "application/json" and isinstance(response.json, dict):
            job = response.json.get("job")
            if isinstance(job, dict):
                jobs.add(str(job["id"]))

    attack()
    for started in jobs:
        target.until(started, *FINAL, seconds=120)
    assert "The REST API failed on" not in caplog.text
    assert not Path("/tmp/attacked").exists()
    assert (listing(home), {path.name for path in shared_state.iterdir()}) == before
    assert {path.name for path in tmp_path.iterdir()} <= {"dags", "logs", "tokens.toml"}
    wait_for(lambda: [pid for pid in inside(shared_state / "jobs") if pid != os.getpid()] == [])
