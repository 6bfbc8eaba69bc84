"""Output formats: tables and JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from airflow_remote.cli import console
from airflow_remote.cli.console import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

format_option = click.option(
    "-o",
    "--output",
    "output_format",
    type=click.Choice(["table", "json"]),
    default="table",
    help="Output format [table].",
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


def format_table(rows: Sequence[Sequence[str]]) -> str:
    """Align rows in columns; the last column may have any width."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return "".join(f"{line}\n" for line in lines)


def format_cell(value: Any) -> str:
    """Format a value as one line without control characters; None becomes ""."""
    return "" if value is None else one_line(str(value))
