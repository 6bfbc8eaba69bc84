"""Standard output holds what a command printed, without log lines and color codes."""

from __future__ import annotations

import json

from live.concurrency import run_concurrently
from live.conftest import NOISE
from live.harness import Server


def test_stdout_of_json_commands_is_json_alone(server: Server) -> None:
    replies = run_concurrently(
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
        # The servers' environment has FORCE_COLOR, which would color even JSON.
        assert "\x1b" not in reply["stdout"] + reply["stderr"]


def test_stdout_of_text_commands_is_text_alone(server: Server) -> None:
    reply = server.get("version")
    assert "result" not in reply
    assert reply["stdout"] == f"{server.release}\n"
    assert NOISE not in reply["stdout"]
    assert "\x1b" not in reply["stdout"] + reply["stderr"]


def test_output_of_airflow_s_import_goes_to_the_fork_server_s_log(server: Server) -> None:
    server.run_command("version")
    logs = (server.home / "rest_api" / "host").glob("*.log")
    assert any(NOISE in path.read_text() for path in logs)
