"""Redirect log handlers of Airflow up to 3.0 from stdout (``airflow.utils.log.logging_mixin``)."""

from __future__ import annotations

import logging


def redirect_to_stderr() -> None:
    """Make the ``RedirectStdHandler``s of this process write to stderr.

    They look up sys.stdout for each line, so it is not enough to replace it once.

    :raises ImportError: if Airflow has no such handlers
    """
    from airflow.utils.log.logging_mixin import RedirectStdHandler

    loggers = [logging.getLogger(), *logging.Logger.manager.loggerDict.values()]
    for logger in loggers:
        for handler in getattr(logger, "handlers", []):
            if isinstance(handler, RedirectStdHandler):
                handler._use_stderr = True  # noqa: SLF001 - guarded by the callers
