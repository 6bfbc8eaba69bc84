"""Forms: validation, confirmation, and the equivalent shell commands."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Page, Request, expect

from live.database import fetch_rows, fetch_runs
from live.harness import Server
from live.page.visit import Visit

pytestmark = pytest.mark.browser


def test_a_form_triggers_a_dag(visit: Visit, page: Page, server: Server) -> None:
    visit.open("#endpoint/trigger_dag")
    expect(visit.view.locator("datalist option[value=hello_remote]")).to_have_count(1)

    # The page reports invalid values before it sends anything.
    sent: list[Request] = []
    page.on("request", lambda request: sent.append(request) if request.url.endswith("/trigger_dag") else None)
    visit.fill(conf='{"name": you}', dag_id="hello_remote")
    visit.submit_button.click()
    expect(visit.alert("Invalid JSON")).to_be_visible()
    expect(visit.view.locator("[name=conf]")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_role("dialog")).to_have_count(0)
    visit.fill(conf='{"name": "by a \'form\' \\u00e9"}', dag_id="")
    visit.submit_button.click()
    expect(visit.alert("required")).to_be_visible()
    expect(visit.view.locator("[name=dag_id]")).to_be_focused()

    # It asks for confirmation, and does nothing if that is declined.
    visit.fill(dag_id="hello_remote", run_id="by_the_form")
    visit.submit_button.click()
    expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(visit.submit_button).to_be_focused()
    assert sent == []

    visit.run()
    visit.wait_for_state()
    assert len(sent) == 1
    assert fetch_runs(server)["by_the_form"] == {"name": "by a 'form' \u00e9"}
    expect(visit.view.locator(".run")).to_contain_text("exit code 0 · HTTP 200")
    expect(visit.view.get_by_role("region", name="Result table")).to_contain_text("hello_remote")
    link = visit.view.get_by_role("link", name="by_the_form")
    target = {2: "/dags/hello_remote/grid?dag_run_id=", 3: "/dags/hello_remote/runs/"}[server.major]
    assert str(link.get_attribute("href")).startswith(server.url + target)
    assert (server.token or "?") not in page.content()
    assert (server.token or "?") not in page.url


def test_the_dialog_shows_what_a_command_asks(visit: Visit, page: Page) -> None:
    visit.open("#command/dags/delete")
    visit.fill(dag_id="no_such_dag")
    visit.submit_button.click()
    question = page.get_by_role("dialog").locator(".question")
    expect(question).to_contain_text("This will drop all existing records related to the specified DAG")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_refused_command_has_no_form(visit: Visit, page: Page) -> None:
    visit.open("#command/db/reset")
    expect(visit.view).to_contain_text("it drops every table")
    expect(visit.view.locator("form")).to_have_count(0)
    page.goto(f"{visit.root}#command/dags/list")
    expect(visit.view.locator("form")).to_be_visible()
    visit.view.get_by_role("combobox", name="output").select_option("table")


def test_the_shell_commands_do_what_the_form_does(visit: Visit, server: Server, tmp_path: Path) -> None:
    visit.open("#endpoint/variables")
    visit.view.get_by_label("Action").select_option("set")
    value = 'it\'s "$HOME" `id`\\ -x'
    visit.fill(key="-of 'shells'", value="a secret", description=value)
    curl, client = (
        visit.view.get_by_role("region", name=f"{program} command").text_content() or ""
        for program in ("curl", "airflow-remote")
    )
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "AIRFLOW_REMOTE_TOKEN": server.token or "",
        "no_proxy": "*",
    }
    for line in (curl, client):
        assert "a secret" not in line
        assert (server.token or "?") not in line
        server.post("variables", data={"cmd": "delete", "key": "-of 'shells'"})
        process = subprocess.run(
            ["/bin/sh", "-c", line], env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert process.returncode == 0, (line, process.stderr)
        stored = fetch_rows(server, "select description from variable where key = ?", "-of 'shells'")
        assert stored == [(value,)], line
