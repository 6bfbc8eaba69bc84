"""Test for failures of similar systems. Each docstring names the system or the CVE."""

from __future__ import annotations

import hmac
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from remote import TOKEN, entry, secret_of
from test_attack import sample

from airflow_remote_server.http.routes import ROUTES

if TYPE_CHECKING:
    from remote import Remote

API = "/admin/rest_api/api/v1.0"


def test_values_reach_no_shell(remote: Remote, tmp_path: Path) -> None:
    """The 1.x plugin passed quoted strings to os.system, which expanded ``$()`` in them."""
    touched = tmp_path / "touched"
    value = f"$(touch {touched}) `touch {touched}` '; touch {touched}; ' \" && touch {touched}"
    response = remote("commands/variables/set", "POST", json={"key": "no_shell", "value": value})
    assert response.status_code == 200, response.text
    got = remote("commands/variables/get", query_string={"key": "no_shell"})
    assert got.json["stdout"] == value + "\n"
    assert not touched.exists()


@pytest.mark.parametrize("name", ["../x.py", "/tmp/x.py", "a/../../x.py", "..\\x.py", "x.py\0.txt"])
def test_uploads_cannot_leave_dags_folder(make_remote: Any, tmp_path: Path, name: str) -> None:
    """The 1.x plugin trusted the client's file name, and imported the file in the webserver."""
    marker = tmp_path / "imported"
    source = f"import pathlib\npathlib.Path({str(marker)!r}).touch()\n".encode()
    response = make_remote()("deploy_dag", "POST", data={"dag_file": (io.BytesIO(source), name)})
    assert response.status_code == 400, response.text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dags", "logs"]
    assert list((tmp_path / "dags").rglob("*.py")) == []
    assert not marker.exists()


def test_large_output_does_not_hang(remote: Remote, make_probe: Any) -> None:
    """The 1.x plugin waited for a command to end before it read the full pipes."""
    response = remote.run(make_probe("burst", 3_000_000))
    assert response.status_code == 200
    assert response.json["stdout"].startswith("x" * 3_000_000)


def test_tokens_are_compared_in_constant_time(
    make_remote: Any, tokens_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The 1.x plugin compared the token with ``!=``."""
    compared: list[tuple[bytes, bytes]] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return hmac_compare(one, other)

    hmac_compare = hmac.compare_digest
    tokens_file.write_text("".join(entry(f"number{n}", "viewer") for n in range(5)))
    remote = make_remote(tokens_file=tokens_file)
    monkeypatch.setattr(hmac, "compare_digest", compare)
    for token, status in ((secret_of("number0"), 200), (secret_of("number4"), 200), ("wrong", 403)):
        compared.clear()
        assert remote.holding(token)("rest_api_plugin_version").status_code == status
        assert len(compared) == 6, "all five and the one of airflow.cfg, wherever the match is"
        assert {len(digest) for pair in compared for digest in pair} == {32}, "digests of equal length"


def test_arguments_are_not_expanded_before_authorization(holder: Any) -> None:
    """CVE-2024-23897, Jenkins: ``@file`` was expanded before the permission was checked."""
    response = holder("viewer")("commands/dags/trigger", "POST", json={"dag_id": "@/etc/passwd", "nope": 1})
    assert response.status_code == 403
    assert "root:" not in response.text
    response = holder("operator")("commands/dags/trigger", "POST", json={"dag_id": "@/etc/passwd"})
    assert "root:" not in response.text
    assert "@/etc/passwd" in response.json["airflow_cmd"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Host": "evil.example"},
        {"Upgrade": "websocket", "Connection": "Upgrade", "Origin": "https://evil.example"},
    ],
)
def test_cross_site_requests_are_rejected(make_client: Any, headers: dict[str, str]) -> None:
    """CVE-2024-23898, Jenkins: a page of another site could open a WebSocket."""
    local = {"environ_overrides": {"REMOTE_ADDR": "127.0.0.1"}}
    client = make_client(token=None)
    assert client.get(f"{API}/rest_api_plugin_version", **local).status_code == 200
    assert client.get(f"{API}/rest_api_plugin_version", headers=headers, **local).status_code == 403


def test_oversized_argument_is_rejected(remote: Remote) -> None:
    """adnanh/webhook#619: a payload exceeded ARG_MAX."""
    for size, status in ((131_071, 200), (131_072, 400)):
        response = remote("commands/variables/set", "POST", json={"key": "long", "value": "x" * size})
        assert response.status_code == status, response.text[:300]
    assert "131072 bytes; an argument may have at most 131071" in response.json["output"]


def test_unauthenticated_clients_cannot_trigger_dags(make_client: Any, holder: Any) -> None:
    """CVE-2020-13927 with CVE-2020-11978: an open API, and a ``conf`` that reached a shell."""
    conf = {"dag_id": "d", "conf": json.dumps({"message": "$(id)"})}
    for settings in ({}, {"token": None}, {"token": None, "allow_anonymous": False}):
        client = make_client(**settings)
        response = client.post(
            f"{API}/trigger_dag", data=conf, environ_overrides={"REMOTE_ADDR": "192.0.2.1"}
        )
        assert response.status_code == 403
    assert holder("viewer")("trigger_dag", "POST", json=conf).status_code == 403
    assert holder("operator", 'dags = ["safe"]\n')("trigger_dag", "POST", json=conf).status_code == 403


def test_every_route_is_protected(make_client: Any) -> None:
    """CVE-2021-38540: one route of many needed no authentication. See also ``test_attack``."""
    client = make_client()
    answered = {
        rule.endpoint
        for rule in ROUTES
        for method in rule.methods or ()
        if client.open(f"/admin/rest_api{sample(rule.rule)}", method=method).status_code != 403
    }
    assert answered == {"page", "static", "health"}


def test_secrets_are_not_logged(remote: Remote, caplog: pytest.LogCaptureFixture) -> None:
    """CVE-2026-31987, apache/airflow#27907: secrets in logs. See also ``test_secrets``."""
    secret = "never-to-be-logged"
    remote("commands/variables/set", "POST", json={"key": "k", "value": secret})
    remote(
        "connections", "POST", json={"add": True, "conn_id": "c", "conn_uri": f"a://{secret}@b", "nope": 1}
    )
    remote("trigger_dag", "POST", json={"dag_id": "none", "conf": {"password": secret}})
    assert "airflow variables set" in caplog.text
    assert secret not in caplog.text


def test_revoked_token_is_refused_at_once_and_not_stored(holder: Any, tokens_file: Path, home: Path) -> None:
    """CVE-2023-40273: sessions outlived a password reset."""
    remote = holder("admin")
    assert remote("version").status_code == 200
    for path in [*home.rglob("*"), *Path(remote.settings.state_dir).rglob("*"), tokens_file]:
        if path.is_file():
            assert secret_of("ci").encode() not in path.read_bytes(), path
    tokens_file.write_text(entry("another", "admin"))
    assert remote("rest_api_plugin_version").status_code == 403
    assert remote("jobs").status_code == 403


def test_cookies_do_not_authenticate(make_client: Any) -> None:
    """FlowFixation, MWAA: another site could plant a session cookie. See also ``test_cors``."""
    client = make_client()
    for cookie in (f"token={TOKEN}", f"session={TOKEN}", f"rest_api_plugin_http_token={TOKEN}"):
        assert client.get(f"{API}/rest_api_plugin_version", headers={"Cookie": cookie}).status_code == 403
