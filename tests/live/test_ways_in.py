"""The other ways in than the plugin file, which the main servers have: each on a real server."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from live.harness import ROOT, TOKEN, VERSIONS, Server, python_of, running
from live.test_seed import check_version

TOKEN_VARIABLE = "AIRFLOW__{}__REST_API_PLUGIN_EXPECTED_HTTP_TOKEN"
CHEAP = "/api/v1.0/rest_api_plugin_version"


def airflows_own_pages_work(server: Server) -> bool:
    path = "/../../health" if server.major == 2 else "/../../api/v2/version"
    return server.ask(path, headers={}).status == 200


class Way:
    """The shared part of each way: a pair of servers."""

    way = ""
    token: str | None = TOKEN
    environment: dict[str, str] = {}  # noqa: RUF012 (never changed)

    @pytest.fixture(scope="class")
    @classmethod
    def servers(cls, spare_homes: dict[str, Path]) -> Iterator[dict[str, Server]]:
        with running(spare_homes, way=cls.way, token=cls.token, environment=cls.environment) as servers:
            yield servers

    @pytest.fixture(params=VERSIONS)
    def server(self, request: pytest.FixtureRequest, servers: dict[str, Server]) -> Server:
        return servers[request.param]


class TestPluginFile:
    def test_airflows_own_pages_work(self, server: Server) -> None:
        assert airflows_own_pages_work(server)

    def test_paths_that_only_look_alike_are_airflows(self, server: Server) -> None:
        for path in ("x", "x/api/v1.0/version", "%2e/../x"):
            reply = server.ask(path)
            assert "Token Authentication Failed" not in reply.text
            assert '"airflow_cmd"' not in reply.text


class TestEntryPoint(Way):
    """With the token from a command, which Airflow itself would not run for a key that it does not know."""

    way = "entrypoint"
    token = None
    environment = {TOKEN_VARIABLE.format("WEBSERVER") + "_CMD": f"printf '%s\\n' {TOKEN}"}  # noqa: RUF012

    def test_version(self, server: Server) -> None:
        check_version(server.url, server.release)

    def test_the_token_is_needed(self, server: Server) -> None:
        assert server.ask(CHEAP, headers={}).status == 403
        assert server.ask(CHEAP, headers={"rest-api-plugin-http-token": "printf"}).status == 403

    def test_airflows_own_pages_work(self, server: Server) -> None:
        assert airflows_own_pages_work(server)


class TestEntryPointWithoutToken(Way):
    """Who installs a package has not asked for an open API by that."""

    way = "entrypoint"
    token = None

    def test_it_does_not_act(self, server: Server) -> None:
        for path in ("/", CHEAP, "/api/v1.0/health", ""):
            reply = server.ask(path)
            # Airflow 3 answers any unknown path with the page of its user interface.
            assert reply.status == 404 or "<title>Airflow</title>" in reply.text, reply.text[:300]
        assert airflows_own_pages_work(server)


class TestEmptyToken(Way):
    """A token that is set but empty is an accident, as of an unset secret: nobody gets in."""

    way = "entrypoint"
    token = ""

    @pytest.mark.parametrize(
        "headers", [{}, {"rest-api-plugin-http-token": ""}, {"Authorization": "Bearer "}]
    )
    def test_every_command_is_refused(self, server: Server, headers: dict[str, str]) -> None:
        for path in (CHEAP, "/api/v1.0/version", "/api?api=version", "/api/v1.0/nonsense"):
            reply = server.ask(path, headers=headers)
            assert (reply.status, reply["status"]) == (503, "ERROR"), reply.text
        assert airflows_own_pages_work(server)


class TestGunicornConfig(Way):
    """With the token in the section of its own."""

    way = "gunicorn"
    token = None
    environment = {TOKEN_VARIABLE.format("REST_API_PLUGIN"): TOKEN}  # noqa: RUF012

    def test_version_by_the_literal_curl_line(self, server: Server) -> None:
        check_version(server.url, server.release)

    def test_the_token_is_needed(self, server: Server) -> None:
        assert server.ask(CHEAP, headers={"rest_api_plugin_http_token": "wrong"}).status == 403

    def test_no_other_header_gets_in_by_that(self, server: Server) -> None:
        right = {"rest-api-plugin-http-token": TOKEN}
        shifted = server.ask(CHEAP, headers={**right, "script_name": "/elsewhere", "path_info": "/x"})
        assert shifted.status == 200, shifted.text

    def test_airflows_own_pages_work(self, server: Server) -> None:
        assert airflows_own_pages_work(server)


class TestPlainCode(Way):
    way = "code"

    def test_version(self, server: Server) -> None:
        reply = server.get("version")
        assert (reply.status, reply["output"]) == (200, server.release), reply.text

    def test_the_token_is_needed(self, server: Server) -> None:
        assert server.ask(CHEAP, headers={}).status == 403

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
    """Beside ``framed``, which the tests of the page bring along."""
    variable = {TOKEN_VARIABLE.format("WEBSERVER"): TOKEN}
    found = (
        server.python(COUNT_2 if server.major == 2 else COUNT_3, **variable).partition("found: ")[2].strip()
    )
    assert found == "['airflow_remote', 'rest_api_plugin'] 1 ['/admin/rest_api/']"


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
    said = (done.stdout + done.stderr).splitlines()
    assert done.returncode == 0, said
    assert len(said) == 1, said
    assert "pip install 'airflow-remote[server]'" in said[0]
