"""The page, used as people use it: in a real browser, on both versions of Airflow."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, Request, expect

from live.database import rows, runs
from live.harness import PREFIX, Server
from live.jobs import deed, ended, go
from live.test_deploy import SOURCE

pytestmark = pytest.mark.browser
KEY = "airflow-remote-token"
EVIL = "<script>window.hacked = 1</script><img src=x onerror='hacked = 2'>\u202eright to left\x1b[31mred"


class Visit:
    """A visitor of a server's page.

    :param page: the tab
    :param server: the server
    """

    def __init__(self, page: Page, server: Server) -> None:
        self.page = page
        self.server = server
        self.root = f"{server.url}{PREFIX}/"
        self.wrong: list[str] = []
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("console", lambda said: self.wrong.append(said.text) if said.type == "error" else None)

    def open(self, view: str = "", token: str | None = None) -> Visit:
        """Go to a view, with the token that the tab has already."""
        token = self.server.token if token is None else token
        self.page.add_init_script(f"sessionStorage.setItem({KEY!r}, {token or ''!r})")
        self.page.goto(self.root + view)
        return self

    @property
    def view(self) -> Locator:
        """What is shown of the views that have been opened."""
        return self.page.locator("main > section:visible")

    def fill(self, **values: str) -> None:
        """Fill in the form."""
        for name, value in values.items():
            self.view.locator(f"[name={name}]").fill(value)

    def run(self) -> None:
        """Submit the form, and say yes if that is asked."""
        button = self.view.locator("form button[type=submit]")
        asks = button.text_content() != "Run"
        button.click()
        if asks:
            self.page.get_by_role("dialog").get_by_role("button", name=re.compile("it$")).click()

    def ends(self, state: str = "succeeded") -> None:
        """Wait until what was run has ended so."""
        expect(self.view.locator(".run .state")).to_have_text(state)


@pytest.fixture
def visit(page: Page, server: Server) -> Iterator[Visit]:
    """Somebody who comes to the page with an empty session; nothing may go wrong in their browser."""
    visit = Visit(page, server)
    yield visit
    # A browser says so of every answer that is no success.
    assert [said for said in visit.wrong if "the server responded with a status of" not in said] == []
    assert page.evaluate("window.hacked") is None


def test_a_dag_is_triggered_by_the_form(visit: Visit, page: Page, server: Server) -> None:
    page.goto(visit.root)
    expect(page.get_by_role("status").filter(has_text="wants a token")).to_be_visible()
    page.get_by_label("Token").fill(server.token or "")
    page.get_by_role("button", name="Use").click()
    expect(page.locator("#live summary", has_text="dags")).to_be_visible()
    expect(page.locator("#notice")).to_be_empty()
    page.get_by_role("link", name="trigger_dag Trigger a DAG run").first.click()
    expect(visit.view.get_by_role("heading", level=2)).to_have_text("trigger_dag")
    expect(visit.view.locator("datalist option[value=hello_remote]")).to_have_count(1)

    # What cannot be right is said before anything is sent.
    sent: list[Request] = []
    page.on("request", lambda request: sent.append(request) if request.url.endswith("/trigger_dag") else None)
    visit.fill(conf='{"name": you}', dag_id="hello_remote")
    visit.view.locator("form button[type=submit]").click()
    expect(visit.view.get_by_role("alert").filter(has_text="not JSON")).to_be_visible()
    expect(visit.view.locator("[name=conf]")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_role("dialog")).to_have_count(0)
    visit.fill(conf='{"name": "by a \'form\' \\u00e9"}', dag_id="")
    visit.view.locator("form button[type=submit]").click()
    expect(visit.view.get_by_role("alert").filter(has_text="required")).to_be_visible()
    expect(visit.view.locator("[name=dag_id]")).to_be_focused()

    # It asks first; who says no has done nothing.
    visit.fill(dag_id="hello_remote", run_id="by_the_form")
    visit.view.locator("form button[type=submit]").click()
    expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(visit.view.locator("form button[type=submit]")).to_be_focused()
    assert sent == []

    visit.run()
    visit.ends()
    assert len(sent) == 1
    assert runs(server)["by_the_form"] == {"name": "by a 'form' \u00e9"}
    expect(visit.view.locator(".run")).to_contain_text("exit code 0 · HTTP 200")
    expect(visit.view.get_by_role("region", name="Result as a table")).to_contain_text("hello_remote")
    link = visit.view.get_by_role("link", name="by_the_form")
    target = {2: "/dags/hello_remote/grid?dag_run_id=", 3: "/dags/hello_remote/runs/"}[server.major]
    assert str(link.get_attribute("href")).startswith(server.url + target)

    # The token is in the tab, and nowhere else.
    assert (server.token or "?") not in page.content()
    assert (server.token or "?") not in page.url
    page.reload()
    expect(page.locator("#live summary", has_text="dags")).to_be_visible()
    page.get_by_role("button", name="Forget").click()
    expect(page.get_by_role("status").filter(has_text="wants a token")).to_be_visible()
    assert page.evaluate(f"sessionStorage.getItem({KEY!r})") is None
    assert page.evaluate("localStorage.length + document.cookie.length") == 0


def test_a_run_is_found_in_airflow_s_own_pages(visit: Visit, page: Page, server: Server) -> None:
    visit.open("#endpoint/trigger_dag")
    visit.fill(dag_id="hello_remote", run_id="found_in_Airflow")
    visit.run()
    visit.ends()
    where = visit.view.get_by_role("link", name="found_in_Airflow").get_attribute("href") or ""
    if server.major == 2:
        page.goto(f"{server.url}/login/")
        page.fill("input[name=username]", "admin")
        page.fill("input[name=password]", "admin")
        page.click("input[type=submit]")
        page.wait_for_url(f"{server.url}/home**")
    page.goto(where)
    expect(page.get_by_text("found_in_Airflow").first).to_be_visible()
    visit.wrong.clear()  # those are Airflow's


def test_a_wrong_token_is_told(visit: Visit, page: Page) -> None:
    visit.open(token="\u00e4 wrong one")
    expect(page.locator("#notice")).to_contain_text("does not accept this token")
    expect(page.locator("#live")).to_be_empty()
    page.goto(f"{visit.root}#endpoint/version")
    visit.run()
    expect(visit.view.locator(".run")).to_contain_text("Token Authentication Failed")


def test_the_lines_for_a_shell_do_the_same(visit: Visit, server: Server, tmp_path: Path) -> None:
    visit.open("#endpoint/variables")
    visit.view.get_by_label("What to do").select_option("set")
    value = 'it\'s "$HOME" `id`\\ -x'
    visit.fill(key="-of 'shells'", value="a secret", description=value)
    curl, remote = (
        visit.view.get_by_role("region", name=f"The same by {name}").text_content() or ""
        for name in ("curl", "airflow-remote")
    )
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "AIRFLOW_REMOTE_TOKEN": server.token or "",
        "no_proxy": "*",
    }
    for line in (curl, remote):
        assert "a secret" not in line
        assert (server.token or "?") not in line
        server.post("variables", data={"cmd": "delete", "key": "-of 'shells'"})
        done = subprocess.run(
            ["/bin/sh", "-c", line], env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, (line, done.stderr)
        kept = rows(server, "select description from variable where key = ?", "-of 'shells'")
        assert kept == [(value,)], line


def test_a_command_streams_and_is_stopped(visit: Visit, server: Server) -> None:
    visit.open("#command/tasks/render")
    arguments = deed("waits", "stopped on the page")
    visit.fill(
        dag_id=arguments["dag_id"],
        task_id=arguments["task_id"],
        **{
            "execution_date_or_run_id" if server.major == 2 else "logical_date_or_run_id": arguments["run_id"]
        },
    )
    visit.run()
    stdout = visit.view.get_by_role("region", name="stdout")
    expect(stdout).to_contain_text("begun")
    expect(visit.view.locator(".run .state")).to_have_text("running")
    visit.view.get_by_role("button", name="Stop", exact=True).click()
    visit.ends("stopped")
    expect(visit.view.locator(".run")).to_contain_text("the command was stopped")
    expect(visit.view.get_by_role("button", name="Stop")).to_have_count(0)
    visit.view.locator(".run a[href^='#job/']").click()
    expect(visit.view.locator("dl")).to_contain_text("127.0.0.1")
    expect(visit.view.get_by_role("region", name="stdout")).to_contain_text("begun")


def test_output_is_followed_beyond_the_stream(server3: Server, page: Page) -> None:
    visit = Visit(page, server3).open("#endpoint/render")
    arguments = deed("waits", "longer than a stream")
    visit.fill(dag_id="live_faults", task_id="waits", execution_date=arguments["run_id"])
    with page.expect_request(re.compile("/output\\?stream=stdout")):
        visit.run()
    go(server3, "longer than a stream")
    visit.ends()
    said = visit.view.get_by_role("region", name="stdout").text_content() or ""
    assert (said.count("begun"), said.count("and done")) == (1, 1)


def test_jobs_are_listed_linked_and_stopped(visit: Visit, server: Server, page: Page) -> None:
    arguments = deed("waits", "a job of the list")
    job_id = server.post("render", data=arguments, extra={"Prefer": "respond-async"})["job"]["id"]
    visit.open("#jobs")
    line = visit.view.get_by_role("row").filter(has=page.locator(f"a[href='#job/{job_id}']"))
    expect(line).to_contain_text("airflow tasks render")
    expect(line).to_contain_text("token 127.0.0.1")
    expect(line).to_contain_text("running")
    line.get_by_role("button", name=re.compile("^Stop")).click()
    expect(line).to_contain_text("stopped")
    ended(server, job_id)
    visit.view.get_by_label("Command").fill("nothing of that name")
    expect(visit.view.get_by_text("There are none.")).to_be_visible()
    visit.view.get_by_label("Command").fill("render")
    line.get_by_role("link").click()
    expect(page).to_have_url(f"{visit.root}#job/{job_id}")
    expect(visit.view.locator(".run .state")).to_have_text("stopped")
    expect(visit.view.locator("dl")).to_contain_text("a_job_of_the_list")


def test_a_service_is_answered_with_its_job(visit: Visit, server: Server) -> None:
    visit.open("#endpoint/scheduler")
    visit.fill(num_runs="1")
    visit.run()
    link = visit.view.locator(".run a[href^='#job/']")
    expect(link).to_be_visible()
    expect(visit.view.locator(".run")).to_contain_text("A service")
    job_id = str(link.text_content())
    stop = visit.view.get_by_role("button", name=re.compile("^Stop"))
    stop.click()
    expect(stop).to_have_count(0)
    assert ended(server, job_id)["kind"] == "service"


def test_a_file_is_sent_and_one_is_fetched(visit: Visit, server: Server, page: Page) -> None:
    visit.open("#endpoint/deploy_dag")
    source = SOURCE.format(dag_id="deployed_by_the_page", task="nothing").encode()
    visit.view.locator("[name=dag_file]").set_input_files(
        {"name": "by_the_page.py", "mimeType": "text/x-python", "buffer": source}
    )
    expect(visit.view.get_by_role("region", name="The same by curl")).to_contain_text(
        "-F 'dag_file=@\"by_the_page.py\"'"
    )
    visit.run()
    visit.ends()
    assert (server.home / "dags" / "by_the_page.py").read_bytes() == source
    expect(visit.view.locator(".run")).to_contain_text("deployed_by_the_page")

    server.done("variables", cmd="set", key="fetched", value="by the page")
    page.goto(f"{visit.root}#command/variables/export")
    visit.fill(file="all of <them>.json")
    visit.run()
    visit.ends()
    with page.expect_download() as download:
        visit.view.locator(".run").get_by_role("button", name="Save", exact=True).click()
    assert json.loads(download.value.path().read_text())["fetched"] == "by the page"


def test_what_comes_from_outside_is_shown_and_not_run(visit: Visit, server: Server, page: Page) -> None:
    server.done("variables", cmd="set", key="of <b>evil</b>", value=EVIL)
    visit.open("#command/variables/get")
    visit.fill(key="of <b>evil</b>")
    visit.run()
    visit.ends()
    said = visit.view.get_by_role("region", name="stdout")
    expect(said).to_contain_text("<script>window.hacked = 1</script><img src=x onerror='hacked = 2'>")
    expect(said).to_contain_text("\u27e8U+202E\u27e9right to left\u241b[31mred")
    expect(said.locator("*")).to_have_count(0)
    page.goto(f"{visit.root}#endpoint/variables")
    visit.run()
    visit.ends()
    expect(visit.view.get_by_role("region", name="Result as a table")).to_contain_text("of <b>evil</b>")
    expect(visit.view.locator("b, main script, main img")).to_have_count(0)
    for place in ("#job/<img src=x onerror=hacked=3>", "#endpoint/<script>hacked=4</script>", "#%E0%A4%A"):
        page.goto(visit.root)
        page.goto(visit.root + place)
        expect(visit.view.locator("h2")).to_be_visible()
    jobs = page.goto(f"{visit.root}#jobs")
    assert jobs is None or jobs.ok
    expect(visit.view.get_by_role("row").nth(1)).to_be_visible()


def test_what_is_refused_cannot_be_sent(visit: Visit, page: Page) -> None:
    visit.open("#command/db/reset")
    expect(visit.view).to_contain_text("it drops every table")
    expect(visit.view.locator("form")).to_have_count(0)
    page.goto(f"{visit.root}#command/dags/list")
    expect(visit.view.locator("form")).to_be_visible()
    visit.view.get_by_role("combobox", name="output").select_option("table")


def test_a_search_finds_commands_by_name_and_by_help(visit: Visit, page: Page) -> None:
    visit.open()
    expect(page.locator("#live summary").first).to_be_visible()
    shown = page.locator("#catalogue li:visible")
    before = shown.count()
    page.get_by_label("Search the commands").fill("clear TASK")
    expect(page.locator("#catalogue li:visible a[href='#command/tasks/clear']")).to_be_visible()
    assert 0 < shown.count() < 10
    assert all("clear" in text.lower() and "task" in text.lower() for text in shown.all_text_contents())
    page.get_by_label("Search the commands").fill("")
    expect(shown).to_have_count(before)


def test_the_keyboard_is_enough(visit: Visit, page: Page) -> None:
    visit.open()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator("main a[href='#endpoint/list_dags']")).to_be_focused()
    page.keyboard.press("Enter")
    expect(visit.view.get_by_role("heading", name="list_dags")).to_be_focused()
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.type") == "submit":
            break
    page.keyboard.press("Enter")
    visit.ends()


def test_it_works_in_the_plugin_view_of_airflow_3(server3: Server, page: Page) -> None:
    """A frame in a sandbox, without modal dialogs of the browser's (``tests/live/plugins``)."""
    page.add_init_script(f"sessionStorage.setItem({KEY!r}, {server3.token!r})")
    page.goto(f"{server3.url}/plugin/framed")
    frame = page.frame_locator("iframe[title=Framed]")
    frame.locator("#catalogue a[href='#endpoint/unpause']").click()
    expect(frame.get_by_role("link", name="Airflow", exact=True)).to_have_count(0)
    assert "allow-modals" not in (page.locator("iframe").get_attribute("sandbox") or "allow-modals")
    frame.locator("main [name=dag_id]").fill("hello_remote")
    frame.locator("main form button[type=submit]").click()
    frame.get_by_role("dialog").get_by_role("button", name="Run it").click()
    expect(frame.locator(".run .state")).to_have_text("succeeded")
    # In the colours that were chosen there, whatever the system has.
    page.evaluate("localStorage.setItem('theme', 'dark')")
    page.reload()
    expect(frame.locator("#catalogue")).to_be_visible()
    dark = frame.locator("body").evaluate("body => getComputedStyle(body).backgroundColor")
    assert dark == "rgb(17, 21, 28)"


