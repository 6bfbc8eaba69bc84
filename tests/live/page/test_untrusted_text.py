"""Text from outside is shown, and never becomes markup or script."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from live.harness import Server
from live.page.visit import Visit

pytestmark = pytest.mark.browser
EVIL = "<script>window.hacked = 1</script><img src=x onerror='hacked = 2'>\u202eright to left\x1b[31mred"


def test_output_and_addresses_are_shown_as_text(visit: Visit, server: Server, page: Page) -> None:
    server.run_command("variables", cmd="set", key="of <b>evil</b>", value=EVIL)
    visit.open("#command/variables/get")
    visit.fill(key="of <b>evil</b>")
    visit.run()
    visit.wait_for_state()
    stdout = visit.view.get_by_role("region", name="stdout")
    expect(stdout).to_contain_text("<script>window.hacked = 1</script><img src=x onerror='hacked = 2'>")
    expect(stdout).to_contain_text("\u27e8U+202E\u27e9right to left\u241b[31mred")
    expect(stdout.locator("*")).to_have_count(0)
    page.goto(f"{visit.root}#endpoint/variables")
    visit.run()
    visit.wait_for_state()
    expect(visit.view.get_by_role("region", name="Result table")).to_contain_text("of <b>evil</b>")
    expect(visit.view.locator("b, main script, main img")).to_have_count(0)
    for view in ("#job/<img src=x onerror=hacked=3>", "#endpoint/<script>hacked=4</script>", "#%E0%A4%A"):
        page.goto(visit.root)
        page.goto(visit.root + view)
        expect(visit.view.locator("h2")).to_be_visible()
    response = page.goto(f"{visit.root}#jobs")
    assert response is None or response.ok
    expect(visit.view.get_by_role("row").nth(1)).to_be_visible()
