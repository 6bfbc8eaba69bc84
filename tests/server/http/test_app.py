"""Test routing, common responses and limits of the whole application."""

from __future__ import annotations

import gzip
import io
import json
import wsgiref.util
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import unquote

import pytest
from doubles import Wrapped
from remote import TOKEN

from airflow_remote_server import RestApiMiddleware

AUTH = {"rest-api-plugin-http-token": TOKEN}
API = "/admin/rest_api/api/v1.0"


def test_prefix_without_slash_redirects_to_page(make_client: Any) -> None:
    response = make_client().get("/admin/rest_api?x=1")
    assert (response.status_code, response.headers["Location"]) == (308, "/admin/rest_api/?x=1")


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "PUT"])
@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("//admin/rest_api/api/v1.0/version", "/admin/rest_api/api/v1.0/version"),
        ("/admin/%2e/rest_api/api/v1.0/version", "/admin/rest_api/api/v1.0/version"),
        ("/admin/rest_api//api/v1.0/version", "/admin/rest_api/api/v1.0/version"),
        ("/admin/rest_api/static/../api.py", "/admin/rest_api/api.py"),
    ],
)
def test_other_spelling_of_path_is_redirected(
    make_settings: Any, method: str, path: str, location: str
) -> None:
    wrapped, seen = Wrapped(), list[Any]()
    environ: dict[str, Any] = {"REQUEST_METHOD": method, "QUERY_STRING": "a=%2F&b", "SCRIPT_NAME": ""}
    environ["PATH_INFO"] = unquote(path)
    wsgiref.util.setup_testing_defaults(environ)
    app = RestApiMiddleware(wrapped, make_settings())
    b"".join(app(environ, lambda status, headers, exc_info=None: seen.extend((status, dict(headers)))))  # type: ignore[arg-type]
    assert wrapped.environ is None
    assert (seen[0], seen[1]["Location"]) == ("308 PERMANENT REDIRECT", f"{location}?a=%2F&b")


@pytest.mark.parametrize("path", ["/%61dmin/rest_api", "/admin%2Frest%5Fapi"])
def test_percent_encoded_prefix_is_served(make_client: Any, path: str) -> None:
    assert make_client().get(f"{path}/api/v1.0/rest_api_plugin_version", headers=AUTH).status_code == 200


def test_redirect_keeps_base_path(make_client: Any) -> None:
    response = make_client(base_path="/pre").get("/pre/admin/rest_api")
    assert response.headers["Location"] == "/pre/admin/rest_api/"


def test_endpoint_without_command_returns_full_envelope(ask: Any) -> None:
    from airflow_remote_server import __version__

    status, envelope = ask("rest_api_plugin_version")
    assert status == 200
    assert envelope["output"] == __version__
    assert (envelope["status"], envelope["http_response_code"], envelope["arguments"]) == ("OK", 200, {})
    for name in ("call_time", "response_time"):
        assert envelope[name].endswith(" GMT")
        assert parsedate_to_datetime(envelope[name]).utcoffset() is not None


@pytest.mark.parametrize(
    ("path", "status", "hint"),
    [
        ("/api/v1.0/trigger_dg", 404, "did you mean 'trigger_dag'?"),
        ("/api/v1.0/wrkers", 404, "did you mean 'workers'?"),
        ("/api?api=varibles", 404, "did you mean 'variables'?"),
        ("/api", 400, "api=NAME"),
        ("/api?api=version&api=pool", 400, "api=NAME"),
        ("/api/v2/version", 404, "no such path: '/api/v2/version'"),
        (
            "/api/v1.0/dags/trigger",
            404,
            "for the command `dags trigger`, use '/api/v1.0/commands/dags/trigger'",
        ),
        ("/dags/list_runs/", 404, "use '/api/v1.0/commands/dags/list-runs'"),
        ("/api/v1.0/info", 404, "use '/api/v1.0/commands/info'"),
        ("/api/v1.0/delete_dag", 404, "this Airflow, use '/api/v1.0/commands/dags/delete'"),
        ("/api?api=initdb", 404, "use '/api/v1.0/commands/db/migrate'"),
        ("/api/v1.0/jobs/x/y", 404, "no such path: '/api/v1.0/jobs/x/y'"),
        ("/api/v1/jobs", 404, "did you mean '/api/v1.0/jobs'?"),
        ("/api/v1.0/version/x", 404, "no such path"),
        ("/../api.py", 404, "no such path"),
        ("/static/page.html", 404, "no such file"),
        ("/api/v1.0/" + "x" * 5000, 404, "no such endpoint"),
    ],
)
def test_unknown_path_is_named_in_error(make_client: Any, path: str, status: int, hint: str) -> None:
    response = make_client().get(f"/admin/rest_api{path}", headers=AUTH)
    assert response.status_code == status
    assert hint in response.json["output"]
    assert response.json["error"]["message"] == response.json["output"]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "NONSENSE"])
