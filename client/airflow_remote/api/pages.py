"""Read a list of the server page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    FetchPage = Callable[[Mapping[str, str]], tuple[list[Mapping[str, Any]], str | None]]
    """Return the items of a page, and its ``next``; the argument is the query."""

PAGE = 500
"""The maximum number of items of a page; no server sends more."""

MAX_EMPTY = 1000
"""How many empty pages in a row end a list: millions of items were checked, or the server is broken."""


def iter_pages(
    fetch: FetchPage, conditions: Mapping[str, str | None], limit: int | None
) -> Iterator[Mapping[str, Any]]:
    """Yield the items of a list. No more than one page is held at a time.

    :param fetch: requests a page
    :param conditions: parameters of the query; without a value, they are not sent
    :param limit: the maximum number of items; None for all
    """
    query = {name: text for name, text in conditions.items() if text}
    left, empty = limit, 0
    while (left is None or left > 0) and empty < MAX_EMPTY:
        page, following = fetch({**query, "limit": str(PAGE if left is None else min(left, PAGE))})
        page = page if left is None else page[:left]
        left = None if left is None else left - len(page)
        yield from page
        empty = 0 if page else empty + 1
        # A page may be empty before the end of the list, if the server had to look at many items for it.
        if following is None or following == query.get("before"):
            return
        query["before"] = following
