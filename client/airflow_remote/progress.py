"""How far a large file is on its way: a bar on standard error, where that is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Callable

Progress = Callable[[str, int, Iterable[bytes]], Iterator[bytes]]
"""Passes on the blocks of a file: gets what is done with it, its size in bytes, and the blocks."""

LEAST_BYTES = 1 << 20
"""Smaller files are there before a bar is seen."""


def bar(label: str, total: int, blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The blocks of a file, one by one, with a bar that shows how many of them have gone.

    :param label: in front of the bar
    :param total: bytes of the file
    :param blocks: its content
    """
    if total <= LEAST_BYTES or sys.stderr is None or not sys.stderr.isatty():
        yield from blocks
        return
    import click

    with click.progressbar(length=total, label=label, file=sys.stderr) as shown:
        for block in blocks:
            yield block
            shown.update(len(block))


def silent(label: str, total: int, blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The same without a bar."""
    yield from blocks
