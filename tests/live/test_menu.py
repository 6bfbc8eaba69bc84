"""The link in Airflow's own menu, in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from live.harness import PREFIX, Server

pytestmark = pytest.mark.browser


def check_page(page: Page, server: Server) -> None:
    expect(page).to_have_url(f"{server.url}{PREFIX}/")
    expect(page.get_by_role("heading", level=1)).to_have_text("REST API")
    expect(page.get_by_text("trigger_dag").first).to_be_visible()


def test_the_link_in_the_admin_menu_of_airflow_2(server2: Server, page: Page) -> None:
    page.goto(f"{server2.url}/login/")
    page.fill("input[name=username]", "admin")
    page.fill("input[name=password]", "admin")
    page.click("input[type=submit]")
    page.wait_for_url(f"{server2.url}/home**")
    page.get_by_role("link", name="Admin", exact=True).hover()
    links = page.get_by_role("link", name="REST API", exact=True)
    expect(links).to_have_count(1)
    links.click()
    check_page(page, server2)


def test_the_link_in_the_admin_menu_of_airflow_3(server3: Server, page: Page) -> None:
    page.goto(f"{server3.url}/")
    page.get_by_role("button", name="Admin").click()
    links = page.get_by_role("menuitem", name="REST API", exact=True)
    expect(links).to_have_count(1)
    with page.expect_popup() as popup:  # Airflow 3 opens such links in a tab of their own
        links.click()
    check_page(popup.value, server3)


def test_the_page_needs_nothing_from_elsewhere(server: Server, page: Page) -> None:
    problems: list[str] = []
    requested: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: requested.append(request.url))
    page.goto(f"{server.url}{PREFIX}/")
    check_page(page, server)
    style = page.evaluate("document.styleSheets[0].cssRules.length")
    assert style > 0
    assert all(url.startswith(f"{server.url}/") for url in requested), requested
    # A browser asks for this by itself; whether Airflow has one is Airflow's.
    assert [said for said in problems if "favicon" not in said and "404" not in said] == []
