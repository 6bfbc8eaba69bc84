"""What a command does first, and needs to be done only once: Airflow's private names for the warm host.

The names are the same in Airflow 2.11 and 3.3, but for those in ``airflow2`` and ``airflow3``.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING, Any

from airflow_remote_server.integrations.rehearsal import rehearse

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Sequence

MOST_CLIENTS = 4
"""HTTP clients that certificates are loaded for: each takes some 20 ms, and half a megabyte."""


def warm_up() -> None:
    """Do every one-time initialisation; the process has no thread and no database connection afterwards."""
    import airflow.models
    from airflow import plugins_manager
    from airflow.cli import cli_parser, commands
    from airflow.providers_manager import ProvidersManager
    from sqlalchemy.orm import configure_mappers

    airflow.models.import_all_models()
    configure_mappers()
    ProvidersManager().initialize_providers_configuration()
    plugins_manager.ensure_plugins_loaded()
    cli_parser.get_parser()
    for module in pkgutil.walk_packages(commands.__path__, f"{commands.__name__}."):
        import_quietly(module.name)
    check_migrations_quickly()
    compare_log_template_quickly()
    prepare_ssl_contexts()
    read_metrics_registry()
    if rows("SELECT 1") is not None:
        rehearse()
    forget_connections()


def import_quietly(name: str) -> bool:
    """Import a module that some command needs; one that cannot be imported is left to that command.

    :returns: whether it is there
    """
    try:
        importlib.import_module(name)
    except Exception:  # a module of Airflow's or of a provider may raise anything
        return False
    return True


def forget_connections(close: bool = True) -> None:
    """Leave no database connection in the pools of Airflow's engines; their statement caches stay.

    :param close: False after a fork, when the connections are the parent's
    """
    from airflow import settings

    if settings.Session is not None:
        settings.Session.remove()
    for engine in (settings.engine, getattr(getattr(settings, "async_engine", None), "sync_engine", None)):
        if engine is not None:
            engine.dispose(close=close)


def check_migrations_quickly() -> None:
    """Compare the database's revision with the heads of Airflow's migrations, which are read once.

    Airflow reads all of its migration scripts for that, at every command (``airflow.utils.db``). Whenever the
    two differ, Airflow's own check has the word.
    """
    from airflow.utils import db
    from alembic.script import ScriptDirectory

    heads = set(ScriptDirectory.from_config(db._get_alembic_config()).get_heads())
    original: Callable[[], None] = db.check_and_run_migrations

    def check() -> None:
        found = rows("SELECT version_num FROM alembic_version")
        if found is None or {row[0] for row in found} != heads:
            original()

    db.check_and_run_migrations = check


def compare_log_template_quickly() -> None:
    """See with one SELECT that the log templates in the database are those of the configuration.

    Airflow asks the database for the table's columns first, at every command (``airflow.utils.db``). Whenever
    the two differ, Airflow's own function has the word.
    """
    from airflow.configuration import conf
    from airflow.exceptions import AirflowConfigException
    from airflow.utils import db

    original: Callable[..., None] = db.synchronize_log_template

    def synchronize(**given: Any) -> None:
        found = rows("SELECT filename, elasticsearch_id FROM log_template ORDER BY id DESC LIMIT 1")
        keys = (("logging", "log_filename_template"), ("elasticsearch", "log_id_template"))
        try:
            wanted = tuple(conf.get(*key) for key in keys)  # a fallback would hide a provider's default
        except AirflowConfigException:
            wanted = ()
        if (
            given
            or not found
            or tuple(found[0]) != wanted
            or not conf.upgraded_values.keys().isdisjoint(keys)
        ):
            original(**given)

    db.synchronize_log_template = synchronize


def rows(statement: str) -> Sequence[Any] | None:
    """What Airflow's database answers; None when it cannot."""
    from airflow import settings

    try:
        with settings.engine.connect() as connection:
            return connection.exec_driver_sql(statement).fetchall()  # type: ignore[no-any-return]
    except Exception:  # no database, no table, ...: Airflow knows better what to say
        return None


def read_metrics_registry() -> None:
    """Read the YAML file of all metrics, which Airflow 3 does for the first metric of a process."""
    try:
        from airflow._shared.observability.metrics import stats
    except ImportError:
        return  # Airflow 2 has none
    stats._get_registry()


def prepare_ssl_contexts() -> None:
    """Load the certificates before any fork, for the HTTP clients that many commands make and hardly use.

    Airflow 2 makes one for each of its ``auth_backends`` (``airflow.api.client``), and a client has a context
    for itself and one for each proxy. As many are ready, each for one use; they are kept, since to free one
    takes time as well. What is asked for in any other way is made as ever (``httpx``).
    """
    from airflow.configuration import conf

    try:
        import httpx
        from httpx._transports import default as transports
    except ImportError:
        return
    original: Callable[..., ssl.SSLContext] = transports.create_ssl_context
    usual: dict[str, Any] = {"verify": True, "cert": None, "trust_env": True}
    ready: list[ssl.SSLContext] = []

    def prepare(**asked: Any) -> ssl.SSLContext:
        ready.append(original(**asked))
        return ready[-1]

    transports.create_ssl_context = prepare
    try:
        for _ in conf.get("api", "auth_backends", fallback="one").split(",")[:MOST_CLIENTS]:
            httpx.Client().close()
    finally:
        unused = iter(ready)

        def create(**asked: Any) -> ssl.SSLContext:
            return (next(unused, None) if {**usual, **asked} == usual else None) or original(**asked)

        transports.create_ssl_context = create
