"""Format the help of commands: arguments, options and texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from airflow_remote.catalog.validate import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_remote.catalog.models import Argument

FILES = ("upload", "download", "folder")
METAVARS = {
    "integer": "NUMBER",
    "number": "NUMBER",
    "date": "DATE",
    "json": "JSON",
    "upload": "FILE",
    "download": "FILE",
    "folder": "FOLDER",
}


class DocumentedCommand(click.Command):
    """A command whose help lists the positional arguments, which click omits."""

    argument_help: Sequence[tuple[str, str]] = ()
    """Placeholder and description of each positional argument."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the positional arguments before the options."""
        if self.argument_help:
            with formatter.section("Arguments"):
                formatter.write_dl(self.argument_help)
        super().format_options(ctx, formatter)


def build_parameter(argument: Argument) -> click.Parameter:
    """Return a click parameter for help and completion; click does not parse with it."""
    kind: Any = click.STRING
    if argument.choices:
        kind = click.Choice(clean_choices(argument))
    elif argument.kind in FILES:
        kind = click.Path()
    if argument.positional:
        needed = argument.nargs not in ("?", "*")
        return click.Argument(
            [argument.name],
            type=kind,
            required=False,
            metavar=metavar_of(argument) if needed else f"[{metavar_of(argument)}]",
        )
    shown: dict[str, Any] = {"help": describe(argument), "type": kind}
    if argument.kind == "flag":
        shown.update(is_flag=True, type=click.BOOL)
        spellings = [f"{argument.flags[-1]}/{argument.off}"] if argument.off else [argument.flags[-1]]
        return click.Option([argument.name, *argument.flags[:-1], *spellings], **shown)
    return click.Option(
        [argument.name, *argument.flags], metavar=metavar_of(argument), multiple=argument.repeatable, **shown
    )


def clean_choices(argument: Argument) -> list[str]:
    """Return an argument's choices without control characters."""
    return [clean(choice) for choice in argument.choices]


def metavar_of(argument: Argument) -> str:
    """Return the placeholder for an argument's value."""
    word = argument.metavar if argument.metavar and argument.metavar.isidentifier() else ""
    if argument.choices and not argument.positional:
        word = f"[{'|'.join(clean_choices(argument))}]"
    if not word:
        word = argument.name.upper() if argument.positional else METAVARS.get(argument.kind, "TEXT")
    if isinstance(argument.nargs, int):
        return " ".join([word] * argument.nargs)
    return f"{word}..." if argument.nargs in ("*", "+") else word


def describe(argument: Argument) -> str:
    """Return an argument's description as one paragraph."""
    sentences = [argument.help]
    if argument.choices and argument.positional:
        sentences.append(f"One of {', '.join(clean_choices(argument))}")
    if argument.repeatable:
        sentences.append("Can be given several times")
    if argument.required and not argument.positional:
        sentences.append("Required")
    if argument.refused:
        sentences.append(f"Refused by the server: {argument.refused}")
    parts = [" ".join(part.split()) for part in sentences if part]
    text = " ".join(
        part if part.endswith((".", ":", ")")) or part is parts[-1] else f"{part}." for part in parts
    )
    shown = " ".join(argument.default.split())
    # Many help texts of Airflow mention the default already.
    mentioned = not shown or (shown.lower() in argument.help.lower() and "default" in argument.help.lower())
    return text if mentioned or argument.kind in ("flag", *FILES) else f"{text} [{shown}]"


def keep_line_breaks(text: str) -> str:
    """Mark paragraphs whose line breaks click must keep."""
    parts = [part.strip("\n") for part in text.split("\n\n")]
    return "\n\n".join(f"\b\n{part}" if "\n" in part else part for part in parts if part.strip())
