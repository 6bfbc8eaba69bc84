"""Search, keyboard, layout, color themes, frames and accessibility."""

from __future__ import annotations

from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Page, expect

from live.harness import Server
from live.page.visit import STORAGE_KEY, Visit

pytestmark = pytest.mark.browser
LIGHT = "rgb(255, 255, 255)"
DARK = "rgb(17, 21, 28)"
BACKGROUND = "body => getComputedStyle(body).backgroundColor"


def test_search_looks_in_names_and_help(visit: Visit, page: Page) -> None:
    visit.open()
    visit.wait_for_commands()
    shown = page.locator("#catalog li:visible")
    before = shown.count()
    page.get_by_label("Search commands").fill("clear TASK")
    expect(page.locator("#catalog li:visible a[href='#command/tasks/clear']")).to_be_visible()
    assert 0 < shown.count() < 10
    assert all("clear" in text.lower() and "task" in text.lower() for text in shown.all_text_contents())
    page.get_by_label("Search commands").fill("")
    expect(shown).to_have_count(before)


def test_the_keyboard_is_enough(visit: Visit, page: Page) -> None:
    visit.open()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
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
    visit.wait_for_state()


def test_the_page_works_in_the_plugin_view_of_airflow_3(server3: Server, page: Page) -> None:
    """A plugin view is a sandboxed frame in which modal dialogs of the browser are blocked."""
    page.add_init_script(f"sessionStorage.setItem({STORAGE_KEY!r}, {server3.token!r})")
    page.goto(f"{server3.url}/plugin/framed")  # added by tests/live/plugins
    frame = page.frame_locator("iframe[title=Framed]")
    frame.locator("#catalog a[href='#endpoint/unpause']").click()
    expect(frame.get_by_role("link", name="Airflow", exact=True)).to_have_count(0)
    assert "allow-modals" not in (page.locator("iframe").get_attribute("sandbox") or "allow-modals")
    frame.locator("main [name=dag_id]").fill("hello_remote")
    frame.locator("main form button[type=submit]").click()
    frame.get_by_role("dialog").get_by_role("button", name="Run", exact=True).click()
    expect(frame.locator(".run .state")).to_have_text("succeeded")
    # The theme chosen in Airflow wins over the system's.
    page.evaluate("localStorage.setItem('theme', 'dark')")
    page.reload()
    expect(frame.locator("#catalog")).to_be_visible()
    assert frame.locator("body").evaluate(BACKGROUND) == DARK


def test_the_page_uses_the_theme_chosen_in_airflow_2(server2: Server, page: Page) -> None:
    visit = Visit(page, server2).open()
    body = page.locator("body")
    assert body.evaluate(BACKGROUND) == LIGHT
    page.evaluate("localStorage.setItem('darkTheme', true)")
    page.reload()
    visit.wait_for_commands()
    assert body.evaluate(BACKGROUND) == DARK
    assert visit.errors == []


@pytest.mark.parametrize("width", [360, 1400])
def test_every_view_fits_the_window(visit: Visit, page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 740})
    visit.open()
    visit.wait_for_commands()
    for view in ("#endpoint/connections", "#command/dags/trigger", "#jobs", "#"):
        page.goto(f"{visit.root}{view}")
        content = visit.view.locator("h2") if view != "#" or width > 800 else page.locator("#live")
        expect(content).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width, view


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation(unprotected_visit: Visit, scheme: Literal["light", "dark"]) -> None:
    visit = unprotected_visit
    page = visit.page
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")

    def check() -> None:
        results = Axe().run(page)
        assert results.violations_count == 0, results.generate_report()

    visit.open()
    visit.wait_for_commands()
    check()
    page.goto(f"{visit.root}#endpoint/list_dags")
    visit.run()
    visit.wait_for_state()
    check()
    visit.view.locator(".run a[href^='#job/']").click()
    expect(visit.view.locator("dl")).to_contain_text("airflow dags list")
    visit.wait_for_state()
    check()
    page.goto(f"{visit.root}#jobs")
    expect(visit.view.get_by_role("row").nth(1)).to_be_visible()
    check()
    page.goto(f"{visit.root}#endpoint/trigger_dag")
    visit.fill(conf="{")
    visit.submit_button.click()
    expect(visit.alert("Invalid JSON")).to_be_visible()
    check()
    visit.fill(conf="{}", dag_id="hello_remote")
    visit.submit_button.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    check()
