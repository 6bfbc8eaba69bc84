"""What the help shows of a live command's arguments and texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from airflow_remote.shape import clean

if TYPE_CHECKING:
    from airflow_remote.catalogue import Argument

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


def parameter(argument: Argument) -> click.Parameter:
    """An argument, for click's help and completion; click does not parse with it."""
    kind: Any = click.STRING
    if argument.choices:
        kind = click.Choice(choices(argument))
    elif argument.kind in FILES:
        kind = click.Path()
    if argument.positional:
        needed = argument.nargs not in ("?", "*")
        return click.Argument(
            [argument.name],
            type=kind,
            required=False,
            metavar=metavar(argument) if needed else f"[{metavar(argument)}]",
        )
    shown: dict[str, Any] = {"help": described(argument), "type": kind}
    if argument.kind == "flag":
        shown.update(is_flag=True, type=click.BOOL)
        spellings = [f"{argument.flags[-1]}/{argument.off}"] if argument.off else [argument.flags[-1]]
        return click.Option([argument.name, *argument.flags[:-1], *spellings], **shown)
    return click.Option(
        [argument.name, *argument.flags], metavar=metavar(argument), multiple=argument.repeatable, **shown
    )


def choices(argument: Argument) -> list[str]:
    """An argument's choices as they may be shown."""
    return [clean(choice) for choice in argument.choices]


def metavar(argument: Argument) -> str:
    """What stands for an argument's value."""
    word = argument.metavar if argument.metavar and argument.metavar.isidentifier() else ""
    if argument.choices and not argument.positional:
        word = f"[{'|'.join(choices(argument))}]"
    if not word:
        word = argument.name.upper() if argument.positional else METAVARS.get(argument.kind, "TEXT")
    if isinstance(argument.nargs, int):
        return " ".join([word] * argument.nargs)
    return f"{word}..." if argument.nargs in ("*", "+") else word


def described(argument: Argument) -> str:
    """What the help says of an argument, in one paragraph."""
    said = [argument.help]
    if argument.choices and argument.positional:
        said.append(f"One of {', '.join(choices(argument))}")
    if argument.repeatable:
        said.append("Can be given several times")
    if argument.required and not argument.positional:
        said.append("Required")
    if argument.refused:
        said.append(f"Refused by the server: {argument.refused}")
    parts = [" ".join(part.split()) for part in said if part]
    text = " ".join(
        part if part.endswith((".", ":", ")")) or part is parts[-1] else f"{part}." for part in parts
    )
    shown = " ".join(argument.default.split())
    # Many of Airflow's own texts tell the default already.
    told = not shown or (shown.lower() in argument.help.lower() and "default" in argument.help.lower())
    return text if told or argument.kind in ("flag", *FILES) else f"{text} [{shown}]"


def paragraphs(text: str) -> str:
    """A text whose line ends are kept, as click wants it told."""
    parts = [part.strip("\n") for part in text.split("\n\n")]
    return "\n\n".join(f"\b\n{part}" if "\n" in part else part for part in parts if part.strip())
