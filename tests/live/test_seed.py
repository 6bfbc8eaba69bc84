"""The curl lines of the 2016 plugin's users work unchanged, with underscores in the header."""

from __future__ import annotations

import json
from datetime import datetime
from urllib.parse import quote

from live.curl import fetch_json
from live.database import fetch_runs
from live.harness import PREFIX, TOKEN, Server

PLUGIN_2016_KEYS = {"airflow_cmd", "arguments", "call_time", "output", "response_time", "status"}
REFUSAL_KEYS = {"call_time", "output", "response_time", "status"}


def parse_http_date(text: object) -> datetime:
    """Parse a date in the 2016 plugin's form: Tue, 29 Nov 2016 14:22:26 GMT."""
    return datetime.strptime(str(text), "%a, %d %b %Y %H:%M:%S GMT")


def check_version(url: str, release: str) -> None:
    """Send the example of the 2016 plugin's README, and check that the response matches its sample."""
    status, answer = fetch_json(
        "--header", f"rest_api_plugin_http_token: {TOKEN}", f"{url}{PREFIX}/api/v1.0/version"
    )
    assert status == 200, answer
    assert answer.keys() >= PLUGIN_2016_KEYS
    assert (answer["airflow_cmd"], answer["arguments"]) == ("airflow version", {})
    assert (answer["output"], answer["status"]) == (release, "OK")
    assert parse_http_date(answer["call_time"]) <= parse_http_date(answer["response_time"])


def test_version_by_the_literal_curl_line(server: Server) -> None:
    check_version(server.url, server.release)


def test_trigger_dag_by_its_id(server: Server) -> None:
    before = set(fetch_runs(server))
    status, answer = fetch_json(
        "--header", f"rest_api_plugin_http_token: {TOKEN}", f"{server.api}/trigger_dag?dag_id=hello_remote"
    )
    assert (status, answer["status"]) == (200, "OK"), answer
    assert answer["arguments"] == {"dag_id": "hello_remote"}
    assert set(fetch_runs(server)) - before == {answer["dag_run_id"]}


def test_trigger_dag_with_run_id_and_url_encoded_conf(server: Server) -> None:
    query = "dag_id=hello_remote&run_id=run_id_2016_01_01&conf=%7B%22key%22%3A%22value%22%7D"
    status, answer = fetch_json(
        "--header", f"rest_api_plugin_http_token: {TOKEN}", f"{server.api}/trigger_dag?{query}"
    )
    assert (status, answer["status"]) == (200, "OK"), answer
    assert answer["dag_run_id"] == "run_id_2016_01_01"
    assert fetch_runs(server)["run_id_2016_01_01"] == {"key": "value"}


def test_a_request_without_the_header_gets_the_2016_plugins_response(server: Server) -> None:
    status, answer = fetch_json(f"{server.api}/version")
    assert status == 403
    assert answer.keys() == REFUSAL_KEYS
    assert (answer["output"], answer["status"]) == ("Token Authentication Failed", "ERROR")
    assert parse_http_date(answer["call_time"]) <= parse_http_date(answer["response_time"])


def test_the_legacy_shape(server: Server) -> None:
    status, answer = fetch_json(
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
    assert fetch_runs(server)["ancestor"] == {"key": "value"}
