"""Do the one-time work of commands before the fork server forks any of them.

Most of Airflow's private names used here are the same in all releases; the others are in ``airflow2`` and
``airflow3``. Each step is guarded: if a name is missing, commands are slower and nothing else changes.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable  # STEPS needs it at run time
from typing import TYPE_CHECKING, Any

from airflow_remote_server.integrations.base import call_guarded
from airflow_remote_server.integrations.warmup import warm_up_commands

if TYPE_CHECKING:
    import ssl
    from collections.abc import Sequence


def warm_up() -> None:
    """Do the one-time work of commands. The process has no thread or database connection afterward."""
    for step in STEPS:
        call_guarded(step, None, "Skipped in the warm-up")
    forget_connections()


def import_models() -> None:
    """Import all models of Airflow, and configure their mappers."""
    import airflow.models
    from sqlalchemy.orm import configure_mappers

    airflow.models.import_all_models()
    configure_mappers()


def read_provider_configuration() -> None:
    """Read the configuration of the providers."""
    from airflow.providers_manager import ProvidersManager

    ProvidersManager().initialize_providers_configuration()


def load_plugins() -> None:
    """Load Airflow's plugins."""
    from airflow import plugins_manager

    plugins_manager.ensure_plugins_loaded()


def build_parser() -> None:
    """Build the command-line parser."""
    from airflow.cli import cli_parser

    cli_parser.get_parser()


def import_commands() -> None:
    """Import the modules of all commands."""
    from airflow.cli import commands

    for module in pkgutil.walk_packages(commands.__path__, f"{commands.__name__}."):
        import_quietly(module.name)


def run_warmup_commands() -> None:
    """Run typical operations of commands once, if there is a database."""
    if query_rows("SELECT 1") is not None:
        warm_up_commands()


def import_quietly(name: str) -> bool:
    """Import a module that commands use; if this fails, leave the error to the command that needs it.

    :returns: whether the import succeeded
    """
    try:
        importlib.import_module(name)
    except Exception:  # noqa: BLE001 - a module of Airflow or a provider may raise anything
        return False
    return True


def forget_connections(close: bool = True) -> None:
    """Remove the database connections from the pools of Airflow's engines; their statement caches stay.

    This is not guarded: a process that keeps connections must not fork, so the fork server fails to start
    and commands run cold.

    :param close: whether to close the connections; False after a fork, since they belong to the parent
    :raises AttributeError: if a release of Airflow has other names for its session and engine
    """
    from airflow import settings

    if settings.Session is not None:
        settings.Session.remove()
    for engine in (settings.engine, getattr(getattr(settings, "async_engine", None), "sync_engine", None)):
        if engine is not None:
            engine.dispose(close=close)


def check_migrations_quickly() -> None:
    """Make Airflow's migration check faster: read the heads of the migrations once.

    Airflow reads all migration scripts for every command (``airflow.utils.db``). If the database has another
    revision, Airflow's own check decides.
    """
    from airflow.utils import db
    from alembic.script import ScriptDirectory

    config = db._get_alembic_config()  # noqa: SLF001 - guarded by ``warm_up``
    heads = set(ScriptDirectory.from_config(config).get_heads())
    original: Callable[[], None] = db.check_and_run_migrations

    def check() -> None:
        rows = query_rows("SELECT version_num FROM alembic_version")
        if rows is None or {row[0] for row in rows} != heads:
            original()

    db.check_and_run_migrations = check


def compare_log_template_quickly() -> None:
    """Make Airflow's check of log templates faster: compare them with a single SELECT.

    Airflow also queries the columns of the table, for every command (``airflow.utils.db``). If the database
    and the configuration differ, Airflow's own function decides.
    """
    from airflow.configuration import conf
    from airflow.exceptions import AirflowConfigException
    from airflow.utils import db

    original: Callable[..., None] = db.synchronize_log_template

    def synchronize(**options: Any) -> None:
        rows = query_rows("SELECT filename, elasticsearch_id FROM log_template ORDER BY id DESC LIMIT 1")
        keys = (("logging", "log_filename_template"), ("elasticsearch", "log_id_template"))
        try:
            # no fallback, which would hide the default of a provider
            templates = tuple(conf.get(*key) for key in keys)
        except AirflowConfigException:
            templates = ()
        if (
            options
            or not rows
            or tuple(rows[0]) != templates
            or not conf.upgraded_values.keys().isdisjoint(keys)
        ):
            original(**options)

    db.synchronize_log_template = synchronize


def query_rows(statement: str) -> Sequence[Any] | None:
    """Return the rows of a query to Airflow's database; None if it fails."""
    from airflow import settings

    try:
        with settings.engine.connect() as connection:
            return connection.exec_driver_sql(statement).fetchall()  # type: ignore[no-any-return]
    except Exception:  # noqa: BLE001 - no database, no table, ...: Airflow reports it better
        return None


def read_metrics_registry() -> None:
    """Read the YAML file of metrics, which Airflow 3 does for the first metric of each process."""
    try:
        from airflow._shared.observability.metrics import stats
    except ImportError:
        return  # Airflow 3.1 and earlier have no registry
    read: Callable[[], object] | None = getattr(stats, "_get_registry", None)  # exists since Airflow 3.3
    if read is not None:
        read()


def prepare_ssl_context() -> None:
    """Load certificates before any fork, for HTTP clients that many commands create and rarely use.

    Airflow creates a client for each command that triggers a DAG or lists pools, and Airflow 2 one for each
    of its ``auth_backends`` (``airflow.api.client``). They share one SSL context, as httpx recommends for
    several clients. A context with other parameters is created as usual.
    """
    try:
        import httpx
        from httpx._transports import default as transports
    except ImportError:
        return
    original: Callable[..., ssl.SSLContext] = transports.create_ssl_context
    usual: dict[str, Any] = {"verify": True, "cert": None, "trust_env": True}
    shared: list[ssl.SSLContext] = []

    def create(**parameters: Any) -> ssl.SSLContext:
        if {**usual, **parameters} != usual:
            return original(**parameters)
        if not shared:
            shared.append(original(**parameters))
        return shared[0]

    transports.create_ssl_context = create
    httpx.Client().close()


STEPS: tuple[Callable[[], object], ...] = (
    import_models,
    read_provider_configuration,
    load_plugins,
    build_parser,
    import_commands,
    check_migrations_quickly,
    compare_log_template_quickly,
    prepare_ssl_context,
    read_metrics_registry,
    run_warmup_commands,
)
"""The one-time work, in order; the last step needs the others."""
