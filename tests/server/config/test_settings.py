from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_remote_server.config import reader, reference
from airflow_remote_server.config.dag_files import DagBundle, DagFileLimits
from airflow_remote_server.config.reader import read_settings, token_is_configured
from airflow_remote_server.config.settings import SettingsError
from airflow_remote_server.util.paths import confine

KEY = "REST_API_PLUGIN_EXPECTED_HTTP_TOKEN"


@pytest.fixture
def conf() -> Any:
    from airflow.configuration import conf

    return conf


@pytest.mark.parametrize("section", ["WEBSERVER", "REST_API_PLUGIN"])
@pytest.mark.parametrize(("suffix", "value"), [("", "t0ken"), ("_CMD", "printf 't0ken\\n'")])
def test_token_is_read_from_both_sections(
    monkeypatch: pytest.MonkeyPatch, conf: Any, section: str, suffix: str, value: str
) -> None:
    assert not token_is_configured(conf)
    assert read_settings().token is None
    monkeypatch.setenv(f"AIRFLOW__{section}__{KEY}{suffix}", value)
    assert token_is_configured(conf)
    assert read_settings().token == "t0ken"


def test_checking_for_a_token_does_not_run_its_command(
    monkeypatch: pytest.MonkeyPatch, conf: Any, tmp_path: Path
) -> None:
    monkeypatch.setenv(f"AIRFLOW__WEBSERVER__{KEY}_CMD", f"touch {tmp_path}/ran")
    assert token_is_configured(conf)
    assert not (tmp_path / "ran").exists()


def test_webserver_section_takes_precedence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"AIRFLOW__WEBSERVER__{KEY}", "first")
    monkeypatch.setenv(f"AIRFLOW__REST_API_PLUGIN__{KEY}", "second")
    assert read_settings().token == "first"


@pytest.mark.parametrize(("suffix", "value"), [("", ""), ("", "  "), ("_CMD", "true"), ("_CMD", "false")])
def test_empty_or_failing_token_is_an_error(monkeypatch: pytest.MonkeyPatch, suffix: str, value: str) -> None:
    monkeypatch.setenv(f"AIRFLOW__WEBSERVER__{KEY}{suffix}", value)
    with pytest.raises(SettingsError, match="rest_api_plugin_expected_http_token"):
        read_settings()


def test_airflow_masks_the_token_in_its_configuration(monkeypatch: pytest.MonkeyPatch, conf: Any) -> None:
    monkeypatch.setenv(f"AIRFLOW__WEBSERVER__{KEY}", "t0ken")
    read_settings()
    shown = conf.as_dict(display_source=True, display_sensitive=False)
    assert "t0ken" not in str(shown)
    assert KEY.lower() in str(shown).lower(), "masked, not absent: otherwise this test proves nothing"


@pytest.mark.parametrize("value", ["0", "-1", "many", "nan", ""])
@pytest.mark.parametrize("key", ["max_body_bytes", "max_output_bytes", "command_timeout", "max_requests"])
def test_invalid_limit_is_an_error(monkeypatch: pytest.MonkeyPatch, key: str, value: str) -> None:
    monkeypatch.setenv(f"AIRFLOW__REST_API_PLUGIN__{key.upper()}", value)
    with pytest.raises(SettingsError, match=key):
        read_settings()


