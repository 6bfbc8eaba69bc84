"""The settings of the server side, as frozen dataclasses."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_remote_server.config.dag_files import DagBundle, DagFileLimits
from airflow_remote_server.config.options import MEBIBYTE, OptionType, option
from airflow_remote_server.util.masking import SENSITIVE

if TYPE_CHECKING:
    from collections.abc import Mapping

OUTPUT_STORES = ("database", "folder")
"""The values of ``output_store`` that are not URLs."""

ON_FAILURE = "on-failure"
SERVICE_RESTARTS = ("no", ON_FAILURE)
"""The values of ``service_restart``."""

HOUR = 3600
"""An hour in seconds."""

_BOOLEAN, _INTEGER, _NUMBER = OptionType.BOOLEAN, OptionType.INTEGER, OptionType.NUMBER
_PATTERNS, _ORIGINS, _OTHER = OptionType.PATTERNS, OptionType.ORIGINS, OptionType.OTHER


def is_shared_store(jobs_url: str) -> bool:
    """Return whether several webservers can use the database of a ``jobs_url``; "" is a SQLite file."""
    return bool(jobs_url) and not jobs_url.startswith("sqlite")


class SettingsError(Exception):
    """Raised if the configuration cannot be used; the message names the key and says what it must be."""


@dataclass(frozen=True)
class Settings:
    """The configuration of the server side. A field that is read from an option has it in its metadata.

    :param airflow_release: the major and minor version of the installed Airflow
    :param base_path: the path of Airflow's ``base_url``, without a trailing slash
    :param proxy_fix: the arguments of werkzeug's ``ProxyFix``; None if ``enable_proxy_fix`` is off
    :param dag_files: the limits for DAG files that are deployed
    :param sensitive_names: parts of names whose values are masked, in lower case
    """

    token: str | None = field(
        repr=False,
        metadata=option(
            "rest_api_plugin_expected_http_token",
            "The token that clients must send; it may also be set in `[rest_api_plugin]`, and by a command "
            "or a secrets backend with the suffix `_cmd` or `_secret`.",
            _OTHER,
            section="webserver",
            type_name="text",
        ),
    )
    airflow_release: tuple[int, int]
    dags_folder: Path = field(
        metadata=option(
            "dags_folder",
            "Airflow's DAGs folder.",
            _OTHER,
            section="core",
            default="`AIRFLOW_HOME/dags`",
            type_name="path",
        )
    )
    log_folder: Path = field(
        metadata=option(
            "base_log_folder",
            "Airflow's log folder.",
            _OTHER,
            section="logging",
            default="`AIRFLOW_HOME/logs`",
            type_name="path",
        )
    )
    state_dir: Path = field(
        metadata=option(
            "state_dir",
            "The private directory for jobs and for the fork server, on a local disk.",
            _OTHER,
            default="`AIRFLOW_HOME/rest_api`",
            type_name="path",
        )
    )
    allow_anonymous: bool = field(
        default=False,
        metadata=option(
            "allow_anonymous",
            "Serve every client if no token is configured, not only this machine.",
            _BOOLEAN,
        ),
    )
    base_path: str = ""
    proxy_fix: Mapping[str, int] | None = None
    executor: str = field(default="", metadata=option("executor", "Airflow's executor.", section="core"))
    max_body_bytes: int = field(
        default=16 * MEBIBYTE,
        metadata=option("max_body_bytes", "The largest request body.", _INTEGER, unit="bytes"),
    )
    max_output_bytes: int = field(
        default=16 * MEBIBYTE,
        metadata=option(
            "max_output_bytes",
            "The maximum output of a command; a command that prints more is stopped.",
            _INTEGER,
            unit="bytes",
        ),
    )
    command_timeout: float = field(
        default=24.0 * HOUR,
        metadata=option("command_timeout", "How long a command may run.", _NUMBER, unit="seconds"),
    )
    max_wait: float = field(
        default=108.0,
        metadata=option(
            "max_wait",
            "The maximum time that a request waits for its command; it must be below the webserver's worker "
            "timeout.",
            _NUMBER,
            unit="seconds",
            default="0.9 of the webserver's worker timeout (108)",
        ),
    )
    default_wait: float = field(
        default=60.0,
        metadata=option(
            "default_wait",
            "How long a request waits for its command, unless it says so with `Prefer: wait`; a command that "
            "takes longer is answered with 202 and its job.",
            _NUMBER,
            unit="seconds",
        ),
    )
    default_wait_sync: float = field(
        default=5.0,
        metadata=option(
            "default_wait_sync",
            "The same with gunicorn's sync workers, each of which serves nobody else while a request waits.",
            _NUMBER,
            unit="seconds",
        ),
    )
    stop_grace: float = field(
        default=10.0,
        metadata=option(
            "stop_grace",
            "The time between SIGTERM and SIGKILL when a command is stopped.",
            _NUMBER,
            unit="seconds",
        ),
    )
    service_stop_grace: float = field(
        default=600.0,
        metadata=option(
            "service_stop_grace",
            "How long a service may take to end after SIGTERM, for example until its running tasks have "
            "finished, before it and all its descendants are killed.",
            _NUMBER,
            unit="seconds",
        ),
    )
    service_restart: str = field(
        default="no",
        metadata=option(
            "service_restart",
            "Whether a service is started again when it fails, unless its request says so with `restart`.",
            _OTHER,
            default="`no`",
            type_name="`no` or `on-failure`",
        ),
    )
    service_restart_limit: int = field(
        default=10,
        metadata=option(
            "service_restart_limit",
            "How often a service that fails is started again within ten minutes; then it is `failed`.",
            _INTEGER,
        ),
    )
    services_autostart: tuple[str, ...] = field(
        default=(),
        metadata=option(
            "services_autostart",
            "Which services are started again that were running when the machine or the container ended: "
            "`True` for all, or patterns of their commands, for example `scheduler, celery *`.",
            _OTHER,
            default="`False`",
            type_name="boolean, or patterns, separated by commas or line ends",
        ),
    )
    drain_seconds: float = field(
        default=25.0,
        metadata=option(
            "drain_seconds",
            "How long the webserver waits at SIGTERM for its commands to end; it takes no new ones then.",
            _NUMBER,
            unit="seconds",
        ),
    )
    max_running: int = field(
        default=16,
        metadata=option("max_running", "How many commands run at once.", _INTEGER),
    )
    max_workers: int = field(
        default=8,
        metadata=option(
            "max_workers",
            "How many processes may wait for further commands after they have run one. Only commands that "
            "run no code of a DAG share a process. With 0, each command gets a new process.",
            _INTEGER,
        ),
    )
    max_queued: int = field(
        default=1000,
        metadata=option(
            "max_queued",
            "How many commands may wait in the queue; further requests are answered with 429.",
            _INTEGER,
        ),
    )
    max_queue_share: float = field(
        default=0.5,
        metadata=option(
            "max_queue_share",
            "With a `tokens_file`, which share of `max_queued` the commands of one token may take, on all "
            "webservers that share `jobs_url` together; further ones are answered with 429.",
            _NUMBER,
        ),
    )
    min_free_bytes: int = field(
        default=16 * MEBIBYTE,
        metadata=option(
            "min_free_bytes",
            "The free space that the disk of the `state_dir` must have; with less, new commands are answered "
            "with 507.",
            _INTEGER,
            unit="bytes",
        ),
    )
    keep_seconds: float = field(
        default=7.0 * 24 * HOUR,
        metadata=option(
            "keep_hours",
            "How long finished jobs are kept with their output.",
            _NUMBER,
            unit="hours",
            factor=HOUR,
        ),
    )
    keep_jobs: int = field(
        default=10_000,
        metadata=option("keep_jobs", "How many finished jobs are kept with their output.", _INTEGER),
    )
    jobs_url: str = field(
        default="",
        repr=False,
        metadata=option(
            "jobs_url",
            "The SQLAlchemy URL of the database for jobs, or `airflow` for Airflow's own; use PostgreSQL or "
            "MySQL to share jobs between machines.",
            _OTHER,
            type_name="text",
            default="a SQLite file in the `state_dir`",
        ),
    )
    fernet_key: str = field(
        default="",
        repr=False,
        metadata=option(
            "fernet_key",
            "Airflow's key; it encrypts queued commands in a shared `jobs_url`. Without it, no other "
            "webserver takes them over.",
            _OTHER,
            section="core",
            type_name="text",
        ),
    )
    output_store: str = field(
        default="database",
        metadata=option(
            "output_store",
            "Where the output of jobs is kept if `jobs_url` is a database that several webservers can share: "
            "`database`, so that each of them can read and stop the jobs of all; with the same effect, the "
            "URL of an object store or of a shared folder, such as `s3://connection@bucket/prefix` or "
            "`file:///shared/output`; or `folder`, in the `state_dir` of the webserver that ran the job "
            "alone.",
            _OTHER,
            type_name="`database`, `folder`, or URL",
        ),
    )
    celery_queue: str = field(
        default="",
        metadata=option(
            "celery_queue",
            "The Celery queue for the commands in `celery_commands`, which workers (`airflow-remote-server "
            "worker`) run then, over the broker of Airflow's CeleryExecutor. It needs a shared `jobs_url`.",
            default="none: the webserver runs all commands",
        ),
    )
    celery_commands: tuple[str, ...] = field(
        default=("dags backfill", "dags test", "tasks run", "tasks test"),
        metadata=option(
            "celery_commands",
            "With a `celery_queue`, the commands that Celery workers run, by their names in the installed "
            "Airflow or in Airflow 1.x.",
            _PATTERNS,
            default="`dags backfill, dags test, tasks run, tasks test`",
        ),
    )
    celery_priority: int | None = field(
        default=None,
        metadata=option(
            "celery_priority",
            "The priority of the messages in the `celery_queue`, from 0 to 9; the broker decides what it "
            "means.",
            _OTHER,
            type_name="integer from 0 to 9",
            default="that of the broker",
        ),
    )
    allow_commands: tuple[str, ...] = field(
        default=(),
        metadata=option(
            "allow_commands",
            "Commands to allow although they are refused by default, for example `db reset, config *`.",
            _PATTERNS,
        ),
    )
    deny_commands: tuple[str, ...] = field(
        default=(),
        metadata=option(
            "deny_commands",
            "Commands to refuse, by their names in the installed Airflow or in Airflow 1.x.",
            _PATTERNS,
        ),
    )
    tokens_file: Path | None = field(
        default=None,
        metadata=option(
            "tokens_file",
            "A file of further tokens with roles; a relative path is below `AIRFLOW_HOME`.",
            _OTHER,
            type_name="path",
        ),
    )
    cors_origins: tuple[str, ...] = field(
        default=(),
        metadata=option(
            "cors_origins",
            "Origins of web pages that may use the API with a token, for example `https://ci.example`.",
            _ORIGINS,
        ),
    )
    max_requests: int = field(
        default=28,
        metadata=option(
            "max_requests",
            "With a `tokens_file`, how many requests of one token a web worker serves at once; further ones "
            "are answered with 429.",
            _INTEGER,
        ),
    )
    body_timeout: float = field(
        default=60.0,
        metadata=option(
            "body_timeout", "How long the body of a request may take to arrive.", _NUMBER, unit="seconds"
        ),
    )
    send_timeout: float = field(
        default=30.0,
        metadata=option(
            "send_timeout",
            "How long a client may read nothing of a response before its connection is closed.",
            _NUMBER,
            unit="seconds",
        ),
    )
    audit_seconds: float = field(
        default=90.0 * 24 * HOUR,
        metadata=option(
            "audit_hours", "How long entries of the audit are kept.", _NUMBER, unit="hours", factor=HOUR
        ),
    )
    audit_rows: int = field(
        default=100_000,
        metadata=option("audit_rows", "How many entries of the audit are kept.", _INTEGER),
    )
    dag_files: DagFileLimits = field(default_factory=DagFileLimits)
    dag_bundles: tuple[DagBundle, ...] = field(
        default=(),
        metadata=option(
            "dag_bundle_config_list",
            "The DAG bundles of Airflow 3; DAG files can be deployed to local ones.",
            _OTHER,
            section="dag_processor",
            type_name="JSON",
        ),
    )
    sensitive_names: frozenset[str] = field(
        default=SENSITIVE,
        metadata=option(
            "sensitive_var_conn_names",
            "Further parts of names whose values are masked, separated by commas.",
            _OTHER,
            section="core",
            type_name="text",
        ),
    )

    def restarts_of(self, wanted: object) -> int:
        """Return how often a service is started again within ten minutes if it fails; 0 if it is not.

        :param wanted: the ``restart`` of its request, if that has one
        """
        return self.service_restart_limit if (wanted or self.service_restart) == ON_FAILURE else 0

    @property
    def shares_store(self) -> bool:
        """Return whether other webservers can use the same store of jobs."""
        return is_shared_store(self.jobs_url)

    @property
    def shares_output(self) -> bool:
        """Return whether all webservers that share the store can read the output of all jobs."""
        return self.shares_store and self.output_store != OUTPUT_STORES[1]

    @property
    def output_url(self) -> str:
        """Return the URL of the object store for the output of jobs; "" if there is none."""
        return self.output_store if self.shares_output and self.output_store not in OUTPUT_STORES else ""

    @property
    def airflow_major(self) -> int:
        """Return the major version of the installed Airflow: 2 or 3."""
        return self.airflow_release[0]
