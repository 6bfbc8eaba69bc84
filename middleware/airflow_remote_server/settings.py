"""The configuration, as one frozen object. Nothing else reads airflow.cfg or its environment variables.

Keys are those of ``[rest_api_plugin]``, and the seed's token in ``[webserver]``. Like all of Airflow's they
can be set by ``AIRFLOW__SECTION__KEY``, and the token also by ``..._CMD`` and ``..._SECRET``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from airflow_remote_server.dags.limits import LOCAL, Bundle, Limits
from airflow_remote_server.masking import SENSITIVE

if TYPE_CHECKING:
    from collections.abc import Mapping

TOKEN_KEY = "rest_api_plugin_expected_http_token"  # noqa: S105 - a name
TOKEN_SECTIONS = ("webserver", "rest_api_plugin")
SECTION = "rest_api_plugin"
TOKENS_FILE = "tokens_file"
MEBIBYTE = 1 << 20

ORIGIN = re.compile(r"https?://([a-z0-9.-]+|\[[0-9a-f:]+\])(:[0-9]{1,5})?")


class SettingsError(Exception):
    """Raised when the configuration cannot be used; the message names the key and what it must be."""


@dataclass(frozen=True)
class Settings:
    """What the server side was told.

    :param token: the expected token; None when none is configured
    :param allow_anonymous: without a token, serve every peer instead of loopback peers
    :param base_path: the path of Airflow's ``base_url``, without a trailing slash
    :param proxy_fix: arguments of werkzeug's ProxyFix; None when ``enable_proxy_fix`` is off
    :param dags_folder: where DAG files are
    :param log_folder: where Airflow's log files are
    :param state_dir: our own folder, private to the webserver's user
    :param airflow_major: 2 or 3
    :param executor: ``[core] executor``
    :param max_body_bytes: largest request body
    :param max_output_bytes: most that a command may print before it is stopped
    :param command_timeout: seconds a command may run
    :param max_wait: most seconds that a request waits for a command; below the webserver's own time-out for
        its workers
    :param stop_grace: seconds between SIGTERM and SIGKILL
    :param max_running: commands at once
    :param max_queued: commands that may wait for their turn
    :param keep_seconds: how long jobs that have ended are kept
    :param keep_jobs: how many of them
    :param jobs_url: of the database with the jobs, as SQLAlchemy has it; "" for a file in the state_dir
    :param allow_commands: globs over names of commands that are not refused by default (``catalogue.policy``)
    :param deny_commands: globs over names of commands that are refused
    :param tokens_file: with further tokens (``tokens``); None for none
    :param cors_origins: of web pages that may use the API with a token
    :param max_requests: of one token that a web worker serves at once
    :param body_timeout: seconds in which the body of a request has to come
    :param audit_seconds: how long the audit is kept
    :param audit_rows: how many entries of it
    :param dag_files: what DAG files are held to
    :param dag_bundles: of Airflow 3; those that are folders of this machine have a path
    :param sensitive_names: parts of names whose values are masked, in lower case
    """

    token: str | None = field(repr=False)
    airflow_major: int
    dags_folder: Path
    log_folder: Path
    state_dir: Path
    allow_anonymous: bool = False
    base_path: str = ""
    proxy_fix: Mapping[str, int] | None = None
    executor: str = ""
    max_body_bytes: int = 16 * MEBIBYTE
    max_output_bytes: int = 16 * MEBIBYTE
    command_timeout: float = 24 * 3600.0
    max_wait: float = 108.0
    stop_grace: float = 10.0
    max_running: int = 16
    max_queued: int = 1000
    keep_seconds: float = 7 * 24 * 3600.0
    keep_jobs: int = 10_000
    jobs_url: str = field(default="", repr=False)
    allow_commands: tuple[str, ...] = ()
    deny_commands: tuple[str, ...] = ()
    tokens_file: Path | None = None
    cors_origins: tuple[str, ...] = ()
    max_requests: int = 28
    body_timeout: float = 60.0
    audit_seconds: float = 90 * 24 * 3600.0
    audit_rows: int = 100_000
    dag_files: Limits = field(default_factory=Limits)
    dag_bundles: tuple[Bundle, ...] = ()
    sensitive_names: frozenset[str] = SENSITIVE

    @staticmethod
    def confine(text: str, folder: Path, what: str) -> str:
        """Resolve a path that must be inside a folder, links included.

        :param text: absolute, or relative to the folder; ``DAGS_FOLDER/`` in front is dropped, as Airflow
            writes it itself
        :param folder: the folder
        :param what: the folder, for people
        :returns: the absolute path, with no link left in it
        :raises ValueError: when it is not inside
        """
        root = folder.resolve()
        try:
            path = (root / text.removeprefix("DAGS_FOLDER/")).resolve()
        except (OSError, RuntimeError, ValueError):
            raise ValueError(f"not a path inside {what}") from None
        if path != root and root not in path.parents:
            raise ValueError(f"must be a path inside {what}")
        return str(path)


def token_is_configured(conf: Any) -> bool:
    """Whether any of the token's keys is there, or a tokens file, without running a command or reading it.

    :param conf: Airflow's configuration
    """
    return bool(token_sections(conf)) or conf.has_option(SECTION, TOKENS_FILE)


def token_sections(conf: Any) -> list[str]:
    """The sections that have the token in any of its forms, the one that counts first.

    :param conf: Airflow's configuration
    """
    forms = [TOKEN_KEY + suffix for suffix in ("_cmd", "_secret", "")]
    return [section for section in TOKEN_SECTIONS if any(conf.has_option(section, key) for key in forms)]


def register_token_as_sensitive(conf: Any) -> None:
    """Make Airflow hide the token where it shows its configuration, and honour ``_cmd`` and ``_secret``.

    :param conf: Airflow's configuration; ``sensitive_config_values`` is its set of (section, key)
    """
    conf.sensitive_config_values.update((section, TOKEN_KEY) for section in TOKEN_SECTIONS)


def base_path() -> str:
    """The path of Airflow's ``base_url``, decoded, without a trailing slash; "" when there is none.

    :raises SettingsError: when it is no URL
    """
    from airflow import __version__ as airflow_version
    from airflow.configuration import conf

    section = "webserver" if airflow_version.startswith("2.") else "api"
    url = _read(conf.get, section, "base_url", "") or ""
    try:
        return unquote(urlsplit(url).path).rstrip("/")
    except ValueError as error:
        raise SettingsError(f"[{section}] base_url is no URL: {error}") from error


def current_fingerprint() -> str:
    """What a warm host that is started now would be started from (``runner.fingerprint``)."""
    from airflow import settings as airflow_settings
    from airflow.configuration import AIRFLOW_CONFIG, AIRFLOW_HOME

    from airflow_remote_server.runner.fingerprint import fingerprint

    plugins = airflow_settings.PLUGINS_FOLDER or ""
    return fingerprint(Path(AIRFLOW_CONFIG), Path(plugins), Path(AIRFLOW_HOME, "config"))


def from_airflow() -> Settings:
    """Read the configuration of the installed Airflow.

    :raises SettingsError: naming the key that cannot be used
    """
    from airflow import __version__ as airflow_version
    from airflow.configuration import AIRFLOW_HOME, conf

    register_token_as_sensitive(conf)
    major = int(airflow_version.split(".", 1)[0])
    web = "webserver" if major < 3 else "api"
    home = Path(AIRFLOW_HOME)
    dags_folder = Path(_read(conf.get, "core", "dags_folder", str(home / "dags"))).expanduser()
    return Settings(
        token=_token(conf),
        airflow_major=major,
        allow_anonymous=_read(conf.getboolean, SECTION, "allow_anonymous", False),
        base_path=base_path(),
        proxy_fix=_proxy_fix(conf, web, major),
        dags_folder=dags_folder,
        log_folder=Path(_read(conf.get, "logging", "base_log_folder", str(home / "logs"))),
        state_dir=Path(_read(conf.get, SECTION, "state_dir", str(home / "rest_api"))).expanduser().absolute(),
        executor=_read(conf.get, "core", "executor", ""),
        max_body_bytes=_positive(conf, "max_body_bytes", Settings.max_body_bytes, int),
        max_output_bytes=_positive(conf, "max_output_bytes", Settings.max_output_bytes, int),
        command_timeout=_positive(conf, "command_timeout", Settings.command_timeout, float),
        max_wait=_positive(conf, "max_wait", 0.9 * _worker_timeout(conf, web, major), float),
        stop_grace=_positive(conf, "stop_grace", Settings.stop_grace, float),
        max_running=_positive(conf, "max_running", Settings.max_running, int),
        max_queued=_positive(conf, "max_queued", Settings.max_queued, int),
        keep_seconds=3600 * _positive(conf, "keep_hours", Settings.keep_seconds / 3600, float),
        keep_jobs=_positive(conf, "keep_jobs", Settings.keep_jobs, int),
        jobs_url=_read(conf.get, SECTION, "jobs_url", "") or "",
        allow_commands=_globs(conf, "allow_commands"),
        deny_commands=_globs(conf, "deny_commands"),
        tokens_file=_tokens_file(conf, home),
        cors_origins=_origins(conf),
        max_requests=_positive(conf, "max_requests", Settings.max_requests, int),
        body_timeout=_positive(conf, "body_timeout", Settings.body_timeout, float),
        audit_seconds=3600 * _positive(conf, "audit_hours", Settings.audit_seconds / 3600, float),
        audit_rows=_positive(conf, "audit_rows", Settings.audit_rows, int),
        dag_files=_dag_files(conf),
        dag_bundles=_dag_bundles(conf, dags_folder) if major >= 3 else (),
        sensitive_names=SENSITIVE | _names(_read(conf.get, "core", "sensitive_var_conn_names", "")),
    )


def _dag_files(conf: Any) -> Limits:
    """What DAG files are held to."""
    return Limits(
        file_bytes=_positive(conf, "max_dag_bytes", Limits.file_bytes, int),
        files=_positive(conf, "max_dag_files", Limits.files, int),
        unpacked_bytes=_positive(conf, "max_unpacked_bytes", Limits.unpacked_bytes, int),
        versions=_positive(conf, "keep_dag_versions", Limits.versions, int),
        seconds=_positive(conf, "deploy_timeout", Limits.seconds, float),
    )


def _dag_bundles(conf: Any, dags_folder: Path) -> tuple[Bundle, ...]:
    """The DAG bundles of Airflow 3. What is not as Airflow wants it, Airflow itself complains of."""
    bundles = []
    for item in _read(conf.getjson, "dag_processor", "dag_bundle_config_list", None) or []:
        if isinstance(item, dict) and isinstance(item.get("name"), str):
            kind, kwargs = str(item.get("classpath", "")), item.get("kwargs")
            path = kwargs.get("path") if isinstance(kwargs, dict) else None
            folder = Path(path) if path else dags_folder
            local = folder if kind == LOCAL else None
            bundles.append(Bundle(item["name"], kind.rpartition(".")[2], local))
    return tuple(bundles)


def _worker_timeout(conf: Any, section: str, major: int) -> float:
    """Seconds after which the webserver ends a worker that is busy with one request.

    Airflow 3 has uvicorn's workers, which are not ended; its own setting of that name is as good as any.
    """
    key = "web_server_worker_timeout" if major < 3 else "worker_timeout"
    return max(1.0, float(_read(conf.getint, section, key, 120)))


def _names(listed: str) -> frozenset[str]:
    return frozenset(name.strip().lower() for name in (listed or "").split(",") if name.strip())


def _globs(conf: Any, key: str) -> tuple[str, ...]:
    """Globs over names of commands, separated by commas or line ends."""
    listed = str(_read(conf.get, SECTION, key, "") or "").replace("\n", ",").split(",")
    return tuple(" ".join(glob.split()) for glob in listed if glob.strip())


def _tokens_file(conf: Any, home: Path) -> Path | None:
    """Where the tokens file is; below AIRFLOW_HOME when that is not said."""
    if not conf.has_option(SECTION, TOKENS_FILE):
        return None
    path = str(_read(conf.get, SECTION, TOKENS_FILE, "") or "").strip()
    if not path:
        raise SettingsError(f"[{SECTION}] {TOKENS_FILE} is set but empty: remove it, or name a file")
    return home / Path(path).expanduser()


def _origins(conf: Any) -> tuple[str, ...]:
    """Origins of web pages, as browsers say them (RFC 6454, 6.2)."""
    origins = str(_read(conf.get, SECTION, "cors_origins", "") or "").replace("\n", ",").split(",")
    listed = tuple(origin.strip() for origin in origins if origin.strip())
    for origin in listed:
        if not ORIGIN.fullmatch(origin):
            raise SettingsError(
                f"[{SECTION}] cors_origins must be origins as https://ci.example:8443, in lower case and "
                f"without a path, not {origin!r}"
            )
    return listed


def _read(getter: Any, section: str, key: str, fallback: Any) -> Any:
    try:
        return getter(section, key, fallback=fallback)
    except Exception as error:
        raise SettingsError(f"[{section}] {key} cannot be read: {error}") from error


def _positive(conf: Any, key: str, fallback: float, kind: type) -> Any:
    value = _read(conf.get, SECTION, key, fallback)
    try:
        number = kind(value)
    except ValueError:
        number = 0
    if not number > 0:
        raise SettingsError(f"[{SECTION}] {key} must be a number above 0, not {value!r}")
    return number


def _token(conf: Any) -> str | None:
    for section in token_sections(conf)[:1]:
        token = str(_read(conf.get, section, TOKEN_KEY, "") or "").strip()
        if token:
            return token
        # An empty value is a deployment accident (an unset secret), not a wish for an open API.
        raise SettingsError(f"[{section}] {TOKEN_KEY} is set but empty: remove it, or give it a value")
    return None


def _proxy_fix(conf: Any, section: str, major: int) -> dict[str, int] | None:
    if major >= 3 or not _read(conf.getboolean, section, "enable_proxy_fix", False):
        return None  # Airflow 3 leaves forwarded headers to uvicorn, which is in front of us
    hops = ("x_for", "x_proto", "x_host", "x_port", "x_prefix")
    return {hop: _read(conf.getint, section, f"proxy_fix_{hop}", 1) for hop in hops}