def test_api_with_invalid_settings_rejects_every_request(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from werkzeug.test import Client

    from airflow_remote_server import RestApiMiddleware

    monkeypatch.setenv(f"AIRFLOW__WEBSERVER__{KEY}", "")
    client = Client(RestApiMiddleware(lambda *_: [b""]))
    for path in ("/", "/api/v1.0/version", "/api/v1.0/health"):
        response = client.get(f"/admin/rest_api{path}")
        assert response.status_code == 503
        assert response.json is not None
        assert response.json["output"].endswith("the webserver's log says why")
    assert "is set but empty" in caplog.text


def test_options_of_airflow_are_read(monkeypatch: pytest.MonkeyPatch, home: Path, major: int) -> None:
    web = "WEBSERVER" if major < 3 else "API"
    monkeypatch.setenv(f"AIRFLOW__{web}__BASE_URL", "http://airflow.example/pre/fix")
    monkeypatch.setenv("AIRFLOW__CORE__SENSITIVE_VAR_CONN_NAMES", "Salt, pepper")
    monkeypatch.setenv("AIRFLOW__REST_API_PLUGIN__COMMAND_TIMEOUT", "1.5")
    settings = read_settings()
    assert settings.airflow_major == major
    assert settings.base_path == "/pre/fix"
    assert (settings.dags_folder, settings.state_dir) == (home / "dags", home / "rest_api")
    assert {"salt", "pepper", "password"} <= settings.sensitive_names
    assert settings.command_timeout == 1.5
    assert settings.proxy_fix is None


def test_proxy_fix_is_read_for_airflow_2_only(monkeypatch: pytest.MonkeyPatch, major: int) -> None:
    monkeypatch.setenv("AIRFLOW__WEBSERVER__ENABLE_PROXY_FIX", "True")
    monkeypatch.setenv("AIRFLOW__WEBSERVER__PROXY_FIX_X_FOR", "2")
    expected = {"x_for": 2, "x_proto": 1, "x_host": 1, "x_port": 1, "x_prefix": 1} if major < 3 else None
    assert read_settings().proxy_fix == expected


def test_relative_tokens_file_is_below_airflow_home(
    monkeypatch: pytest.MonkeyPatch, conf: Any, home: Path
) -> None:
    key = "AIRFLOW__REST_API_PLUGIN__TOKENS_FILE"
    assert read_settings().tokens_file is None
    monkeypatch.setenv(key, "tokens.toml")
    assert read_settings().tokens_file == home / "tokens.toml"
    assert token_is_configured(conf), "so the entry point wraps the webserver"
    monkeypatch.setenv(key, "/etc/tokens.toml")
    assert read_settings().tokens_file == Path("/etc/tokens.toml")
    monkeypatch.setenv(key, " ")
    with pytest.raises(SettingsError, match="tokens_file is set but empty"):
        read_settings()


@pytest.mark.parametrize(
    ("value", "origins"),
    [
        ("", ()),
        ("https://a.example, http://localhost:8080", ("https://a.example", "http://localhost:8080")),
    ],
)
def test_origins_are_read(monkeypatch: pytest.MonkeyPatch, value: str, origins: tuple[str, ...]) -> None:
    monkeypatch.setenv("AIRFLOW__REST_API_PLUGIN__CORS_ORIGINS", value)
    assert read_settings().cors_origins == origins


@pytest.mark.parametrize(
    "value", ["*", "null", "https://a.example/", "a.example", "https://A.example", "ftp://a", "https://*.a"]
)
def test_invalid_origin_is_an_error(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("AIRFLOW__REST_API_PLUGIN__CORS_ORIGINS", value)
    with pytest.raises(SettingsError, match="cors_origins"):
        read_settings()


@pytest.mark.parametrize("text", ["a.py", "sub/a.py", "DAGS_FOLDER/a.py", "", ".", "sub/../a.py", "~/a.py"])
def test_path_inside_a_folder_is_resolved(tmp_path: Path, text: str) -> None:
    assert confine(text, tmp_path, "it").startswith(str(tmp_path.resolve()))


@pytest.mark.parametrize("text", ["..", "../x", "/etc/passwd", "sub/../../x", "link/x", "DAGS_FOLDER/../x"])
def test_path_outside_is_rejected(tmp_path: Path, text: str) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "link").symlink_to(tmp_path)
    with pytest.raises(ValueError, match="inside"):
        confine(text, tmp_path / "inside", "it")


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_confined_paths_stay_in_the_folder(text: str) -> None:
    root = Path(reader.__file__).parent.resolve()
    try:
        resolved = Path(confine(text, root, "it"))
    except ValueError:
        return
    assert resolved == root or root in resolved.parents


def test_limits_for_dag_files_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_settings().dag_files == DagFileLimits()
    keys = {"MAX_DAG_BYTES": 1, "MAX_DAG_FILES": 2, "MAX_UNPACKED_BYTES": 3, "KEEP_DAG_VERSIONS": 4}
    for key, value in {**keys, "DEPLOY_TIMEOUT": 0.5}.items():
        monkeypatch.setenv(f"AIRFLOW__REST_API_PLUGIN__{key}", str(value))
    assert read_settings().dag_files == DagFileLimits(1, 2, 3, 4, 0.5)
    monkeypatch.setenv("AIRFLOW__REST_API_PLUGIN__MAX_DAG_FILES", "0")
    with pytest.raises(SettingsError, match="max_dag_files"):
        read_settings()


def test_dag_bundles_of_airflow_3_are_read(
    monkeypatch: pytest.MonkeyPatch, major: int, home: Path, tmp_path: Path
) -> None:
    if major < 3:
        assert read_settings().dag_bundles == ()
        return
    assert read_settings().dag_bundles == (DagBundle("dags-folder", "LocalDagBundle", home / "dags"),)
    local = "airflow.dag_processing.bundles.local.LocalDagBundle"
    listed = [
        {"name": "own", "classpath": local, "kwargs": {"path": str(tmp_path)}},
        {"name": "git", "classpath": "airflow.providers.git.bundles.git.GitDagBundle", "kwargs": {}},
        "not a bundle",
    ]
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps(listed))
    own, git = read_settings().dag_bundles
    assert own == DagBundle("own", "LocalDagBundle", tmp_path)
    assert git == DagBundle("git", "GitDagBundle", None)


def test_reference_lists_each_option_once() -> None:
    rows = [line.split(" | ") for line in reference.render().splitlines() if line.startswith("| `")]
    keys = [row[0].strip("| `") for row in rows]
    assert len(keys) == len(set(keys))
    assert {"max_wait", "max_dag_bytes", "tokens_file", "[core] executor"} <= set(keys)
    assert ["`keep_hours`", "positive number, in hours", "`168`"] in [[row[0][2:], *row[1:3]] for row in rows]
