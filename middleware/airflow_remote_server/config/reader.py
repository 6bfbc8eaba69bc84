"""Read the settings from Airflow's configuration. No other module reads airflow.cfg or its variables.

Like all options of Airflow, each can be set with the environment variable ``AIRFLOW__SECTION__KEY``, and the
token also with ``..._CMD`` and ``..._SECRET``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from airflow_remote_server.config.dag_files import LOCAL_BUNDLE, DagBundle, DagFileLimits
from airflow_remote_server.config.options import SECTION, OptionType, default_of, options_of
from airflow_remote_server.config.settings import (
    OUTPUT_STORES,
    SERVICE_RESTARTS,
    Settings,
    SettingsError,
    is_shared_store,
)
from airflow_remote_server.integrations.release import release_of
from airflow_remote_server.util.masking import SENSITIVE

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_remote_server.config.options import Option

TOKEN_KEY = "rest_api_plugin_expected_http_token"  # noqa: S105 - a name
TOKEN_SECTIONS = ("webserver", SECTION)
TOKENS_FILE = "tokens_file"

AIRFLOW_DATABASE = "airflow"
"""The value of ``jobs_url`` that stands for Airflow's own database."""

ASYNC_DRIVER = re.compile(r"[a-z]+\+(asyncpg|aiosqlite|aiomysql|asyncmy|[a-z0-9]+_async)\b")
"""The scheme of a database URL that only SQLAlchemy's asynchronous engine accepts."""

ORIGIN = re.compile(r"https?://([a-z0-9.-]+|\[[0-9a-f:]+\])(:[0-9]{1,5})?")
"""An origin as browsers send it (RFC 6454, section 6.2)."""

AUTOSTART_SWITCHES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("true", "t", "1"), ("*",)),
    **dict.fromkeys(("false", "f", "0"), ()),
}
"""The values of ``services_autostart`` that are a switch, as Airflow spells booleans."""

WAIT_SHARE = 0.9
"""The fraction of the webserver's worker timeout for which a request may wait for its command."""


def token_is_configured(conf: Any) -> bool:
    """Return whether a token or a tokens file is configured, without running a command or reading the file.

    :param conf: Airflow's configuration
    """
    return bool(token_sections(conf)) or conf.has_option(SECTION, TOKENS_FILE)


def token_sections(conf: Any) -> list[str]:
    """Return the sections that set the token, the one that takes precedence first.

    :param conf: Airflow's configuration
    """
    keys = [TOKEN_KEY + suffix for suffix in ("_cmd", "_secret", "")]
    return [section for section in TOKEN_SECTIONS if any(conf.has_option(section, key) for key in keys)]


def register_token_as_sensitive(conf: Any) -> None:
    """Make Airflow mask the token where it shows its configuration, and honor ``_cmd`` and ``_secret``.

    :param conf: Airflow's configuration; ``sensitive_config_values`` is its set of (section, key)
    """
    conf.sensitive_config_values.update((section, TOKEN_KEY) for section in TOKEN_SECTIONS)


def read_base_path() -> str:
    """Return the path of Airflow's ``base_url``, decoded and without a trailing slash; "" if it has none.

    :raises SettingsError: if it is not a URL
    """
    from airflow import __version__ as airflow_version
    from airflow.configuration import conf

    section = "webserver" if airflow_version.startswith("2.") else "api"
    url = _get(conf.get, section, "base_url", "") or ""
    try:
        return unquote(urlsplit(url).path).rstrip("/")
    except ValueError as error:
        raise SettingsError(f"[{section}] base_url is not a URL: {error}") from error


def read_drain_options() -> tuple[Path, float]:
    """Return the state directory and ``drain_seconds``, without running a command, which may read the token.

    :raises SettingsError: if one of them cannot be used
    """
    from airflow.configuration import AIRFLOW_HOME, conf

    field, option = next(item for item in options_of(Settings) if item[0].name == "drain_seconds")
    return _read_state_dir(conf, Path(AIRFLOW_HOME)), _read_number(conf, option, default_of(field, option))


