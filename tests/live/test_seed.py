"""What the seed's users do, with the program that they do it with: curl, underscores and all."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import datetime
from urllib.parse import quote

from live.database import runs
from live.harness import PREFIX, TOKEN, Server

SEED_KEYS = {"airflow_cmd", "arguments", "call_time", "output", "response_time", "status"}
REFUSAL_KEYS = {"call_time", "output", "response_time", "status"}


def curl(*arguments: str) -> tuple[int, dict[str, object]]:
    """Run curl and return the HTTP status and the JSON object of the answer."""
    done = subprocess.run(
        ["curl", "--write-out", "\n%{http_code}", *arguments],
        env={**os.environ, "NO_PROXY": "*"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    body, _, status = done.stdout.rpartition("\n")
    return int(status), json.loads(body)


def http_date(text: object) -> datetime:
    """Read a date of the form that the seed shows: Tue, 29 Nov 2016 14:22:26 GMT."""
    return datetime.strptime(str(text), "%a, %d %b %Y %H:%M:%S GMT")


def check_version(url: str, release: str) -> None:
    """Send the seed's example, and see the seed's sample in the answer. Used for every way in."""
    status, answer = curl(
        "--header", f"rest_api_plugin_http_token: {TOKEN}", f"{url}{PREFIX}/api/v1.0/version"
    )
    assert status == 200, answer
    assert answer.keys() >= SEED_KEYS
    assert (answer["airflow_cmd"], answer["arguments"]) == ("airflow version", {})
    assert (answer["output"], answer["status"]) == (release, "OK")
    assert http_date(answer["call_time"]) <= http_date(answer["response_time"])


def test_version_by_the_literal_curl_line(server: Server) -> None:
    check_version(server.url, server.release)


def test_trigger_dag_by_its_id(server: Server) -> None:
    before = set(runs(server))
    status, answer = curl(
        "--header", f"rest_api_plugin_http_token: {TOKEN}", f"{server.api}/trigger_dag?dag_id=hello_remote"
    )
    assert (status, answer["status"]) == (200, "OK"), answer
    assert answer["arguments"] == {"dag_id": "hello_remote"}
    assert set(runs(server)) - before == {answer["dag_run_id"]}


def test_trigger_dag_with_run_id_and_url_encoded_conf(server: Server) -> None:
    query = "dag_id=hello_remote&run_id=run_id_2016_01_01&conf=%7B%22key%22%3A%22value%22%7D"
    status, answer = curl(
        "--header", f"rest_api_plugin_http_token: {TOKEN}", f"{server.api}/trigger_dag?{query}"
    )
    assert (status, answer["status"]) == (200, "OK"), answer
    assert answer["dag_run_id"] == "run_id_2016_01_01"
    assert runs(server)["run_id_2016_01_01"] == {"key": "value"}


def test_a_request_without_the_header_is_answered_as_in_the_seed(server: Server) -> None:
    status, answer = curl(f"{server.api}/version")
    assert status == 403
    assert answer.keys() == REFUSAL_KEYS
    assert (answer["output"], answer["status"]) == ("Token Authentication Failed", "ERROR")
    assert http_date(answer["call_time"]) <= http_date(answer["response_time"])


def test_the_ancestors_shape(server: Server) -> None:
    status, answer = curl(
        "--header",
        f"rest_api_plugin_http_token: {TOKEN}",
        "--data",
        "conf=" + quote('{"key": "value"}'),
        f"{server.url}{PREFIX}/api?api=trigger_dag&dag_id=hello_remote&run_id=ancestor&nobody=knows",
    )
    assert (status, answer["status"]) == (200, "OK"), answer
    assert answer["arguments"] == {"dag_id": "hello_remote", "run_id": "ancestor"}
    assert answer["post_arguments"] == {"conf": '{"key": "value"}'}
    output = answer["output"]
    assert isinstance(output, dict)
    assert output.keys() == {"stdout", "stderr", "stdin"}
    assert json.loads(output["stdout"])[0]["dag_run_id"] == "ancestor"
    assert runs(server)["ancestor"] == {"key": "value"}
