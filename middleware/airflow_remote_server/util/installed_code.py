"""Tell installed code from code of users: of DAG files, plugins and ``airflow_local_settings.py``."""

from __future__ import annotations

import sysconfig
from pathlib import Path

LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
"""The directories of Python's own modules, and of packages."""

OURS = str(Path(__file__).parents[1])
"""The directory of this package, which need not be among the libraries."""


def is_library(file: str) -> bool:
    """Return whether a file is in a directory of installed modules.

    :param file: an absolute path
    """
    return file.startswith(LIBRARIES)


def is_user_code(file: str) -> bool:
    """Return whether a file belongs to a user.

    :param file: a path; generated and compiled code of libraries has no absolute one
    """
    return Path(file).is_absolute() and not file.startswith((*LIBRARIES, OURS))
