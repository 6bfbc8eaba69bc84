"""The link to the page in Airflow's own menu, in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from live.harness import PREFIX, Server

pytestmark = pytest.mark.browser


def check_page(page: Page, server: Server) -> None:
    """Check that the tab shows the page."""
    expect(page).to_have_url(f"{server.url}{PREFIX}/")
    expect(page.get_by_role("heading", level=1)).to_have_text("REST API")
    expect(page.get_by_text("trigger_dag").first).to_be_visible()


def check_menu_2(page: Page, server: Server) -> None:
    """Log in to Airflow 2, and follow the link in its menu."""
    page.goto(f"{server.url}/login/")
    page.fill("input[name=username]", "admin")
    page.fill("input[name=password]", "admin")
    page.click("input[type=submit]")
    page.wait_for_url(f"{server.url}/home**")
    page.get_by_role("link", name="Admin", exact=True).hover()
    links = page.get_by_role("link", name="REST API", exact=True)
    expect(links).to_have_count(1)
    links.click()
    check_page(page, server)


def check_menu_3(page: Page, server: Server, menu: str = "Admin") -> None:
    """Follow the link in a menu of Airflow 3, which opens it in a new tab."""
    page.goto(f"{server.url}/")
    page.get_by_role("button", name=menu).click()
    links = page.get_by_role("menuitem", name="REST API", exact=True)
    expect(links).to_have_count(1)
    with page.expect_popup() as popup:
        links.click()
    check_page(popup.value, server)


def test_admin_menu_of_airflow_2_links_to_page(server2: Server, page: Page) -> None:
    check_menu_2(page, server2)


def test_admin_menu_of_airflow_3_links_to_page(server3: Server, page: Page) -> None:
    check_menu_3(page, server3)


def test_page_loads_nothing_from_other_servers(server: Server, page: Page) -> None:
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
    # The browser requests a favicon by itself, and Airflow may not have one.
    assert [text for text in problems if "favicon" not in text and "404" not in text] == []
