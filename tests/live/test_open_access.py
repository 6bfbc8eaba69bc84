"""Without a token, the API is open to this machine only, unless it is opened to all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from live.curl import fetch_json, run_curl
from live.harness import PREFIX, VERSIONS, Server, run_servers
from live.program import run_client

CHEAP = "/api/v1.0/rest_api_plugin_version"
OPENER = "AIRFLOW__REST_API_PLUGIN__ALLOW_ANONYMOUS"


class TestNoToken:
    @pytest.fixture(scope="class")
    @classmethod
    def servers(cls, spare_homes: dict[str, Path]) -> Iterator[dict[str, Server]]:
        with run_servers(spare_homes, token=None) as servers:
            yield servers

    @pytest.fixture(params=VERSIONS)
    def server(self, request: pytest.FixtureRequest, servers: dict[str, Server]) -> Server:
        return servers[request.param]

    def test_this_machine_runs_commands(self, server: Server) -> None:
        assert server.get("version")["output"] == server.release

    @pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
    def test_the_names_of_this_machine_are_accepted(self, server: Server, host: str) -> None:
        port = server.url.rpartition(":")[2]
        assert server.request(CHEAP, headers={"Host": f"{host}:{port}"}).status == 200

    @pytest.mark.parametrize(
        "headers",
        [
            {"X-Forwarded-For": "203.0.113.9"},
            {"X-Forwarded-For": "127.0.0.1"},
            {"Forwarded": "for=203.0.113.9"},
            {"X-Real-IP": "203.0.113.9"},
            {"Via": "1.1 proxy"},
            {"Fly-Client-IP": "203.0.113.9"},
            {"X-Varnish": "32770"},
            {"Host": "evil@127.0.0.1"},
            {"Host": "evil.example"},
            {"Host": "127.0.0.1.evil.example"},
            {"Origin": "http://evil.example"},
            {"Origin": "null"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
        ],
        ids=lambda headers: " ".join(*headers.items()),
    )
    def test_other_machines_get_a_hint_to_set_a_token(self, server: Server, headers: dict[str, str]) -> None:
        for path in (CHEAP, "/api/v1.0/no_such_endpoint", "/api?api=version"):
            reply = server.request(path, headers=headers)
            assert (reply.status, reply["status"]) == (403, "ERROR"), reply.text
            assert "rest_api_plugin_expected_http_token" in reply["output"]
            assert "airflow.cfg" in reply["output"]
            assert "\n" not in reply["output"]

    def test_the_servers_own_pages_are_same_site(self, server: Server) -> None:
        headers = {"Origin": server.url, "Sec-Fetch-Site": "same-origin"}
        assert server.request(CHEAP, headers=headers).status == 200


class TestEverybody:
    """``allow_anonymous``, at the same time as a base_url with a path."""

    @pytest.fixture(scope="class")
    @classmethod
    def servers(cls, spare_homes: dict[str, Path]) -> Iterator[dict[str, Server]]:
        with run_servers(spare_homes, token=None, base_path="/pre", environment={OPENER: "True"}) as servers:
            yield servers

    @pytest.fixture(params=VERSIONS)
    def server(self, request: pytest.FixtureRequest, servers: dict[str, Server]) -> Server:
        assert servers[request.param].url.endswith("/pre")
        return servers[request.param]

    def test_a_base_url_with_a_path_is_in_front_of_everything(self, server: Server) -> None:
        reply = server.get("version")
        assert (reply.status, reply["output"]) == (200, server.release), reply.text
        redirect = server.request("")
        assert redirect.status == 308
        assert redirect.headers["Location"].rpartition("/pre")[1:] == ("/pre", "/admin/rest_api/")
        assert server.request("/").status == 200
        assert server.request("/static/style.css").status == 200
        origin = server.url.removesuffix("/pre")
        for spelling in ("//pre/admin/rest_api", "/pre//admin/rest_api", "/pre/admin/./rest_api/"):
            show = ["--output", os.devnull, "--write-out", "%{http_code} %{redirect_url}"]
            seen = run_curl(*show, "--path-as-is", "-X", "POST", f"{origin}{spelling}{CHEAP}?a=%2B").stdout
            assert seen == f"308 {server.url}{PREFIX}{CHEAP}?a=%2B", spelling

    @pytest.mark.browser
    def test_the_page_works_below_it_and_without_a_token(self, server: Server, page: Page) -> None:
        page.goto(f"{server.url}{PREFIX}/#endpoint/version")
        expect(page.locator("#live summary").first).to_be_visible()
        expect(page.locator("#notice")).to_be_empty()
        view = page.locator("main > section:visible")
        curl = view.get_by_role("region", name="curl command")
        expect(curl).to_contain_text(f"curl -X POST {server.url}{PREFIX}/api/v1.0/version")
        expect(curl).not_to_contain_text("TOKEN")
        view.get_by_role("button", name="Run", exact=True).click()
        expect(view.get_by_role("region", name="stdout")).to_contain_text(server.release)
        expect(page.get_by_role("link", name="Airflow", exact=True)).to_have_attribute("href", "../../")

    def test_it_is_open_through_a_proxy(self, server: Server) -> None:
        assert server.request(CHEAP, headers={"X-Forwarded-For": "203.0.113.9"}).status == 200
        assert server.request(CHEAP, headers={"Host": "airflow.example"}).status == 200

    def test_it_still_rejects_pages_of_other_sites(self, server: Server) -> None:
        assert server.request(CHEAP, headers={"Sec-Fetch-Site": "cross-site"}).status == 403
        assert server.request(CHEAP, headers={"Origin": "http://evil.example"}).status == 403

    def test_what_a_page_can_send_changes_nothing(self, server: Server) -> None:
        forged = {"set": "forged", "value": "1"}
        for reply in (
            server.get("variables", **forged),
            server.post("variables", data=forged),
            server.request("/api", params={"api": "variables", **forged}),
            server.post("commands/variables/set", data={"key": "forged", "value": "1"}),
        ):
            assert reply.status == 403, reply.text
            assert "X-Requested-With: curl" in reply["error"]["message"]
        assert "forged" not in server.get("variables")["stdout"]

    def test_curl_and_the_client_change_things(self, server: Server, tmp_path: Path) -> None:
        url = f"{server.url}{PREFIX}/api/v1.0/variables"
        header = ("-H", "X-Requested-With: curl")
        assert fetch_json(*header, "-d", "set=by_curl", "-d", "value=1", url)[0] == 200
        (tmp_path / "more.json").write_text('{"by_client": "2"}')
        done = run_client(server, "variables", "import", "more.json", cwd=tmp_path, AIRFLOW_REMOTE_TOKEN="")
        assert done.returncode == 0, done.stderr
        names = {row["key"] for row in server.get("variables")["result"]}
        assert {"by_curl", "by_client"} <= names

    def test_the_log_warns(self, server: Server) -> None:
        server.request(CHEAP)
        assert "allow_anonymous" in (server.home / "server.log").read_text("utf-8", errors="replace")
