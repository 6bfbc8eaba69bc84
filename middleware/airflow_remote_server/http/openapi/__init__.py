"""Describe the API as an OpenAPI 3.1 document, generated from the tables that validate requests.

The document covers the commands that this server can run: neither those that the policy refuses, nor those
that the installed Airflow lacks. It lists only live commands that the requesting token may run.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from airflow_remote_server._version import __version__
from airflow_remote_server.http.openapi.audit import PATHS as AUDIT
from airflow_remote_server.http.openapi.batch import PATHS as BATCH
from airflow_remote_server.http.openapi.batch import SCHEMAS as BATCH_SCHEMAS
from airflow_remote_server.http.openapi.commands import classic_path, command_path, legacy_path
from airflow_remote_server.http.openapi.jobs import PATHS as JOBS
from airflow_remote_server.http.openapi.schemas import COMPONENTS
from airflow_remote_server.http.openapi.server import PATHS as SERVER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_remote_server.catalog.live import Catalog
    from airflow_remote_server.catalog.spec import Endpoint

API = "/api/v1.0"
DESCRIPTION = """\
Airflow's command line over HTTP. Every command is a job. A request waits for its job to end, at most as long
as `Prefer: wait=N` allows; if the job takes longer, the response is a 202 with the job. `Accept: text/plain`
and `Accept: application/x-ndjson` stream the output while the command runs."""


class OpenApi:
    """Render the document, and cache it for the last catalog and path.

    :param endpoints: the classic endpoints by name
    :param anonymous: whether requests need no token
    """

    def __init__(self, endpoints: Mapping[str, Endpoint], anonymous: bool) -> None:
        self._classic = [endpoint for endpoint in endpoints.values() if not endpoint.absent]
        self._anonymous = anonymous
        self._cached: tuple[Catalog, str, bytes, str] | None = None

    def render(self, catalog: Catalog, root: str) -> tuple[bytes, str]:
        """Return the document as JSON, and its ETag.

        :param catalog: the live commands
        :param root: the path of the API's prefix, as a client sees it
        """
        cached = self._cached
        if cached is None or cached[0] is not catalog or cached[1] != root:
            text = json.dumps(self.document(catalog, root), ensure_ascii=False)
            body = text.encode("utf-8", "backslashreplace")
            cached = self._cached = catalog, root, body, hashlib.sha256(body).hexdigest()[:32]
        return cached[2], cached[3]

    def document(self, catalog: Catalog, root: str) -> dict[str, Any]:
        """Return the document.

        :param catalog: the live commands
        :param root: the path of the API's prefix, as a client sees it
        """
        commands = [catalog.endpoints[name] for name in catalog.runnable]
        paths = {
            **{f"{API}{path}": item for path, item in {**SERVER, **AUDIT, **JOBS, **BATCH}.items()},
            **{f"{API}/{endpoint.name}": classic_path(endpoint) for endpoint in self._classic},
            "/api": legacy_path(self._classic),
            **{
                f"{API}/commands/{endpoint.name.replace(' ', '/')}": command_path(endpoint)
                for endpoint in commands
            },
        }
        security: list[dict[str, list[str]]] = [{name: []} for name in COMPONENTS["securitySchemes"]]
        return {
            "openapi": "3.1.0",
            "info": {
                "title": "Airflow's command line",
                "version": __version__,
                "description": DESCRIPTION,
                "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            },
            "servers": [{"url": root}],
            "security": [*security, *([{}] if self._anonymous else [])],
            "tags": [
                {"name": "server", "description": "The API itself"},
                {"name": "jobs", "description": "Running and ended commands"},
                {"name": "classic", "description": "The endpoints of the plugin for Airflow 1.x"},
                *(
                    {"name": f"airflow {group['name']}", "description": group["help"]}
                    for group in json.loads(catalog.text)["groups"]
                ),
            ],
            "paths": paths,
            "components": {**COMPONENTS, "schemas": {**COMPONENTS["schemas"], **BATCH_SCHEMAS}},
        }
