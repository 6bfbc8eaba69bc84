"""One user's visit to the page."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

from live.harness import PREFIX, Server

STORAGE_KEY = "airflow-remote-token"


class Visit:
    """A visit to a server's page.

    :param page: the tab
    :param server: the server
    """

    def __init__(self, page: Page, server: Server) -> None:
        self.page = page
        self.server = server
        self.root = f"{server.url}{PREFIX}/"
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on(
            "console",
            lambda message: self.errors.append(message.text) if message.type == "error" else None,
        )

    def open(self, view: str = "", token: str | None = None) -> Visit:
        """Open a view in a tab that has stored a token.

        :param view: the fragment of its address, such as ``#jobs``
        :param token: the server's own if None
        """
        stored = self.server.token if token is None else token
        self.page.add_init_script(f"sessionStorage.setItem({STORAGE_KEY!r}, {stored or ''!r})")
        self.page.goto(self.root + view)
        return self

    def wait_for_commands(self) -> None:
        """Wait until the live commands are listed."""
        expect(self.page.locator("#live summary").first).to_be_visible()

    @property
    def view(self) -> Locator:
        """The view that is shown, of those that have been opened."""
        return self.page.locator("main > section:visible")

    @property
    def submit_button(self) -> Locator:
        """The button that submits the form."""
        return self.view.locator("form button[type=submit]")

    def fill(self, **values: str) -> None:
        """Fill in fields of the form.

        :param values: by argument
        """
        for name, value in values.items():
            self.view.locator(f"[name={name}]").fill(value)

    def run(self) -> None:
        """Submit the form, and confirm if the page asks for confirmation."""
        asks = self.submit_button.get_attribute("aria-haspopup") == "dialog"
        self.submit_button.click()
        if asks:
            dialog = self.page.get_by_role("dialog")
            dialog.get_by_role("button", name=re.compile("^(Run|Start)$")).click()

    def wait_for_state(self, state: str = "succeeded") -> None:
        """Wait until the run has this state."""
        expect(self.view.locator(".run .state")).to_have_text(state)

    def alert(self, text: str) -> Locator:
        """Return the alert that contains a text."""
        return self.view.get_by_role("alert").filter(has_text=text)
