"""Changes to Airflow's modules and classes that hold for one command, and how to undo them.

A process that runs a single command never undoes them. A process that runs several does it after each one.
"""

from __future__ import annotations

from collections.abc import Callable  # _undo needs it at run time
from typing import Any

_undo: list[Callable[[], object]] = []

_MISSING = object()


def set_attribute(owner: Any, name: str, value: object) -> None:
    """Set an attribute of a module or a class for the present command.

    :param owner: the module or class
    :param name: the attribute, which need not exist
    :param value: its new value
    """
    original = vars(owner).get(name, _MISSING)
    setattr(owner, name, value)
    if original is _MISSING:
        on_undo(lambda: delattr(owner, name))
    else:
        on_undo(lambda: setattr(owner, name, original))


def on_undo(undo: Callable[[], object]) -> None:
    """Register a function that undoes a change of another kind.

    :param undo: called with no arguments
    """
    _undo.append(undo)


def undo_patches() -> None:
    """Undo all changes since the last call, the newest first."""
    while _undo:
        _undo.pop()()
