"""Show a progress bar for large files, on standard error if it is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

MIN_BYTES = 1 << 20
"""The smallest file, in bytes, with a progress bar: smaller ones are transferred too fast for it."""


def bar(label: str, total: int, blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Pass on the blocks of a file, and show a progress bar.

    :param label: the label of the bar
    :param total: size of the file in bytes
    :param blocks: the content
    """
    if total <= MIN_BYTES or sys.stderr is None or not sys.stderr.isatty():
        yield from blocks
        return
    import click

    with click.progressbar(length=total, label=label, file=sys.stderr) as shown:
        for block in blocks:
            yield block
            shown.update(len(block))
