"""Visits that the tests of the page share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from live.harness import Server
from live.page.visit import Visit


@pytest.fixture
def visit(page: Page, server: Server) -> Iterator[Visit]:
    """Yield a visit with an empty session, and check afterwards that the browser reported no error."""
    visit = Visit(page, server)
    yield visit
    # The browser reports every response that is not a success.
    expected = "the server responded with a status of"
    assert [error for error in visit.errors if expected not in error] == []
    assert page.evaluate("window.hacked") is None


@pytest.fixture
def unprotected_visit(browser: Browser, server: Server) -> Iterator[Visit]:
    """Yield a visit without the page's Content-Security-Policy, which would keep axe out."""
    context = browser.new_context(viewport={"width": 1400, "height": 900}, bypass_csp=True)
    yield Visit(context.new_page(), server)
    context.close()
