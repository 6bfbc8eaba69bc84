"""The release of the installed Airflow, and the releases that this project is tested with."""

from __future__ import annotations

import logging
import re

log = logging.getLogger(__name__)

Release = tuple[int, int]
"""Major and minor version, such as ``(2, 11)``."""

OLDEST: Release = (2, 7)
NEWEST: Release = (3, 3)
"""`make matrix` tests these releases and those between them."""

NEWEST_OF_MAJOR: dict[int, Release] = {2: (2, 11), 3: NEWEST}


def release_of(version: str) -> Release:
    """Return the release that a version belongs to.

    :param version: the value of ``airflow.__version__``, such as ``3.0.6`` or ``3.4.0.dev0``
    :raises ValueError: if it does not begin with a major and a minor version
    """
    match = re.match(r"(\d+)\.(\d+)", version)
    if match is None:
        raise ValueError(f"not a version of Airflow: {version!r}")
    return int(match[1]), int(match[2])


def installed_release() -> Release:
    """Return the release of the installed Airflow."""
    from airflow import __version__

    return release_of(__version__)


def warn_of_untested_release(release: Release) -> None:
    """Log a warning if this project is not tested with a release.

    :param release: the release of the installed Airflow
    """
    if not OLDEST <= release <= NEWEST or (2, 11) < release < (3, 0):
        log.warning(
            "airflow-remote is tested with Airflow %s to %s, not with %s: some commands may fail",
            _dotted(OLDEST),
            _dotted(NEWEST),
            _dotted(release),
        )


def _dotted(release: Release) -> str:
    return ".".join(map(str, release))
