"""Redirect log handlers of Airflow up to 3.0 from stdout (``airflow.utils.log.logging_mixin``)."""

from __future__ import annotations

import logging


def redirect_to_stderr() -> None:
    """Make the ``RedirectStdHandler``s of this process write to stderr.

    They look up sys.stdout for each line, so it is not enough to replace it once.

    :raises ImportError: if Airflow has no such handlers
    """
    from airflow.utils.log.logging_mixin import RedirectStdHandler

    # The list that logging.shutdown uses: there are far fewer handlers than loggers.
    for reference in list(logging._handlerList):  # type: ignore[attr-defined] # noqa: SLF001 - guarded by the callers
        handler = reference()
        if isinstance(handler, RedirectStdHandler):
            handler._use_stderr = True  # noqa: SLF001 - guarded by the callers
