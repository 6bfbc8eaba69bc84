"""The patch of gunicorn's parser accepts one more header and changes nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from live.harness import ROOT

from matrix.gunicorns import TOKEN, drops_names, gunicorn_environment, run_snippet

PARSE = r"""
import json
from gunicorn.config import Config
from gunicorn.http import RequestParser
from airflow_remote_server.integrations.gunicorn_header import let_token_through

OTHERS = b"a_b: c\r\nscript_name: /s\r\npath_info: /p\r\nx_forwarded_for: 9.9.9.9\r\nx-token: t\r\n"

def parsed(token, others=OTHERS, trailer=b"", **settings):
    config = Config()
    for name, value in {"forwarded_allow_ips": "192.0.2.1", **settings}.items():
        if name in config.settings:
            config.set(name, value)
    head = b"%s /path HTTP/1.1\r\nHost: localhost\r\n" + token + others
    chunks = b"Transfer-Encoding: chunked\r\n\r\n1\r\nb\r\n0\r\n" + trailer + b"\r\n"
    stream = head % b"GET" + b"\r\n" + head % b"POST" + chunks + head % b"GET" + b"\r\n"
    parts = iter([stream[:50], stream[50:70], stream[70:]])
    try:
        return [
            [request.body.read().decode(), request.headers, request.trailers]
            for request in RequestParser(config, parts, ("192.0.2.9", 1))
        ]
    except Exception as error:
        return type(error).__name__

def shown():
    token, none = b"rest_api_plugin_http_token: secret\r\n", b""
    large = token.replace(b"secret", b"x" * 9000)
    return {
        "drop": [parsed(none), parsed(token)],
        "trailer": parsed(none, trailer=token),
        "dangerous": [parsed(none, header_map="dangerous"), parsed(token, header_map="dangerous")],
        "refuse": parsed(token, b"", header_map="refuse"),
        "refuse others": parsed(token, header_map="refuse"),
        "spaces": parsed(token.replace(b":", b" :"), b""),
        "large": parsed(large),
        "many": parsed(token, limit_request_fields=1),
    }

before = shown()
let_token_through()
let_token_through()
print(json.dumps([before, shown()]))
"""


def test_only_one_more_name_is_accepted(gunicorn: Path, tmp_path: Path) -> None:
    """An untrusted peer sends three requests at once."""
    (before, after), log = run_snippet(gunicorn_environment(gunicorn, tmp_path), PARSE)
    assert log == ""
    assert len(before["trailer"]) == 3
    for policy in ("drop", "dangerous") if drops_names(gunicorn) else ("drop",):
        without, requests = after[policy]
        assert without == before[policy][0]
        assert len(requests) == len(without) == 3
        for (body, headers, _), (body_without, headers_without, _) in zip(requests, without, strict=True):
            tokens = [header for header in headers if header[0].replace("-", "_") == TOKEN[5:]]
            assert [value for _, value in tokens] == ["secret"]
            assert [header for header in headers if header not in tokens] == headers_without
            assert body == body_without
    if drops_names(gunicorn):
        assert before["refuse"] == "InvalidHeaderName"
        assert [len(headers) for _, headers, _ in after["refuse"]] == [2, 3, 2]
    for others in ("trailer", "refuse others", "spaces", "large", "many"):
        assert after[others] == before[others]
    assert {after["large"], after["many"]} == {"LimitRequestHeaders"}


UNKNOWN = """
import logging, sys, types
logging.basicConfig(level=logging.INFO, format="%(message)s")
for name in ("gunicorn", "gunicorn.config", "gunicorn.http", "gunicorn.http.message"):
    sys.modules[name] = types.ModuleType(name)
sys.modules["gunicorn"].__version__ = "99.0"
sys.modules["gunicorn.config"].HeaderMap = object
sys.modules["gunicorn.http.message"].Message = type("Message", (), {MEMBERS})
from airflow_remote_server.integrations.gunicorn_header import hint, let_token_through
let_token_through()
print("hint:", hint({}))
"""


@pytest.mark.parametrize(
    "members",
    [
        "{}",
        "{'parse_headers': lambda self, other: None}",
        "{'_apply_header_policy': lambda self, header: None, 'parse_headers': lambda self: None}",
        "{'_apply_header_policy': 5}",
    ],
)
def test_an_unknown_gunicorn_is_not_patched_and_a_hint_says_so(members: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", UNKNOWN.replace("{MEMBERS}", members)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "middleware")},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    hint = "this webserver (gunicorn 99.0) drops rest_api_plugin_http_token: send rest-api-plugin-http-token"
    assert done.stdout == f"hint: {hint}\n"
    assert done.stderr == f"{hint}\n"


REFUSED = """
import json, sys, types
for name in ("gunicorn", "gunicorn.config", "gunicorn.http", "gunicorn.http.message"):
    sys.modules[name] = types.ModuleType(name)
sys.modules["gunicorn"].__version__ = "99.0"
sys.modules["gunicorn.config"].HeaderMap = object
sys.modules["gunicorn.http.message"].Message = type("Message", (), {})
from airflow_remote_server.integrations.gunicorn_header import let_token_through
from airflow_remote_server.middleware import RestApiMiddleware
from werkzeug.test import Client
let_token_through()
client = Client(RestApiMiddleware(lambda environ, start_response: []))
answers = [
    client.get("/admin/rest_api/api/v1.0/version", headers=headers)
    for headers in ({}, {"rest-api-plugin-http-token": "wrong"})
]
print(json.dumps([[answer.status_code, answer.json, dict(answer.headers)] for answer in answers]))
"""


def test_a_rejection_adds_a_hint_to_the_2016_plugins_response(tmp_path: Path) -> None:
    token = {"AIRFLOW__WEBSERVER__REST_API_PLUGIN_EXPECTED_HTTP_TOKEN": "secret"}
    answers, log = run_snippet(gunicorn_environment(tmp_path, tmp_path, **token), REFUSED)
    for status, body, _ in answers:
        assert status == 403
        assert body.keys() == {"call_time", "output", "response_time", "status"}
        assert body["output"] == "Token Authentication Failed"
    (_, _, none), (_, _, wrong) = answers
    assert none["Airflow-Remote-Hint"] == (
        "this webserver (gunicorn 99.0) drops rest_api_plugin_http_token: send rest-api-plugin-http-token"
    )
    assert "Airflow-Remote-Hint" not in wrong
    first, second = log.strip().splitlines()[-2:]
    assert f"no token: {none['Airflow-Remote-Hint']}" in first
    assert "no such token" in second
