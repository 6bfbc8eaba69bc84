"""The API as an OpenAPI 3.1 document, made from the tables that requests are checked by.

It describes what can be called on this server: not what the policy refuses, or what Airflow here lacks. Of
Airflow's commands, it has those that the token of who asks may run.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from airflow_remote_server import __version__
from airflow_remote_server.openapi.audit import PATHS as AUDIT
from airflow_remote_server.openapi.commands import ancestor, classic, live
from airflow_remote_server.openapi.jobs import PATHS as JOBS
from airflow_remote_server.openapi.schemas import COMPONENTS
from airflow_remote_server.openapi.server import PATHS as SERVER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_remote_server.catalogue.live import Catalogue
    from airflow_remote_server.catalogue.spec import Endpoint

API = "/api/v1.0"
ABOUT = """\
Airflow's command line, over HTTP. Every command is a job: a request waits for its end, as long as
`Prefer: wait=N` says, and is answered with 202 and the job when it takes longer. `Accept: text/plain` and
`Accept: application/x-ndjson` give the output as it comes."""


class OpenApi:
    """The document, made once for a catalogue and a path.

    :param endpoints: the classic ones
    :param anonymous: whether requests may come without a token
    """

    def __init__(self, endpoints: Mapping[str, Endpoint], anonymous: bool) -> None:
        self._classic = [endpoint for endpoint in endpoints.values() if not endpoint.absent]
        self._anonymous = anonymous
        self._made: tuple[Catalogue, str, bytes, str] | None = None

    def __call__(self, catalogue: Catalogue, root: str) -> tuple[bytes, str]:
        """The document as JSON, and its ETag.

        :param catalogue: the live commands
        :param root: the path of the API's prefix, as a client needs it
        """
        made = self._made
        if made is None or made[0] is not catalogue or made[1] != root:
            text = json.dumps(self.document(catalogue, root), ensure_ascii=False)
            body = text.encode("utf-8", "backslashreplace")
            made = self._made = catalogue, root, body, hashlib.sha256(body).hexdigest()[:32]
        return made[2], made[3]

    def document(self, catalogue: Catalogue, root: str) -> dict[str, Any]:
        """The document.

        :param catalogue: the live commands
        :param root: the path of the API's prefix, as a client needs it
        """
        commands = [catalogue.endpoints[name] for name in catalogue.runnable]
        paths = {
            **{f"{API}{path}": item for path, item in {**SERVER, **AUDIT, **JOBS}.items()},
            **{f"{API}/{endpoint.name}": classic(endpoint) for endpoint in self._classic},
            "/api": ancestor(self._classic),
            **{f"{API}/commands/{endpoint.name.replace(' ', '/')}": live(endpoint) for endpoint in commands},
        }
        security: list[dict[str, list[str]]] = [{name: []} for name in COMPONENTS["securitySchemes"]]
        return {
            "openapi": "3.1.0",
            "info": {
                "title": "Airflow's command line",
                "version": __version__,
                "description": ABOUT,
                "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            },
            "servers": [{"url": root}],
            "security": [*security, *([{}] if self._anonymous else [])],
            "tags": [
                {"name": "server", "description": "This API itself"},
                {"name": "jobs", "description": "Commands that run, or have run"},
                {"name": "classic", "description": "The endpoints of the plugin for Airflow 1.x"},
                *(
                    {"name": f"airflow {group['name']}", "description": group["help"]}
                    for group in json.loads(catalogue.text)["groups"]
                ),
            ],
            "paths": paths,
            "components": COMPONENTS,
        }
