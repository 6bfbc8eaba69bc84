"""Take the screenshots of the page, in light and dark.

Start the server with ``make serve TOKEN=secret``, then run ``.venv/client/bin/python docs/screenshots.py``.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Literal

from playwright.sync_api import Page, ViewportSize, sync_playwright

IMAGES = Path(__file__).parent / "images"
URL = "http://localhost:8080/admin/rest_api/"
TOKEN = "secret"  # noqa: S105 - of a server started for this
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
HOME_SIZE = ViewportSize(width=1280, height=800)
RUN_SIZE = ViewportSize(width=1200, height=930)


def open_view(page: Page, view: str, size: ViewportSize) -> None:
    """Open a view, and wait until the live commands are listed.

    :param page: the tab
    :param view: the fragment of the view's address
    :param size: of the window
    """
    page.set_viewport_size(size)
    page.goto(URL + view)
    page.locator("#live summary").first.wait_for()


def run_trigger_dag(page: Page, run_id: str) -> None:
    """Trigger a DAG by the form, and wait for the result.

    :param page: the tab, with the form open
    :param run_id: ID of the new DAG run
    """
    for name, value in {"dag_id": "hello_remote", "run_id": run_id, "conf": '{"name": "you"}'}.items():
        page.locator(f"[name={name}]").fill(value)
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Run", exact=True).click()
    page.get_by_role("region", name="Result table").wait_for()


def main() -> None:
    """Write the four images."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--headless", "--no-sandbox", "--disable-gpu"]
        )
        for scheme in SCHEMES:
            page = browser.new_page(color_scheme=scheme, reduced_motion="reduce")
            page.add_init_script(f"sessionStorage.setItem('airflow-remote-token', {TOKEN!r})")
            open_view(page, "", HOME_SIZE)
            page.screenshot(path=IMAGES / f"page-{scheme}.png")
            open_view(page, "#endpoint/trigger_dag", RUN_SIZE)
            run_trigger_dag(page, f"from_the_page_{scheme}")
            page.evaluate("document.getElementById('main').scrollTop = 0")
            page.screenshot(path=IMAGES / f"page-run-{scheme}.png")
            page.close()
        browser.close()


if __name__ == "__main__":
    main()