def test_it_has_the_colours_that_were_chosen_in_airflow_2(server2: Server, page: Page) -> None:
    visit = Visit(page, server2).open()
    body = page.locator("body")
    assert body.evaluate("body => getComputedStyle(body).backgroundColor") == "rgb(255, 255, 255)"
    page.evaluate("localStorage.setItem('darkTheme', true)")
    page.reload()
    expect(page.locator("#live summary").first).to_be_visible()
    assert body.evaluate("body => getComputedStyle(body).backgroundColor") == "rgb(17, 21, 28)"
    assert visit.wrong == []


@pytest.mark.parametrize("width", [360, 1400])
def test_everything_fits(visit: Visit, page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 740})
    visit.open()
    expect(page.locator("#live summary").first).to_be_visible()
    for view in ("#endpoint/connections", "#command/dags/trigger", "#jobs", "#"):
        page.goto(f"{visit.root}{view}")
        expect(
            visit.view.locator("h2") if view != "#" or width > 800 else page.locator("#live")
        ).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width, view


@pytest.fixture
def bare(browser: Browser, server: Server) -> Iterator[Visit]:
    """A visitor whose browser lets axe in, which the page's policy would not."""
    context = browser.new_context(viewport={"width": 1400, "height": 900}, bypass_csp=True)
    yield Visit(context.new_page(), server)
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(bare: Visit, server: Server, scheme: Any) -> None:
    page = bare.page
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")

    def check() -> None:
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()

    bare.open()
    expect(page.locator("#live summary").first).to_be_visible()
    check()
    page.goto(f"{bare.root}#endpoint/list_dags")
    bare.run()
    bare.ends()
    check()
    bare.view.locator(".run a[href^='#job/']").click()
    expect(bare.view.locator("dl")).to_contain_text("airflow dags list")
    bare.ends()
    check()
    page.goto(f"{bare.root}#jobs")
    expect(bare.view.get_by_role("row").nth(1)).to_be_visible()
    check()
    page.goto(f"{bare.root}#endpoint/trigger_dag")
    bare.fill(conf="{")
    bare.view.locator("form button[type=submit]").click()
    expect(bare.view.get_by_role("alert").filter(has_text="not JSON")).to_be_visible()
    check()
    bare.fill(conf="{}", dag_id="hello_remote")
    bare.view.locator("form button[type=submit]").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    check()