def read_settings() -> Settings:
    """Return the settings of the installed Airflow.

    :raises SettingsError: if an option cannot be used; the message names it
    """
    from airflow import __version__ as airflow_version
    from airflow.configuration import AIRFLOW_HOME, conf

    register_token_as_sensitive(conf)
    release = release_of(airflow_version)
    major = release[0]
    web = "webserver" if major < 3 else "api"
    home = Path(AIRFLOW_HOME)
    jobs_url = _read_jobs_url(conf)
    dags_folder = Path(_get(conf.get, "core", "dags_folder", str(home / "dags"))).expanduser()
    return Settings(
        token=_read_token(conf),
        airflow_release=release,
        base_path=read_base_path(),
        proxy_fix=_read_proxy_fix(conf, web, major),
        dags_folder=dags_folder,
        log_folder=Path(_get(conf.get, "logging", "base_log_folder", str(home / "logs"))),
        state_dir=_read_state_dir(conf, home),
        tokens_file=_read_tokens_file(conf, home),
        jobs_url=jobs_url,
        # Only a store that can be shared needs the key, which may come from a command or a secrets backend.
        fernet_key=str(_get(conf.get, "core", "fernet_key", "") or "") if is_shared_store(jobs_url) else "",
        output_store=_read_output_store(conf),
        services_autostart=_read_autostart(conf),
        service_restart=_read_choice(conf, "service_restart", SERVICE_RESTARTS),
        celery_priority=_read_celery_priority(conf),
        dag_files=DagFileLimits(**_read_options(conf, DagFileLimits)),
        dag_bundles=_read_dag_bundles(conf, dags_folder) if major >= 3 else (),
        sensitive_names=SENSITIVE | _read_sensitive_names(conf),
        **_read_options(conf, Settings, max_wait=WAIT_SHARE * _read_worker_timeout(conf, web, major)),
    )


def _read_options(conf: Any, settings: type, **defaults: float) -> dict[str, Any]:
    """Return the values of the fields whose options are read by type, in the unit of the field.

    :param conf: Airflow's configuration
    :param settings: the class that has the fields
    :param defaults: computed defaults, by field
    """
    values = {}
    for field, option in options_of(settings):
        read = READERS.get(option.type)
        if read is not None:
            value = read(conf, option, defaults.get(field.name, default_of(field, option)))
            values[field.name] = value if option.factor == 1 else option.factor * value
    return values


def _read_boolean(conf: Any, option: Option, default: bool) -> bool:
    value: bool = _get(conf.getboolean, option.section, option.key, default)
    return value


def _read_text(conf: Any, option: Option, default: str) -> str:
    return _get(conf.get, option.section, option.key, default) or ""


def _read_integer(conf: Any, option: Option, default: float) -> int:
    number: int = _read_positive(conf, option, default, int)
    return number


def _read_number(conf: Any, option: Option, default: float) -> float:
    number: float = _read_positive(conf, option, default, float)
    return number


def _read_positive(conf: Any, option: Option, default: float, convert: Callable[[Any], Any]) -> Any:
    value = _get(conf.get, option.section, option.key, default)
    try:
        number = convert(value)
    except ValueError:
        number = 0
    if not number > 0:
        raise SettingsError(f"[{option.section}] {option.key} must be a number above 0, not {value!r}")
    return number


