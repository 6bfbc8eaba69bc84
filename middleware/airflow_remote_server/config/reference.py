"""Render the reference of the options as Markdown: ``python -m airflow_remote_server.config.reference``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_remote_server.config.dag_files import DagFileLimits
from airflow_remote_server.config.options import SECTION, OptionType, default_of, options_of
from airflow_remote_server.config.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable
    from dataclasses import Field

    from airflow_remote_server.config.options import Option

HEADER = "| Option | Type | Default | Description |\n|---|---|---|---|\n"


def render() -> str:
    """Return the reference: first the options of ``[rest_api_plugin]``, then those of Airflow."""
    options = [*options_of(Settings), *options_of(DagFileLimits)]
    own = [entry for entry in options if entry[1].section == SECTION]
    others = [entry for entry in options if entry[1].section != SECTION]
    return (
        f"## Options in `[{SECTION}]`\n\n{HEADER}{_rows(own)}\n"
        f"## Options in other sections\n\n{HEADER}{_rows(others)}"
    )


def _rows(entries: Iterable[tuple[Field[Any], Option]]) -> str:
    return "".join(_row(field, option) for field, option in entries)


def _row(field: Field[Any], option: Option) -> str:
    key = f"`{option.key}`" if option.section == SECTION else f"`[{option.section}] {option.key}`"
    type_name = option.type_name or option.type.value
    unit = f", in {option.unit}" if option.unit else ""
    return f"| {key} | {type_name}{unit} | {_default(field, option)} | {option.description} |\n"


def _default(field: Field[Any], option: Option) -> str:
    if option.default:
        return option.default
    value = default_of(field, option)
    if option.type in (OptionType.BOOLEAN, OptionType.INTEGER):
        return f"`{value}`"
    if option.type is OptionType.NUMBER:
        return f"`{value:g}`"
    return ""


if __name__ == "__main__":
    print(render(), end="")
