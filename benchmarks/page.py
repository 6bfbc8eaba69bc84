"""Measure when the page is usable in Chromium, with 250 commands listed."""

from __future__ import annotations

import json
import shutil
import statistics
from typing import TYPE_CHECKING

from playwright.sync_api import Browser, Response, sync_playwright
from report import Result, table
from servers import TOKEN

if TYPE_CHECKING:
    from report import Effort
    from servers import Server

COMMANDS = 250
ROUNDS = 9
PREPARATION = """
sessionStorage.setItem("airflow-remote-token", TOKEN);
// The same number of commands for every Airflow.
const json = Response.prototype.json;
Response.prototype.json = async function () {
  const data = await json.call(this), own = data.commands?.filter((command) => !command.hidden);
  if (own) for (let n = 0; own.length < COUNT; n += 1) own.push({ ...own[n], name: `${own[n].name}-${n}` });
  return own ? { ...data, commands: own } : data;
};
const look = () => {
  if (document.querySelectorAll("#live li").length < COUNT) requestAnimationFrame(look);
  else window.ready = performance.now();
};
requestAnimationFrame(look);
"""
SEARCH = """() => {
  const field = document.getElementById("search"), began = performance.now();
  field.value = "list";
  field.dispatchEvent(new Event("input"));
  document.body.getBoundingClientRect();  // lay it out
  return performance.now() - began;
}"""


def measure(server: Server, effort: Effort) -> Result:
    """Measure the time to list and to search all commands, and the size of the page; return a table."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--headless", "--no-sandbox", "--disable-gpu"]
        )
        visits = [visit(browser, server) for _ in range(ROUNDS)]
        browser.close()
    ready, search, size = (statistics.median(values) for values in zip(*visits, strict=True))
    head = [f"the page with {COMMANDS} commands: usable after", "a search", "first view"]
    return Result(table(head, [[f"{ready:.0f} ms", f"{search:.0f} ms", f"{size / 1000:.0f} kB"]]))


def visit(browser: Browser, server: Server) -> tuple[float, float, float]:
    """Visit the page with an empty cache; return milliseconds, milliseconds and bytes."""
    answers: list[Response] = []
    context = browser.new_context()
    page = context.new_page()
    page.on("response", lambda answer: answers.append(answer))  # Playwright cannot mark a C method
    page.add_init_script(PREPARATION.replace("TOKEN", json.dumps(TOKEN)).replace("COUNT", str(COMMANDS)))
    page.goto(server.url)
    page.wait_for_selector(f"#live li >> nth={COMMANDS - 1}", state="attached")
    page.wait_for_load_state("networkidle")
    ready, search = page.evaluate("window.ready"), page.evaluate(SEARCH)
    size = sum(len(answer.body()) for answer in answers if "/api/" not in answer.url)
    context.close()
    return float(ready), float(search), float(size)
