"""What a command printed, apart from what it logged; and without colours, which nobody asked for."""

from __future__ import annotations

import json

from live.conftest import NOISE
from live.harness import Server, together


def test_json_is_all_that_is_on_stdout(server: Server) -> None:
    replies = together(
        lambda: server.get("list_dags"),
        lambda: server.get("list_dags", report="true"),
        lambda: server.get("pool"),
        lambda: server.get("variables"),
    )
    for reply in replies:
        assert reply.status == 200, reply.text
        assert json.loads(reply["stdout"]) == reply["result"]
        assert reply["output"] == reply["stdout"].removesuffix("\n")
        assert NOISE not in reply["stdout"]
        # The servers have FORCE_COLOR in their environment, which would colour even JSON.
        assert "\x1b" not in reply["stdout"] + reply["stderr"]


def test_text_is_all_that_is_on_stdout(server: Server) -> None:
    reply = server.get("version")
    assert "result" not in reply
    assert reply["stdout"] == f"{server.release}\n"
    assert NOISE not in reply["stdout"]
    assert "\x1b" not in reply["stdout"] + reply["stderr"]


def test_what_airflow_prints_when_it_is_imported_goes_to_the_hosts_log(server: Server) -> None:
    server.done("version")
    logs = (server.home / "rest_api" / "host").glob("*.log")
    assert any(NOISE in path.read_text() for path in logs)
