"""Airflow shows its configuration to who may see it. The token is not part of that."""

from __future__ import annotations

import re

import pytest
import requests

from live.harness import TOKEN, Server

TOKEN_KEY = "rest_api_plugin_expected_http_token"


@pytest.fixture
def session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    return session


def test_the_page_of_airflow_2_hides_the_token(server2: Server, session: requests.Session) -> None:
    login = session.get(f"{server2.url}/login/", timeout=60)
    csrf = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', login.text)
    assert csrf is not None
    form = {"username": "admin", "password": "admin", "csrf_token": csrf[1]}
    session.post(f"{server2.url}/login/", data=form, timeout=60)
    shown = session.get(f"{server2.url}/configuration", timeout=60)
    assert shown.status_code == 200
    assert TOKEN_KEY in shown.text  # so the page does show the configuration, with this key
    assert TOKEN not in shown.text


def test_the_api_of_airflow_3_hides_the_token(server3: Server, session: requests.Session) -> None:
    shown = session.get(f"{server3.url}/api/v2/config", headers={"Accept": "application/json"}, timeout=60)
    assert shown.status_code == 200
    values = {
        option["key"]: option["value"]
        for section in shown.json()["sections"]
        for option in section["options"]
        if section["name"] == "webserver"
    }
    assert values[TOKEN_KEY] == "< hidden >"
    assert TOKEN not in shown.text


def test_the_command_line_hides_it_as_well(server: Server) -> None:
    # The token is in the environment of each command, where Airflow reads its configuration from.
    code = (
        "from airflow import plugins_manager as plugins\n"
        "getattr(plugins, 'ensure_plugins_loaded', lambda: None)()\n"
        "from airflow.configuration import conf\n"
        "print(conf.as_dict(display_sensitive=False, raw=True)['webserver'])\n"
    )
    variable = {f"AIRFLOW__WEBSERVER__{TOKEN_KEY.upper()}": TOKEN}
    said = server.python(code, **variable)
    assert TOKEN_KEY in said
    assert TOKEN not in said