def test_other_methods_return_405_with_allow_header(make_client: Any, method: str) -> None:
    response = make_client().open(f"{API}/version", method=method, headers=AUTH)
    assert response.status_code == 405
    assert set(response.headers["Allow"].split(", ")) >= {"GET", "POST"}


def test_index_names_other_routes(make_client: Any) -> None:
    client = make_client(base_path="/pre")
    for path in ("/pre/admin/rest_api/api/v1.0", "/pre/admin/rest_api/api/v1.0/"):
        response = client.get(path, headers=AUTH)
        assert response.status_code == 200
        links = response.json["links"]
        assert {"health", "commands", "jobs", "openapi", "page"} <= set(links)
        assert links["commands"] == "/pre/admin/rest_api/api/v1.0/commands"
        assert response.json["docs"].startswith("https://")
    assert client.get(links["health"]).status_code == 200
    assert client.get("/pre/admin/rest_api/api/v1.0").status_code == 403


@pytest.mark.parametrize(
    "path", ["v1.0/version", "?api=version", "v1.0/commands/version", "v1.0/jobs/x/stop"]
)
@pytest.mark.parametrize("coding", ["gzip", "br", "deflate, gzip", "x" * 1000])
def test_compressed_body_is_rejected(remote: Any, path: str, coding: str) -> None:
    response = remote.client.post(
        f"/admin/rest_api/api/{path}",
        headers={**AUTH, "Content-Encoding": coding},
        data=gzip.compress(b'{"dag_id": "x"}'),
        content_type="application/json",
    )
    assert (response.status_code, response.json["error"]["type"]) == (415, "UnsupportedMediaType")
    assert "send it without Content-Encoding" in response.json["error"]["message"]
    assert response.headers["Accept-Encoding"] == "identity"
    assert len(response.data) < 1000


def test_uncompressed_body_may_say_so(ask: Any) -> None:
    more: dict[str, Any] = {"data": b"", "headers": {**AUTH, "Content-Encoding": "gzip"}}
    assert ask("rest_api_plugin_version", "POST", **more)[0] == 200, "there is no body"
    more = {"data": {"a": "1"}, "headers": {**AUTH, "Content-Encoding": "Identity"}}
    assert ask("rest_api_plugin_version", "POST", **more)[0] == 400, "read: the argument is unknown"


@pytest.mark.parametrize(
    "path", ["worker", "workers", "flower", "commands/celery/worker", "commands/celery/list-workers"]
)
def test_celery_commands_need_a_celery_executor(remote: Any, path: str) -> None:
    response = remote(path, "POST")
    assert (response.status_code, response.json["error"]["type"]) == (501, "NotInThisAirflow")
    assert "a Celery executor ([core] executor)" in response.json["output"]


@pytest.mark.parametrize("executor", ["CeleryExecutor", "LocalExecutor,a.celery_executor.CeleryExecutor"])
def test_celery_commands_exist_with_a_celery_executor(
    make_remote: Any, shared_state: Any, major: int, executor: str
) -> None:
    remote = make_remote(state_dir=shared_state, executor=executor)
    # Rejected for its argument, so nothing is started. Airflow 2 itself knows that its executor is another.
    status = 400 if major > 2 else 501
    assert remote("worker", "POST", json={"concurrency": "x"}).status_code == 400
    assert remote("commands/celery/worker", "POST", json={"concurrency": "x"}).status_code == status


def test_options_lists_allowed_methods(make_client: Any) -> None:
    response = make_client().options(f"{API}/version", headers=AUTH)
    assert response.status_code == 204
    assert set(response.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}


@pytest.mark.parametrize("path", [f"{API}/version", "/admin/rest_api/api?api=version"])
def test_head_runs_no_command(make_client: Any, state: Any, path: str) -> None:
    response = make_client().head(path, headers=AUTH)
    assert (response.status_code, response.data) == (200, b"")
    assert not state.exists(), "no job folder was created"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"x" * 2000, "application/x-www-form-urlencoded"),
        (b'{"a": "' + b"x" * 2000 + b'"}', "application/json"),
    ],
)
@pytest.mark.parametrize("chunked", [False, True])
def test_oversized_body_is_rejected(make_client: Any, body: bytes, content_type: str, chunked: bool) -> None:
    environ: dict[str, Any] = {"wsgi.input_terminated": True} if chunked else {}
    response = make_client(max_body_bytes=1000).post(
        f"{API}/version",
        headers=AUTH,
        input_stream=io.BytesIO(body),
        content_length=None if chunked else len(body),
        content_type=content_type,
        environ_overrides=environ,
    )
    assert (response.status_code, response.json["output"]) == (413, "the body is over 1000 bytes")


def test_oversized_upload_is_rejected(make_client: Any) -> None:
    data = {"dag_file": (io.BytesIO(b"x" * 5000), "x.py")}
    response = make_client(max_body_bytes=1000).post(f"{API}/deploy_dag", headers=AUTH, data=data)
    assert response.status_code == 413


