"""Filter the catalog of live commands: a principal sees only the commands that it may run."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_remote_server.auth.permissions import UNRESTRICTED
from airflow_remote_server.catalog.live import serialize

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_remote_server.auth.permissions import Permissions
    from airflow_remote_server.catalog.live import Catalog, CatalogLoader
    from airflow_remote_server.catalog.spec import Endpoint

MAX_CACHED = 100
"""The maximum number of filtered catalogs that are cached."""


class PermittedCatalogs:
    """Filter the catalog by the permissions of principals.

    :param loader: loads the whole catalog
    :param classic: names of the classic endpoints that run a command, by the command's words
    """

    def __init__(self, loader: CatalogLoader, classic: Mapping[str, tuple[str, ...]]) -> None:
        self._loader = loader
        self._classic = classic
        self._cached: tuple[Catalog, dict[Permissions, Catalog]] | None = None

    def for_permissions(self, permissions: Permissions = UNRESTRICTED) -> Catalog:
        """Return the catalog; the same object until the configuration changes.

        :param permissions: the permissions of the principal
        :raises Unavailable: if the commands cannot be read
        """
        whole, cached = self._loader.load(), self._cached
        if cached is None or cached[0] is not whole or len(cached[1]) > MAX_CACHED:
            cached = self._cached = whole, {UNRESTRICTED: whole}
        catalog = cached[1].get(permissions)
        if catalog is None:
            catalog = cached[1][permissions] = filter_catalog(
                whole, lambda command: self.refusal(command, permissions)
            )
        return catalog

    def refusal(self, endpoint: Endpoint, permissions: Permissions) -> str:
        """Return why permissions do not cover a command; "" if they do."""
        names = self._classic.get(endpoint.name, ())
        _, reason = permissions.refusal(endpoint.variants[0], endpoint.name, names)
        return reason


def filter_catalog(whole: Catalog, refusal: Callable[[Endpoint], str]) -> Catalog:
    """Return a catalog of the allowed commands, which says whether it withholds others.

    :param whole: the catalog of every command
    :param refusal: returns why a command is not allowed; "" if it is
    """
    document = json.loads(whole.text)
    commands = [
        command
        for command in document["commands"]
        if not command["refused"] and not refusal(whole.endpoints[command["name"]])
    ]
    names = [command["name"] for command in commands]
    groups = [
        group for group in document["groups"] if any(name.startswith(f"{group['name']} ") for name in names)
    ]
    withheld = len(commands) < len(document["commands"])
    return replace(
        whole, **serialize({**document, "groups": groups, "commands": commands, "withheld": withheld})
    )
