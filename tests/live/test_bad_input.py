"""Invalid input is rejected with a clear one-line message, and nothing is run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from live.database import fetch_runs
from live.harness import Reply, Server

MEBIBYTE = 1 << 20


def yield_megabytes(number: int) -> Iterator[bytes]:
    """Yield a body of unknown length."""
    yield b"dag_id="
    for _ in range(number):
        yield b"x" * MEBIBYTE


def headers_for(server: Server, kind: str) -> dict[str, str]:
    return {"rest-api-plugin-http-token": str(server.token), "Content-Type": kind}


def send_json(text: str) -> Callable[[Server], Reply]:
    return lambda server: server.post(
        "trigger_dag",
        data=text.encode("utf-8", "surrogatepass"),
        headers=headers_for(server, "application/json"),
    )


def get_endpoint(endpoint: str, **arguments: Any) -> Callable[[Server], Reply]:
    return lambda server: server.get(endpoint, **arguments)


HELLO = {"dag_id": "hello_remote"}
WRONG: dict[str, tuple[Callable[[Server], Reply], int, list[str]]] = {
    # name: request, status, texts in the message
    "unknown endpoint": (get_endpoint("trigger_dags"), 404, ["trigger_dags", "trigger_dag'"]),
    "unknown endpoint, nothing like it": (get_endpoint("zzzzzzzz"), 404, ["zzzzzzzz"]),
    "unknown endpoint of the legacy shape": (
        lambda s: s.request("/api?api=versoin"),
        404,
        ["versoin", "'version'"],
    ),
    "no endpoint of the legacy shape": (lambda s: s.request("/api"), 400, ["api=NAME"]),
    "two endpoints of the legacy shape": (
        lambda s: s.request("/api?api=version&api=pool"),
        400,
        ["api=NAME"],
    ),
    "no such route": (lambda s: s.request("/api/v2.0/version"), 404, ["/api/v2.0/version"]),
    "unknown argument": (get_endpoint("trigger_dag", **HELLO, runid="x"), 400, ["'ru...'", "'run_id'"]),
    "argument of another endpoint": (get_endpoint("version", dag_id="x"), 400, ["'dag...'"]),
    "missing ones": (get_endpoint("render"), 400, ["dag_id", "task_id", "execution_date"]),
    "missing and unknown": (
        get_endpoint("render", tsk_id="x"),
        400,
        ["dag_id", "execution_date", "'tsk...'", "'task_id'"],
    ),
    "empty one": (get_endpoint("trigger_dag", dag_id=""), 400, ["dag_id"]),
    "one given twice": (get_endpoint("trigger_dag", dag_id=["a", "b"]), 400, ["'dag_id'", "2 times"]),
    "not a number": (
        get_endpoint("pool", cmd="set", pool_name="x", slot_count="many"),
        400,
        ["'slot_count'", "whole number"],
    ),
    "not a flag": (get_endpoint("clear", **HELLO, upstream="perhaps"), 400, ["'upstream'", "true"]),
    "not an object": (get_endpoint("trigger_dag", **HELLO, conf="[1]"), 400, ["'conf'", "object"]),
    "not JSON": (get_endpoint("trigger_dag", **HELLO, conf="{'a': 1}"), 400, ["'conf'", "JSON"]),
    "NUL": (get_endpoint("trigger_dag", dag_id="a\0b"), 400, ["'dag_id'", "NUL"]),
    "lone --": (get_endpoint("variables", set="key", value="--"), 400, ["'value'", "--"]),
    "lone -- as a name": (get_endpoint("trigger_dag", dag_id="--"), 400, ["'dag_id'", "--"]),
    "over the longest argument": (
        lambda s: s.post("trigger_dag", data={"dag_id": "x" * 131072}),
        400,
        ["'dag_id'", "131071"],
    ),
    "a URI that is an option": (
        lambda s: s.post("connections", data={"cmd": "add", "conn_id": "x", "conn_uri": "--conn-json"}),
        400,
        ["'conn_uri'"],
    ),
    "two forms at once": (get_endpoint("variables", get="a", delete="b"), 400, ["delete", "get"]),
    "no such form": (get_endpoint("pool", cmd="destroy"), 400, ["'destroy'", "delete"]),
    "a path outside": (get_endpoint("variables", export="/tmp/x"), 400, ["'file'"]),
    "bad JSON body": (send_json('{"dag_id": '), 400, ["JSON"]),
    "JSON that is no object": (send_json('["hello_remote"]'), 400, ["object"]),
    "JSON with a name twice": (send_json('{"dag_id": "a", "dag_id": "b"}'), 400, ["twice"]),
    "JSON with NaN": (send_json('{"dag_id": NaN}'), 400, ["NaN"]),
    "JSON of a wrong type": (send_json('{"dag_id": {"a": 1}}'), 400, ["'dag_id'"]),
    "JSON with a list": (send_json('{"dag_id": ["a"]}'), 400, ["'dag_id'"]),
    "JSON with a lone surrogate": (send_json('{"dag_id": "\\ud800"}'), 400, ["'dag_id'", "surrogate"]),
    "JSON nested too deeply": (send_json("[" * 100_000), 400, ["JSON"]),
    "JSON in UTF-8 that is none": (
        lambda s: s.post(
            "trigger_dag", data=b'{"dag_id": "\xff"}', headers=headers_for(s, "application/json")
        ),
        400,
        ["JSON"],
    ),
    "form in UTF-8 that is none": (
        lambda s: s.post(
            "trigger_dag", data=b"dag_id=%ff", headers=headers_for(s, "application/x-www-form-urlencoded")
        ),
        400,
        ["UTF-8"],
    ),
    "body of another kind": (
        lambda s: s.post("trigger_dag", data=b"<a/>", headers=headers_for(s, "application/xml")),
        400,
        ["application/xml"],
    ),
    "multipart without a boundary": (
        lambda s: s.post("trigger_dag", data=b"--x--", headers=headers_for(s, "multipart/form-data")),
        400,
        [],
    ),
    "over 1000 fields": (lambda s: s.post("version", data={f"a{n}": "" for n in range(1100)}), 413, ["1000"]),
    "body over the limit": (
        lambda s: s.post("trigger_dag", data=b"dag_id=" + b"x" * (17 * MEBIBYTE)),
        413,
        [str(16 * MEBIBYTE)],
    ),
    "chunked body over the limit": (
        lambda s: s.post(
            "trigger_dag",
            data=yield_megabytes(17),
            headers=headers_for(s, "application/x-www-form-urlencoded"),
        ),
        413,
        [str(16 * MEBIBYTE)],
    ),
    "file over the limit": (
        lambda s: s.post("deploy_dag", files={"dag_file": ("x.py", b"#" * (17 * MEBIBYTE))}),
        413,
        [str(16 * MEBIBYTE)],
    ),
}


@pytest.mark.parametrize(("request_", "status", "words"), WRONG.values(), ids=WRONG)
def test_invalid_input_gives_one_clear_line_and_runs_nothing(
    server: Server, request_: Callable[[Server], Reply], status: int, words: list[str]
) -> None:
    folder = server.home / "rest_api" / "commands"
    # Every running command has a folder here; creating one would change the modification time.
    before = fetch_runs(server), folder.stat().st_mtime_ns if folder.exists() else None
    reply = request_(server)
    assert reply.status == status, reply.text
    envelope = reply.json
    assert (envelope["status"], envelope["http_response_code"]) == ("ERROR", status)
    assert envelope["airflow_cmd"] == ""
    assert "exit_code" not in envelope
    message = envelope["error"]["message"]
    assert envelope["output"] == message
    assert message
    assert "\n" not in message
    assert len(message) < 600
    assert [word for word in words if word not in message] == [], message
    assert (fetch_runs(server), folder.stat().st_mtime_ns if folder.exists() else None) == before


def test_the_legacy_shape_ignores_unknown_arguments(server: Server) -> None:
    reply = server.request("/api?api=rest_api_plugin_version&nobody=knows")
    assert (reply.status, reply["status"]) == (200, "OK")


def test_an_id_may_begin_like_an_option(server: Server) -> None:
    reply = server.get("trigger_dag", dag_id="--help")
    assert (reply.status, reply["error"]["type"]) == (404, "NotFound"), reply.text
    assert "usage" not in reply["output"].lower()
    assert json.dumps("--help") in json.dumps(reply["arguments"])
