"""Read a table newest first, a page at a time, at a cost that does not grow with the table.

A page starts after a cursor, which is the id of a row (keyset pagination): rows that are added or deleted
meanwhile neither repeat nor hide others. The rows of a page come from one index, in its order. Conditions
that this index does not cover are checked row by row, for a limited number of rows. So a page can be short,
or even empty, and have a successor nevertheless.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, literal_column, select, union_all

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.engine import Connection
    from sqlalchemy.sql import ColumnElement

CHECKED_ROWS = 5000
"""The maximum number of rows that are checked for one page."""


@dataclass(frozen=True)
class Page:
    """A page of rows.

    :param rows: rows, newest first
    :param following: the cursor of the next page; None if this is the last one
    """

    rows: Sequence[Any]
    following: str | None


@dataclass(frozen=True)
class Listing:
    """What to list.

    :param columns: the columns to return; the first one is the id, which sorts by time
    :param indexed: conditions by the name of a column: the row has one of these values. There must be an
        index of this column and the id
    :param others: conditions without an index
    """

    columns: Sequence[Any]
    indexed: Mapping[str, Sequence[str]] = field(default_factory=dict)
    others: Sequence[ColumnElement[bool]] = ()

    def read(self, connection: Connection, before: str | None, limit: int) -> Page:
        """Return a page.

        :param connection: a connection to the database
        :param before: the cursor; None for the first page
        :param limit: the maximum number of rows
        """
        name, oldest = self._choose_index(connection, before)
        conditions = [*self._older_than(before), *self.others]
        for other in self.indexed.keys() - {name}:
            # The function keeps the database from reading the index of this column instead.
            conditions.append(func.coalesce(self._column(other), "").in_(self.indexed[other]))
        if oldest is not None:
            conditions.append(self._id >= oldest)
        queries = [
            select(*self.columns).where(*branch, *conditions).order_by(self._id.desc()).limit(limit + 1)
            for branch in self._branches(name)
        ]
        query: Any = queries[0]
        if len(queries) > 1:
            parts = [select(*part.c) for part in (each.subquery() for each in queries)]
            query = union_all(*parts).order_by(literal_column("id").desc()).limit(limit + 1)
        rows = connection.execute(query).fetchall()
        return Page(rows[:limit], rows[limit - 1][0] if len(rows) > limit else oldest)

    def _choose_index(self, connection: Connection, before: str | None) -> tuple[str | None, str | None]:
        """Choose the index in which the limited number of rows reaches back furthest.

        :returns: the name of its column, None for that of the id alone; and the id of the last of these rows,
            None if it has no more rows, or all of its rows are listed
        """
        names: list[str | None] = [*self.indexed] or [None]
        if len(names) == 1 and not self.others:
            return names[0], None
        best: tuple[str | None, str | None] = names[0], "~"  # sorts after all ids
        for name in names:
            branches = self._branches(name)
            ids = []
            for branch in branches:
                query = select(self._id).where(*branch, *self._older_than(before)).order_by(self._id.desc())
                last = query.offset(CHECKED_ROWS // len(branches)).limit(1)
                ids += [row[0] for row in connection.execute(last)]
            if not ids:
                return name, None
            best = min(best, (name, max(ids)), key=lambda found: str(found[1]))
        return best

    @property
    def _id(self) -> Any:
        return self.columns[0]

    def _column(self, name: str) -> Any:
        return self._id.table.c[name]

    def _branches(self, name: str | None) -> list[list[ColumnElement[bool]]]:
        """Return conditions, one for each sorted part of an index."""
        return [[]] if name is None else [[self._column(name) == value] for value in self.indexed[name]]

    def _older_than(self, before: str | None) -> list[ColumnElement[bool]]:
        return [] if before is None else [self._id < before]