@pytest.mark.parametrize("host", ["a..b", "x" * 70 + ".example", "[", "a b", "", "\xff"])
@pytest.mark.parametrize("path", ["/", "/api/v1.0/health", "/api/v1.0/nope"])
def test_any_host_header_is_handled(make_settings: Any, host: str, path: str) -> None:
    environ: dict[str, Any] = {"HTTP_HOST": host, "PATH_INFO": f"/admin/rest_api{path}"}
    wsgiref.util.setup_testing_defaults(environ)
    seen: list[str] = []
    app = RestApiMiddleware(Wrapped(), make_settings())
    b"".join(app(environ, lambda status, headers, exc_info=None: seen.append(status)))  # type: ignore[arg-type]
    assert seen[0][:3] in ("200", "400", "403")


def test_rejected_request_returns_its_known_arguments(ask: Any) -> None:
    sent = {"cmd": "set", "key": "k", "valu": "hunter2", "value": "hunter3"}
    status, envelope = ask("variables", "POST", json=sent)
    assert (status, envelope["arguments"]) == (400, {"cmd": "set", "key": "k", "value": "***"})
    assert "hunter" not in str(envelope)


@pytest.mark.parametrize("secret", [{"p": "hunter2"}, ["hunter2"], True, "--hunter2"])
def test_rejected_secret_is_not_returned(ask: Any, secret: Any) -> None:
    sent = {"add": True, "conn_id": "c", "conn_uri": secret, "conn_extra": "{hunter2"}
    status, envelope = ask("connections", "POST", json=sent)
    assert status == 400
    assert "hunter" not in str(envelope)


def test_many_unknown_arguments_are_summarized(make_client: Any) -> None:
    body = json.dumps({f"unknown{number}": 1 for number in range(900)})
    response = make_client().post(f"{API}/version", headers=AUTH, data=body, content_type="application/json")
    assert response.status_code == 400
    assert response.json["output"].endswith("; and 890 more")
    many = json.dumps({f"unknown{number}": 1 for number in range(2000)})
    response = make_client().post(f"{API}/version", headers=AUTH, data=many, content_type="application/json")
    assert (response.status_code, response.json["output"]) == (413, "the JSON body has over 1000 arguments")


def test_chunked_body_is_read(make_client: Any) -> None:
    response = make_client().post(
        f"{API}/pause",
        headers=AUTH,
        input_stream=io.BytesIO(b"dagid=x"),
        content_type="application/x-www-form-urlencoded",
        environ_overrides={"wsgi.input_terminated": True},
    )
    assert "unknown argument 'da...' (did you mean 'dag_id'?)" in response.json["output"]


def test_legacy_response_shape(make_client: Any) -> None:
    client = make_client()
    path = "/admin/rest_api/api?api=rest_api_plugin_version&unknown=1"
    for response in (client.get(path, headers=AUTH), client.post(path, headers=AUTH, data={"other": "2"})):
        assert response.status_code == 200
        assert set(response.json["output"]) == {"stdout", "stderr", "stdin"}
        assert response.json["output"]["stdout"]
        assert response.json["post_arguments"] == {}
    refused = client.get("/admin/rest_api/api?api=trigger_dag", headers=AUTH)
    assert (refused.status_code, refused.json["output"]["stdout"]) == (400, "missing: dag_id")


def test_missing_command_names_alternatives(ask: Any, major: int) -> None:
    if major >= 3:
        status, envelope = ask("run", query_string={"dag_id": "d", "task_id": "t", "execution_date": "r"})
        assert status == 501
        for nearest in ("`tasks test`", "`dags trigger`", "`tasks clear`"):
            assert nearest in envelope["output"]
    else:
        status, envelope = ask("worker")
        assert status == 501
        assert "[core] executor" in envelope["output"]


def test_internal_error_returns_500_without_details(
    make_client: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from airflow_remote_server.http.planning import Planner

    def fail(*_: Any) -> None:
        raise RuntimeError("a detail")

    monkeypatch.setattr(Planner, "find", fail)
    response = make_client().get(f"{API}/version", headers=AUTH)
    assert (response.status_code, response.json["error"]["type"]) == (500, "InternalError")
    assert "detail" not in response.json["output"].replace("has the details", "")
    assert "a detail" in caplog.text


def test_forwarded_prefix_is_used_with_proxy_fix(make_client: Any) -> None:
    client = make_client(proxy_fix={"x_for": 1, "x_proto": 1, "x_host": 1, "x_port": 1, "x_prefix": 1})
    headers = {"X-Forwarded-Prefix": "/pre"}
    assert client.get("/admin/rest_api", headers=headers).headers["Location"] == "/pre/admin/rest_api/"


def test_forwarded_prefix_is_not_applied_twice(make_client: Any) -> None:
    client = make_client(proxy_fix={"x_prefix": 1})
    environ: dict[str, Any] = {"werkzeug.proxy_fix.orig": {}}
    response = client.get(
        "/admin/rest_api", headers={"X-Forwarded-Prefix": "/pre"}, environ_overrides=environ
    )
    assert response.headers["Location"] == "/admin/rest_api/"
