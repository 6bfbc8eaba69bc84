"""Output formats: tables and JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable

import click

from airflow_remote.cli import console
from airflow_remote.cli.console import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Table = tuple[Sequence[str], Callable[[Any], Sequence[str]]]
    """The head of a table, and a function that returns the row of an item."""

BLOCK_ROWS = 100
"""How many rows of a long table are aligned together."""

format_option = click.option(
    "-o",
    "--output",
    "output_format",
    type=click.Choice(["table", "json"]),
    default="table",
    help="Output format [table].",
)

plain_format_option = click.option(
    "-o",
    "--output",
    "output_format",
    type=click.Choice(["table", "json", "plain"]),
    default="table",
    help="Output format [table]; plain has tabs between the columns, and no heading.",
)


def write_rows(document: Mapping[str, Any], rows: Sequence[Sequence[str]], as_json: bool) -> None:
    """Print data as a table or as JSON.

    :param document: the data as returned by the server
    :param rows: the same data as table rows
    :param as_json: whether to print JSON
    """
    if as_json:
        console.document(document)
    else:
        console.to_stdout(format_table(rows))


def write_plain(rows: Iterable[Sequence[str]]) -> None:
    """Print rows for programs, with tabs between the columns.

    :param rows: cells without control characters
    """
    for row in rows:
        console.to_stdout("\t".join(row) + "\n")


def format_table(rows: Sequence[Sequence[str]]) -> str:
    """Align rows in columns; the last column may have any width."""
    return _align(rows, [0] * len(rows[0]))


def write_list(name: str, items: Iterable[Any], table: Table, as_json: bool) -> None:
    """Print a list as a table or as JSON while its items arrive.

    :param name: the key of the list in the JSON document
    :param items: what the server returned, or objects with that in ``document``
    :param table: how to show them in a table
    :param as_json: whether to print JSON
    """
    if as_json:
        _write_json(name, (getattr(item, "document", item) for item in items))
        return
    head, to_row = table
    widths = [0] * len(head)
    rows: list[Sequence[str]] = [head]
    for item in items:
        rows.append(to_row(item))
        if len(rows) >= BLOCK_ROWS:
            console.to_stdout(_align(rows, widths))
            rows = []
    console.to_stdout(_align(rows, widths))


def _write_json(name: str, items: Iterable[Mapping[str, Any]]) -> None:
    """Print ``{NAME: [...]}`` as ``console.document`` does, one item after the other."""
    import json

    separator = ""
    for item in items:
        text = json.dumps(item, ensure_ascii=False, indent=2).replace("\n", "\n    ")
        head = f'{{\n  "{name}": [' if not separator else ""
        console.to_stdout(f"{head}{separator}\n    {text}")
        separator = ","
    console.to_stdout("\n  ]\n}\n" if separator else f'{{\n  "{name}": []\n}}\n')


def _align(rows: Sequence[Sequence[str]], widths: list[int]) -> str:
    """Align rows in columns that are at least as wide as before; the last column may have any width."""
    widths[:] = (
        [max(width, *map(len, column)) for width, column in zip(widths, zip(*rows))] if rows else widths
    )
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return "".join(f"{line}\n" for line in lines)


def format_cell(value: Any) -> str:
    """Format a value as one line without control characters; None becomes ""."""
    return "" if value is None else one_line(str(value))
