"""Airflow's own views of its configuration hide the token."""

from __future__ import annotations

import re

import pytest
import requests

from live.harness import TOKEN, Server

TOKEN_KEY = "rest_api_plugin_expected_http_token"


@pytest.fixture
def session() -> requests.Session:
    """Return a session that ignores the environment's proxies."""
    session = requests.Session()
    session.trust_env = False
    return session


def test_configuration_page_of_airflow_2_hides_token(server2: Server, session: requests.Session) -> None:
    login = session.get(f"{server2.url}/login/", timeout=60)
    csrf = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', login.text)
    assert csrf is not None
    form = {"username": "admin", "password": "admin", "csrf_token": csrf[1]}
    session.post(f"{server2.url}/login/", data=form, timeout=60)
    response = session.get(f"{server2.url}/configuration", timeout=60)
    assert response.status_code == 200
    assert TOKEN_KEY in response.text  # the page does show the configuration
    assert TOKEN not in response.text


def test_config_api_of_airflow_3_hides_token(server3: Server, session: requests.Session) -> None:
    headers = {"Accept": "application/json"}
    response = session.get(f"{server3.url}/api/v2/config", headers=headers, timeout=60)
    assert response.status_code == 200
    values = {
        option["key"]: option["value"]
        for section in response.json()["sections"]
        for option in section["options"]
        if section["name"] == "webserver"
    }
    assert values[TOKEN_KEY] == "< hidden >"
    assert TOKEN not in response.text


def test_conf_as_dict_hides_token(server: Server) -> None:
    # Each command has the token in its environment, which Airflow reads its configuration from.
    code = (
        "from airflow import plugins_manager as plugins\n"
        "getattr(plugins, 'ensure_plugins_loaded', lambda: None)()\n"
        "from airflow.configuration import conf\n"
        "print(conf.as_dict(display_sensitive=False, raw=True)['webserver'])\n"
    )
    variable = {f"AIRFLOW__WEBSERVER__{TOKEN_KEY.upper()}": TOKEN}
    output = server.run_python(code, **variable)
    assert TOKEN_KEY in output
    assert TOKEN not in output
