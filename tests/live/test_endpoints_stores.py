"""Variables, connections and pools keep any value unchanged."""

from __future__ import annotations

import json
from typing import Any

from live.concurrency import on_both_versions, run_concurrently
from live.database import fetch_rows
from live.harness import Server

HOSTILE = [
    "-h",
    "--help",
    "--json",
    "a b",
    "$(id)",
    "`id`;id&",
    "'\"",
    "naïve 日本語 🚀",
    "two\nlines\r\n",
    "%s %(x)s {x} {{ x }}",
    "=",
    "\\",
]
"""Values that shells, option parsers, formatters and templates could interpret."""


def export_variables(server: Server) -> dict[str, Any]:
    """Return all variables from the endpoint."""
    envelope = server.run_command("variables", export="-")
    exported_values = json.loads(envelope["stdout"])
    assert isinstance(exported_values, dict)
    return exported_values


def test_hostile_values_are_stored_verbatim(server: Server) -> None:
    # Each value is also used in its key. The requests carry arguments in all possible ways.
    def put(number: int, text: str) -> Any:
        arguments = {"key": f"{number} {text}", "value": text}
        if number % 3 == 0:
            return server.get("variables", cmd="set", **arguments)
        if number % 3 == 1:
            return server.post("variables", json={"set": arguments["key"], "value": text})
        return server.post("variables", data={"set": arguments["key"], "value": text})

    replies = run_concurrently(
        *(lambda number=number, text=text: put(number, text) for number, text in enumerate(HOSTILE))
    )
    assert [reply.status for reply in replies] == [200] * len(HOSTILE), [reply.text for reply in replies]
    values = export_variables(server)
    assert {f"{number} {text}": text for number, text in enumerate(HOSTILE)}.items() <= values.items()


@on_both_versions
def test_a_key_that_looks_like_an_option(server: Server) -> None:
    server.run_command("variables", set="--help", value="-h")
    assert server.run_command("variables", get="--help")["stdout"] == "-h\n"
    server.run_command("variables", delete="--help")
    gone = server.get("variables", get="--help")
    assert (gone["status"], gone["exit_code"]) == ("ERROR", 1)
    assert gone.status == 404


@on_both_versions
def test_the_value_of_a_variable_is_masked(server: Server) -> None:
    envelope = server.run_command("variables", cmd="set", key="quiet", value="s3cr3t-value")
    assert "s3cr3t-value" not in json.dumps({**envelope, "stdout": "", "stderr": "", "output": ""})
    listed = server.run_command("variables")
    assert "quiet" in {row["key"] for row in listed["result"]}


@on_both_versions
def test_import_of_a_file(server: Server) -> None:
    content = {"imported": "one", "imported_object": {"a": [1, 2]}, "--imported": "-h"}
    files = {"file": ("any name.json", json.dumps(content), "application/json")}
    reply = server.post("variables", data={"cmd": "import"}, files=files)
    assert (reply.status, reply["status"]) == (200, "OK"), reply.text
    assert content.items() <= export_variables(server).items()


def test_export_writes_no_file_on_the_server(server: Server) -> None:
    target = server.home / "exported.json"
    reply = server.get("variables", export=str(target))
    assert (reply.status, reply["airflow_cmd"]) == (400, "")
    assert not target.exists()


URI = "postgresql://user:p4ssw0rd-of-the-test@db.example:5433/name"


@on_both_versions
def test_connections(server: Server) -> None:
    add = server.post("connections", data={"add": "", "conn_id": "live_db", "conn_uri": URI})
    assert (add.status, add["status"]) == (200, "OK"), add.text
    assert "p4ssw0rd" not in add["airflow_cmd"]
    assert "p4ssw0rd" not in json.dumps(add["arguments"])
    assert add["arguments"]["conn_id"] == "live_db"
    # Secrets are encrypted, so only the other columns can be read without Airflow.
    stored = fetch_rows(
        server, "select conn_type, host, login, port from connection where conn_id = 'live_db'"
    )
    assert stored == [("postgres", "db.example", "user", 5433)]

    again, listed, got = run_concurrently(
        lambda: server.post("connections", data={"cmd": "add", "conn_id": "live_db", "conn_uri": URI}),
        lambda: server.get("connections", list="true"),
        lambda: server.get("connections", get="true", conn_id="live_db"),
    )
    assert again.status == 409, again.text
    assert "p4ssw0rd" not in again["output"]
    assert "live_db" in {row["conn_id"] for row in listed["result"]}
    assert [row["host"] for row in got["result"]] == ["db.example"]

    server.run_command("connections", cmd="delete", conn_id="live_db")
    assert fetch_rows(server, "select 1 from connection where conn_id = 'live_db'") == []


def test_unknown_objects_give_a_404(server: Server) -> None:
    connection, pool = run_concurrently(
        lambda: server.get("connections", get="true", conn_id="no_such_thing"),
        lambda: server.get("pool", get="no_such_thing"),
    )
    for reply in (connection, pool):
        assert (reply.status, reply["error"]["type"]) == (404, "NotFound"), reply.text
        assert "\n" not in reply["output"]


@on_both_versions
def test_pools(server: Server) -> None:
    server.run_command("pool", cmd="set", pool_name="-live pool-", slot_count="7", pool_description="--help")
    server.run_command("pool", set="without words", slot_count="-1")
    listed, got = run_concurrently(
        lambda: server.run_command("pool"), lambda: server.run_command("pool", get="-live pool-")
    )
    stored_rows = {row["pool"]: row for row in listed["result"]}
    assert stored_rows["-live pool-"]["description"] == "--help"
    assert str(stored_rows["-live pool-"]["slots"]) == "7"
    assert str(stored_rows["without words"]["slots"]) == "-1"
    assert [str(row["slots"]) for row in got["result"]] == ["7"]
    server.run_command("pool", delete="-live pool-")
    assert fetch_rows(server, "select 1 from slot_pool where pool = '-live pool-'") == []
