"""A Sphinx extension that completes what sphinx-click writes about the client's commands."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import click
    from sphinx.application import Sphinx


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.connect("sphinx-click-process-options", escape_options)
    app.connect("sphinx-click-process-arguments", describe_arguments)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def escape(text: str) -> str:
    """Escape single asterisks; sphinx-click itself writes double ones."""
    return re.sub(r"(?<!\*)\*(?!\*)", r"\*", text)


def escape_options(app: Sphinx, context: click.Context, lines: list[str]) -> None:
    """Escape what reStructuredText would read as markup in the help of options."""
    lines[:] = [escape(line) for line in lines]


def describe_arguments(app: Sphinx, context: click.Context, lines: list[str]) -> None:
    """Describe the positional arguments of a classic command, which click takes to be optional."""
    endpoint = getattr(context.command, "endpoint", None)
    if endpoint is not None and lines:
        lines.clear()
        for argument in endpoint["arguments"]:
            if argument["positional"]:
                required = "Required" if argument["required"] else "Optional"
                text = f"    {required}. {escape(argument['help'])}."
                lines += [f".. option:: {argument['name'].upper()}", "", text, ""]
