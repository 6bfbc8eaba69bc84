"""Installation methods other than the plugin file, which the shared servers use, on real servers."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from live.harness import ROOT, TOKEN, VERSIONS, Server, python_of, run_servers
from live.test_seed import check_version

TOKEN_VARIABLE = "AIRFLOW__{}__REST_API_PLUGIN_EXPECTED_HTTP_TOKEN"
CHEAP = "/api/v1.0/rest_api_plugin_version"


def airflows_own_pages_work(server: Server) -> bool:
    path = "/../../health" if server.major == 2 else "/../../api/v2/version"
    return server.request(path, headers={}).status == 200


class Way:
    """The servers of an installation method; the base class of the tests."""

    way = ""
    token: str | None = TOKEN
    environment: dict[str, str] = {}  # noqa: RUF012 (never changed)

    @pytest.fixture(scope="class")
    @classmethod
    def servers(cls, spare_homes: dict[str, Path]) -> Iterator[dict[str, Server]]:
        with run_servers(spare_homes, way=cls.way, token=cls.token, environment=cls.environment) as servers:
            yield servers

    @pytest.fixture(params=VERSIONS)
    def server(self, request: pytest.FixtureRequest, servers: dict[str, Server]) -> Server:
        return servers[request.param]


class TestPluginFile:
    def test_airflows_own_pages_work(self, server: Server) -> None:
        assert airflows_own_pages_work(server)

    def test_similar_paths_belong_to_airflow(self, server: Server) -> None:
        for path in ("x", "x/api/v1.0/version", "%2e/../x"):
            reply = server.request(path)
            assert "Token Authentication Failed" not in reply.text
            assert '"airflow_cmd"' not in reply.text


class TestEntryPoint(Way):
    """The entry point, with a token from a command, which Airflow runs only for keys that it knows."""

    way = "entrypoint"
    token = None
    environment = {TOKEN_VARIABLE.format("WEBSERVER") + "_CMD": f"printf '%s\\n' {TOKEN}"}  # noqa: RUF012

    def test_version(self, server: Server) -> None:
        check_version(server.url, server.release)

    def test_the_token_is_needed(self, server: Server) -> None:
        assert server.request(CHEAP, headers={}).status == 403
        assert server.request(CHEAP, headers={"rest-api-plugin-http-token": "printf"}).status == 403

    def test_airflows_own_pages_work(self, server: Server) -> None:
        assert airflows_own_pages_work(server)


class TestEntryPointWithoutToken(Way):
    """Installing the package alone must not open the API."""

    way = "entrypoint"
    token = None

    def test_it_serves_nothing(self, server: Server) -> None:
        for path in ("/", CHEAP, "/api/v1.0/health", ""):
            reply = server.request(path)
            # Airflow 3 serves its user interface for any unknown path.
            assert reply.status == 404 or "<title>Airflow</title>" in reply.text, reply.text[:300]
        assert airflows_own_pages_work(server)


class TestEmptyToken(Way):
    """An empty token is a mistake, such as an unset secret, and must reject all requests."""

    way = "entrypoint"
    token = ""

    @pytest.mark.parametrize(
        "headers", [{}, {"rest-api-plugin-http-token": ""}, {"Authorization": "Bearer "}]
    )
    def test_every_command_is_rejected(self, server: Server, headers: dict[str, str]) -> None:
        for path in (CHEAP, "/api/v1.0/version", "/api?api=version", "/api/v1.0/nonsense"):
            reply = server.request(path, headers=headers)
            assert (reply.status, reply["status"]) == (503, "ERROR"), reply.text
        assert airflows_own_pages_work(server)


class TestGunicornConfig(Way):
    """The gunicorn configuration, with the token in ``[rest_api_plugin]``."""

    way = "gunicorn"
    token = None
    environment = {TOKEN_VARIABLE.format("REST_API_PLUGIN"): TOKEN}  # noqa: RUF012

    def test_version_by_the_literal_curl_line(self, server: Server) -> None:
        check_version(server.url, server.release)

    def test_the_token_is_needed(self, server: Server) -> None:
        assert server.request(CHEAP, headers={"rest_api_plugin_http_token": "wrong"}).status == 403

    def test_no_other_header_with_underscores_is_accepted(self, server: Server) -> None:
        right = {"rest-api-plugin-http-token": TOKEN}
        shifted = server.request(CHEAP, headers={**right, "script_name": "/elsewhere", "path_info": "/x"})
        assert shifted.status == 200, shifted.text

    def test_airflows_own_pages_work(self, server: Server) -> None:
        assert airflows_own_pages_work(server)


class TestPlainCode(Way):
    way = "code"

    def test_version(self, server: Server) -> None:
        reply = server.get("version")
        assert (reply.status, reply["output"]) == (200, server.release), reply.text

    def test_the_token_is_needed(self, server: Server) -> None:
        assert server.request(CHEAP, headers={}).status == 403

    def test_airflows_own_pages_work(self, server: Server) -> None:
        assert airflows_own_pages_work(server)


COUNT_2 = """
from airflow import plugins_manager
from airflow.www.app import create_app
app = create_app()
names = sorted(plugin.name for plugin in plugins_manager.plugins if plugin.name != "framed")
wraps, layer = 0, app.wsgi_app
while layer is not None:
    wraps += type(layer).__name__ == "RestApiMiddleware"
    layer = getattr(layer, "app", None) or getattr(layer, "wsgi_app", None)
admin = next(item for item in app.appbuilder.menu.get_list() if item.name == "Admin")
links = [item.href for item in admin.childs if item.name == "REST API"]
print("found:", names, wraps, links)
"""
COUNT_3 = """
from airflow import plugins_manager
from airflow.api_fastapi.main import app
names = sorted(plugin.name for plugin in plugins_manager._get_plugins()[0] if plugin.name != "framed")
wraps = [layer.cls.__name__ for layer in app.user_middleware].count("RestApiAsgiMiddleware")
views = [view for plugin in plugins_manager._get_plugins()[0] for view in plugin.external_views]
links = [view["href"] for view in views if view["name"] == "REST API"]
print("found:", names, wraps, links)
"""


def test_file_and_entry_point_together_wrap_once(server: Server) -> None:
    """The plugin ``framed`` of the page's tests does not count."""
    variable = {TOKEN_VARIABLE.format("WEBSERVER"): TOKEN}
    counted = (
        server.run_python(COUNT_2 if server.major == 2 else COUNT_3, **variable)
        .partition("found: ")[2]
        .strip()
    )
    assert counted == "['airflow_remote', 'rest_api_plugin'] 1 ['/admin/rest_api/']"


WITHOUT_PACKAGE = """
import runpy, sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "airflow_remote_server":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Hidden())
runpy.run_path(sys.argv[1])
"""


@pytest.mark.parametrize("version", VERSIONS)
def test_the_plugin_file_without_the_package_says_what_to_install(version: str) -> None:
    done = subprocess.run(
        [str(python_of(version)), "-c", WITHOUT_PACKAGE, str(ROOT / "plugins" / "rest_api_plugin.py")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    lines = (done.stdout + done.stderr).splitlines()
    assert done.returncode == 0, lines
    assert len(lines) == 1, lines
    assert "pip install 'airflow-remote[server]'" in lines[0]
