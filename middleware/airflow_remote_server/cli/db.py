"""``airflow-remote-server db``: check and upgrade the tables of the job store.

Webservers upgrade them as well, when they first use the store. This is for those who want to do it before.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow_remote_server._version import __version__
from airflow_remote_server.errors import Unavailable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from sqlalchemy.engine import Engine

OUTDATED = 1
"""The exit status of ``db check`` if the tables must be upgraded."""


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser.

    :param commands: the commands of the program
    """
    parser = commands.add_parser("db", help="check or upgrade the tables of the job store")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    check = actions.add_parser(
        "check", help="say whether the tables fit this release", description=f"Exit with {OUTDATED} if not."
    )
    check.set_defaults(run=check_tables)
    upgrade = actions.add_parser("upgrade", help="upgrade the tables to this release")
    upgrade.set_defaults(run=upgrade_tables)


@contextmanager
def open_store() -> Iterator[Engine]:
    """Yield the engine of the store that Airflow's configuration names.

    :raises Unavailable: if there is none, or it cannot be used
    """
    from sqlalchemy.exc import SQLAlchemyError

    from airflow_remote_server.config.reader import read_settings
    from airflow_remote_server.config.settings import SettingsError
    from airflow_remote_server.jobs.engine import first_line, make_engine
    from airflow_remote_server.jobs.factory import store_url
    from airflow_remote_server.util.private_dirs import make_private_dir

    try:
        settings = read_settings()
        if not settings.jobs_url:
            make_private_dir(settings.state_dir)
        # Airflow's log may be the standard output, and says the same.
        logging.disable()
        engine = make_engine(store_url(settings))
    except SettingsError as error:
        raise Unavailable(str(error)) from error
    except OSError as error:
        raise Unavailable(f"cannot write to {settings.state_dir} ({error.strerror})") from error
    finally:
        logging.disable(logging.NOTSET)
    try:
        yield engine
    except SQLAlchemyError as error:
        raise Unavailable(
            f"the job store cannot be used: {first_line(error)}; "
            "check [rest_api_plugin] jobs_url and state_dir, and that the database runs"
        ) from error
    finally:
        engine.dispose()


def check_tables(_: argparse.Namespace) -> int:
    """Print the version of the tables, and whether they must be upgraded.

    :raises Unavailable: if the store cannot be used, or is of a newer release
    """
    from airflow_remote_server.jobs.migrations import LATEST, next_migration, version_of

    with open_store() as engine:
        pending = next_migration(engine) is not None
        version = version_of(engine)
    if pending:
        print(
            f"the job store has version {version} of its tables, and {__version__} needs {LATEST}: "
            "run airflow-remote-server db upgrade"
        )
        return OUTDATED
    print(f"the job store has version {version} of its tables, as {__version__} needs it")
    return 0


def upgrade_tables(_: argparse.Namespace) -> int:
    """Upgrade the tables, and print the versions before and after.

    :raises Unavailable: if the store cannot be used, or is of a newer release
    """
    from airflow_remote_server.jobs.migrations import migrate, next_migration, version_of

    with open_store() as engine:
        before, pending = version_of(engine), next_migration(engine) is not None
        migrate(engine)
        after = version_of(engine)
    if pending:
        print(f"upgraded the job store from version {before} of its tables to {after}")
    else:
        print(f"the job store has version {after} of its tables already")
    return 0
