"""What a command of Airflow can leave behind in the memory of its process, and how to reset it.

This uses private names of Airflow, which are the same in several releases; each is looked up in every module
that has had it. If none of them exists, a process is not known to be clean, and runs no further command.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Any

from airflow_remote_server.integrations.patches import undo_patches
from airflow_remote_server.util.installed_code import is_user_code

if TYPE_CHECKING:
    from types import ModuleType

MASKERS = (
    "airflow.utils.log.secrets_masker",  # 2.7 to 2.11
    "airflow.sdk.execution_time.secrets_masker",  # 3.0 and 3.1
    "airflow._shared.secrets_masker.secrets_masker",  # since 3.2
    "airflow.sdk._shared.secrets_masker.secrets_masker",  # since 3.2
)
"""The modules that may have a masker of secrets."""

FIRST_USE = frozenset(
    {
        "airflow._shared.observability.metrics.stats._backend",
        "airflow.sdk._shared.observability.metrics.stats._backend",
    }
)
"""Variables that are None after a fork until a command needs them for the first time: clients for metrics."""


class AirflowState:
    """The state of Airflow in this process, between two commands.

    :raises RuntimeError: if a part of the state cannot be found in the installed release
    """

    def __init__(self) -> None:
        self._maskers = [(masker, set(masker.patterns), masker.replacer) for masker in find_maskers()]
        if not self._maskers:
            raise RuntimeError("the masker of secrets was not found")
        self._users = {name: module for name, module in list(sys.modules.items()) if is_of_user(module)}
        airflows = [name for name in sys.modules if name.partition(".")[0] == "airflow"]
        # Another part of the state tells whether modules were imported, removed or replaced.
        self._modules = {name: dict(vars(sys.modules[name])) for name in (*airflows, *self._users)}
        self._containers = copy_containers(self._users)
        self._structlog = structlog_configuration()

    def note_fork(self) -> None:
        """Note the variables that Airflow has reset in a new process."""
        for name in FIRST_USE:
            module, _, variable = name.rpartition(".")
            if module in self._modules:
                self._modules[module][variable] = vars(sys.modules[module]).get(variable)

    def reset(self) -> None:
        """Undo what every command may do: our own patches, and secrets that Airflow masks in its logs."""
        undo_patches()
        for masker, patterns, replacer in self._maskers:
            if masker.patterns != patterns:
                masker.patterns, masker.replacer = set(patterns), replacer

    def differences(self) -> list[str]:
        """Return what else differs now, a few words each; nothing if the process is clean."""
        found = [
            name
            for name, is_different in (
                ("database transaction", transaction_is_open()),
                ("configuration of structlog", structlog_configuration() != self._structlog),
                ("maskers of secrets", find_maskers() != [masker for masker, _, _ in self._maskers]),
            )
            if is_different
        ]
        found += changed_containers(copy_containers(self._users), self._containers)
        for name, known in self._modules.items():
            variables = vars(sys.modules[name]) if name in sys.modules else {}
            for variable in changed_names(variables, known):
                if f"{name}.{variable}" in FIRST_USE and known.get(variable) is None:
                    known[variable] = variables[variable]
                else:
                    found.append(f"{name}.{variable}")
        return found


def find_maskers() -> list[Any]:
    """Return the maskers of secrets (``SecretsMasker``) of the imported modules."""
    modules = [sys.modules[name] for name in MASKERS if name in sys.modules]
    return [module._secrets_masker() for module in modules]  # noqa: SLF001 - guarded by the caller


def is_of_user(module: ModuleType | None) -> bool:
    """Return whether a module is a user's code: a plugin, a secrets backend, ``airflow_local_settings``."""
    file = getattr(module, "__file__", None)
    return isinstance(file, str) and is_user_code(file)


def copy_containers(modules: dict[str, ModuleType]) -> dict[str, object]:
    """Return copies of the lists, dictionaries and sets of modules, by ``MODULE.VARIABLE``.

    :param modules: the modules by name
    """
    return {
        f"{name}.{variable}": value.copy()
        for name, module in modules.items()
        for variable, value in vars(module).items()
        if type(value) in (list, dict, set) and variable != "__builtins__"
    }


def changed_containers(new: dict[str, object], old: dict[str, object]) -> list[str]:
    """Return the names of containers whose content differs, or cannot be compared.

    :param new: the containers
    :param old: the same, earlier
    """
    changed = []
    for name, value in new.items():
        try:
            is_same = value == old.get(name)
        except Exception:  # noqa: BLE001 - users' objects may raise anything
            is_same = False
        if not is_same:
            changed.append(name)
    return changed


def changed_names(new: dict[str, object], old: dict[str, object]) -> list[str]:
    """Return the names whose values are not the same objects.

    :param new: the variables of a module
    :param old: the same, earlier
    """
    with contextlib.suppress(Exception):  # some objects cannot be compared
        if new == old:  # compares by identity first
            return []
    missing = object()
    return [name for name in new.keys() | old.keys() if new.get(name, missing) is not old.get(name, missing)]


def structlog_configuration() -> dict[str, Any]:
    """Return the configuration of structlog; nothing if Airflow does not use it."""
    structlog = sys.modules.get("structlog")
    return {} if structlog is None else dict(structlog.get_config())


def transaction_is_open() -> bool:
    """Return whether a session or a connection of Airflow's engine is in use, and close the session."""
    from airflow import settings

    used = False
    if settings.Session is not None:
        used = settings.Session.registry.has() and settings.Session().in_transaction()
        settings.Session.remove()
    checked_out = getattr(settings.engine.pool, "checkedout", None)
    return used or (checked_out is not None and checked_out() > 0)


def database_file() -> tuple[int, int] | None:
    """Return the device and the inode of Airflow's SQLite database; None for another database."""
    from airflow import settings

    path = settings.engine.url.database if settings.engine.dialect.name == "sqlite" else None
    try:
        status = os.stat(path or "")  # noqa: PTH116 - faster, and called before every command
    except OSError:
        return None
    return status.st_dev, status.st_ino


def connect() -> None:
    """Connect to Airflow's database, for the next command."""
    from airflow import settings

    with settings.engine.connect():
        pass
