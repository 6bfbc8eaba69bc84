"""The token field, and what the page shows without a valid token."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from live.harness import Server
from live.page.visit import STORAGE_KEY, Visit

pytestmark = pytest.mark.browser
NEEDS_TOKEN = "requires a token"


def test_the_token_is_kept_in_the_tab_and_nowhere_else(visit: Visit, page: Page, server: Server) -> None:
    page.goto(visit.root)
    expect(page.get_by_role("status").filter(has_text=NEEDS_TOKEN)).to_be_visible()
    page.get_by_label("Token").fill(server.token or "")
    page.get_by_role("button", name="Apply").click()
    expect(page.locator("#live summary", has_text="dags")).to_be_visible()
    expect(page.locator("#notice")).to_be_empty()
    page.get_by_role("link", name="trigger_dag Trigger a DAG run").first.click()
    expect(visit.view.get_by_role("heading", level=2)).to_have_text("trigger_dag")

    assert (server.token or "?") not in page.content()
    assert (server.token or "?") not in page.url
    page.reload()
    expect(page.locator("#live summary", has_text="dags")).to_be_visible()
    page.get_by_role("button", name="Clear").click()
    expect(page.get_by_role("status").filter(has_text=NEEDS_TOKEN)).to_be_visible()
    assert page.evaluate(f"sessionStorage.getItem({STORAGE_KEY!r})") is None
    assert page.evaluate("localStorage.length + document.cookie.length") == 0


def test_a_wrong_token_is_reported(visit: Visit, page: Page) -> None:
    visit.open(token="\u00e4 wrong one")
    expect(page.locator("#notice")).to_contain_text("rejected this token")
    expect(page.locator("#live")).to_be_empty()
    page.goto(f"{visit.root}#endpoint/version")
    visit.run()
    expect(visit.view.locator(".run")).to_contain_text("Token Authentication Failed")