def _read_patterns(conf: Any, option: Option, default: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(" ".join(pattern.split()) for pattern in _read_list(conf, option)) or default


def _read_origins(conf: Any, option: Option, _: tuple[str, ...]) -> tuple[str, ...]:
    origins = tuple(_read_list(conf, option))
    for origin in origins:
        if not ORIGIN.fullmatch(origin):
            raise SettingsError(
                f"[{option.section}] {option.key} must be origins such as https://ci.example:8443, in lower "
                f"case and without a path, not {origin!r}"
            )
    return origins


def _read_list(conf: Any, option: Option) -> list[str]:
    text = str(_get(conf.get, option.section, option.key, "") or "")
    return [item.strip() for item in text.replace("\n", ",").split(",") if item.strip()]


READERS: dict[OptionType, Callable[[Any, Option, Any], Any]] = {
    OptionType.BOOLEAN: _read_boolean,
    OptionType.INTEGER: _read_integer,
    OptionType.NUMBER: _read_number,
    OptionType.TEXT: _read_text,
    OptionType.PATTERNS: _read_patterns,
    OptionType.ORIGINS: _read_origins,
}


def _read_state_dir(conf: Any, home: Path) -> Path:
    return Path(_get(conf.get, SECTION, "state_dir", str(home / "rest_api"))).expanduser().absolute()


def _read_token(conf: Any) -> str | None:
    for section in token_sections(conf)[:1]:
        token = str(_get(conf.get, section, TOKEN_KEY, "") or "").strip()
        if token:
            return token
        # An empty value is an accident of a deployment (an unset secret), not a request for an open API.
        raise SettingsError(f"[{section}] {TOKEN_KEY} is set but empty: remove it, or give it a value")
    return None


def _read_tokens_file(conf: Any, home: Path) -> Path | None:
    if not conf.has_option(SECTION, TOKENS_FILE):
        return None
    path = str(_get(conf.get, SECTION, TOKENS_FILE, "") or "").strip()
    if not path:
        raise SettingsError(f"[{SECTION}] {TOKENS_FILE} is set but empty: remove it, or name a file")
    return home / Path(path).expanduser()


def _read_jobs_url(conf: Any) -> str:
    """Return the URL of the database for jobs, which may be Airflow's own; "" for the default."""
    url = str(_get(conf.get, SECTION, "jobs_url", "") or "").strip()
    if url == AIRFLOW_DATABASE:
        url = str(_get(conf.get, "database", "sql_alchemy_conn", ""))
        if url.startswith("sqlite"):
            return ""  # a file of our own does not change the settings of Airflow's
    if ASYNC_DRIVER.match(url):
        raise SettingsError(f"[{SECTION}] jobs_url must name a driver that is not asynchronous")
    return url


def _read_choice(conf: Any, key: str, choices: tuple[str, ...]) -> str:
    """Return the value of an option that has some choices, of which the first one is the default."""
    value = str(_get(conf.get, SECTION, key, "") or choices[0]).strip()
    if value not in choices:
        raise SettingsError(f"[{SECTION}] {key} must be {' or '.join(choices)}, not {value!r}")
    return value


def _read_output_store(conf: Any) -> str:
    value = str(_get(conf.get, SECTION, "output_store", "") or OUTPUT_STORES[0]).strip()
    if value in OUTPUT_STORES:
        return value
    login, at, _ = value.partition("://")[2].rpartition("@")
    if at and ":" in login:  # not as urlsplit finds it: "/", "?" and "#" in a password end its netloc
        raise SettingsError(
            f"[{SECTION}] output_store must not contain a password: put it into a connection of Airflow, "
            "and use scheme://CONNECTION@bucket/prefix"
        )
    try:
        parts = urlsplit(value)
        local = parts.scheme == "file" and not parts.netloc and parts.path.startswith("/")
        remote = parts.scheme not in ("", "file") and bool(parts.hostname)
    except ValueError:
        local = remote = False
    unsafe = any(character in value for character in "?#*[]{}\\") or ".." in value.split("/")
    if "://" not in value or not (local or remote) or unsafe or not value.isprintable():
        raise SettingsError(
            f"[{SECTION}] output_store must be {', '.join(OUTPUT_STORES)}, or a URL such as "
            f"s3://bucket/prefix or file:///folder, not {value!r}"
        )
    return value.rstrip("/")


def _read_autostart(conf: Any) -> tuple[str, ...]:
    """Return the patterns of the services that are started again with the webserver."""
    option = next(each for field, each in options_of(Settings) if field.name == "services_autostart")
    patterns = _read_patterns(conf, option, ())
    return AUTOSTART_SWITCHES.get(" ".join(patterns).lower(), patterns)


def _read_celery_priority(conf: Any) -> int | None:
    value = str(_get(conf.get, SECTION, "celery_priority", "") or "").strip()
    if not value:
        return None
    if not re.fullmatch("[0-9]", value):
        raise SettingsError(f"[{SECTION}] celery_priority must be a number from 0 to 9, not {value!r}")
    return int(value)


def _read_dag_bundles(conf: Any, dags_folder: Path) -> tuple[DagBundle, ...]:
    """Return the DAG bundles of Airflow 3. Invalid entries are left out: Airflow itself reports them."""
    bundles = []
    for item in _get(conf.getjson, "dag_processor", "dag_bundle_config_list", None) or []:
        if isinstance(item, dict) and isinstance(item.get("name"), str):
            kind, kwargs = str(item.get("classpath", "")), item.get("kwargs")
            path = kwargs.get("path") if isinstance(kwargs, dict) else None
            folder = Path(path) if path else dags_folder
            local = folder if kind == LOCAL_BUNDLE else None
            bundles.append(DagBundle(item["name"], kind.rpartition(".")[2], local))
    return tuple(bundles)


def _read_sensitive_names(conf: Any) -> frozenset[str]:
    names = _get(conf.get, "core", "sensitive_var_conn_names", "") or ""
    return frozenset(name.strip().lower() for name in names.split(",") if name.strip())


def _read_worker_timeout(conf: Any, section: str, major: int) -> float:
    """Return the seconds after which the webserver stops a worker that is busy with one request.

    Airflow 3 runs uvicorn's workers, which are not stopped; its option of that name is a sensible bound.
    """
    key = "web_server_worker_timeout" if major < 3 else "worker_timeout"
    return max(1.0, float(_get(conf.getint, section, key, 120)))


def _read_proxy_fix(conf: Any, section: str, major: int) -> dict[str, int] | None:
    if major >= 3 or not _get(conf.getboolean, section, "enable_proxy_fix", False):
        return None  # Airflow 3 leaves forwarded headers to uvicorn, which handles them before this code
    hops = ("x_for", "x_proto", "x_host", "x_port", "x_prefix")
    return {hop: _get(conf.getint, section, f"proxy_fix_{hop}", 1) for hop in hops}


def _get(getter: Callable[..., Any], section: str, key: str, fallback: Any) -> Any:
    """Return the value of an option.

    :param getter: a method of Airflow's configuration
    :raises SettingsError: if its command or its secrets backend fails, or it is not of the getter's type
    """
    try:
        return getter(section, key, fallback=fallback)
    except Exception as error:
        raise SettingsError(f"[{section}] {key} cannot be read: {error}") from error
