"""A Sphinx extension that generates reference pages from the code.

The pages are written to ``docs/reference/generated/`` before Sphinx looks for its sources. They are not
committed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_remote_server.catalog.classic import classic_endpoints
from airflow_remote_server.catalog.live import Catalog
from airflow_remote_server.catalog.sections import group_by_section
from airflow_remote_server.config import reference
from airflow_remote_server.http.openapi import OpenApi
from airflow_remote_server.integrations.release import NEWEST_OF_MAJOR

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sphinx.application import Sphinx
    from sphinx.config import Config

    from airflow_remote_server.catalog.spec import Argument, Endpoint, Variant

DOCS = Path(__file__).parents[1]
FOLDER = DOCS / "reference" / "generated"
ROOT = "/admin/rest_api"
KINDS = {
    "text": "text",
    "integer": "integer",
    "number": "number",
    "flag": "flag",
    "date": "date and time",
    "json": "JSON",
    "json_object": "JSON object",
    "dags_path": "path in the DAGs folder",
    "log_path": "path in the log folder",
    "upload": "uploaded file",
    "stdout": "always `-`",
}


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.connect("config-inited", write_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def write_pages(app: Sphinx, config: Config) -> None:
    """Write all generated pages."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    write("endpoints.md", endpoints_page())
    write("options.md", reference.render())
    document = openapi_document()
    write("openapi.json", json.dumps(document, indent=1) + "\n")
    write("routes.md", routes_page(document))


def write(name: str, text: str) -> None:
    """Write one file, unless it already has this content: Sphinx then need not read it again."""
    path = FOLDER / name
    if not path.exists() or path.read_text("utf-8") != text:
        path.write_text(text, "utf-8")


def endpoints_page() -> str:
    """Return the reference of the classic endpoints as Markdown."""
    tables = {major: classic_endpoints(release) for major, release in NEWEST_OF_MAJOR.items()}
    lines = [
        "# Classic endpoints",
        "",
        "Each of these is `GET` or `POST /admin/rest_api/api/v1.0/NAME`. The table of arguments gives the",
        "names that a request uses. A name in **bold** is required. This page is generated from the catalog.",
        "",
    ]
    for title, endpoints in group_by_section(tables[2].values()):
        lines += [f"## {title}", ""]
        for first in endpoints:
            versions = {major: table[first.name] for major, table in tables.items()}
            lines += [f"### {first.name}", "", f"{first.summary}.", ""]
            if first.aliases:
                lines += [f"Also available as {', '.join(f'`{alias}`' for alias in first.aliases)}.", ""]
            lines += commands_of(versions)
            lines += arguments_of(versions)
    return "\n".join(lines) + "\n"


def commands_of(versions: dict[int, Endpoint]) -> list[str]:
    """Return lines that say which Airflow command an endpoint runs."""
    lines = {major: commands_on(endpoint) for major, endpoint in versions.items()}
    if len({tuple(commands) for commands in lines.values()}) == 1:
        return [*(f"- {command}" for command in lines[2]), ""]
    return [*(f"- Airflow {major}: {command}" for major in lines for command in lines[major]), ""]


def commands_on(endpoint: Endpoint) -> list[str]:
    """Return what an endpoint runs on one major version of Airflow."""
    if endpoint.absent:
        return [f"Not available. {endpoint.absent}."]
    return [
        (f"With `{variant.name}`: " if variant.name else "") + command_line(variant)
        for variant in endpoint.variants
    ]


def command_line(variant: Variant) -> str:
    """Return the command that a variant of an endpoint runs."""
    if variant.program != "airflow":
        return "handled by airflow-remote itself"
    return f"`airflow {' '.join(variant.command)}`" if variant.command else "answered without a command"


def arguments_of(versions: dict[int, Endpoint]) -> Iterator[str]:
    """Return the table of an endpoint's arguments."""
    merged: dict[str, tuple[Argument, list[int]]] = {}
    several = any(variant.name for endpoint in versions.values() for variant in endpoint.variants)
    for major, endpoint in versions.items():
        for argument in usable(endpoint):
            _, majors = merged.setdefault(argument.name, (argument, []))
            if major not in majors:
                majors.append(major)
    if not merged:
        return
    yield from ("| argument | value | Airflow | |", "|---|---|---|---|")
    for name, (argument, majors) in merged.items():
        shown = f"**`{name}`**" if argument.required and not several else f"`{name}`"
        value = " or ".join(f"`{choice}`" for choice in argument.choices) or KINDS[argument.kind.value]
        value += ", repeatable" if argument.repeatable else ""
        yield f"| {shown} | {value} | {', '.join(map(str, majors))} | {argument.help} |"
    yield ""


def usable(endpoint: Endpoint) -> Iterable[Argument]:
    """Return the arguments that an endpoint accepts and uses."""
    for variant in endpoint.variants:
        for argument in variant.arguments:
            if not argument.unusable and not argument.ignored:
                yield argument


def openapi_document() -> dict[str, Any]:
    """Return the OpenAPI document without live commands, which depend on the installed Airflow."""
    empty = Catalog("", {}, {}, {}, b'{"groups": []}', "", ())
    endpoints = classic_endpoints(NEWEST_OF_MAJOR[3])
    return OpenApi(endpoints, anonymous=False).document(empty, ROOT)


def routes_page(document: dict[str, Any]) -> str:
    """Return the reference of all routes as Markdown."""
    lines = [
        "# Routes",
        "",
        "All routes are below `/admin/rest_api`. This page is generated from the OpenAPI document; the",
        "{download}`document itself <openapi.json>` describes arguments and responses in full.",
        "A server's own document, at `GET /api/v1.0/openapi.json`, also has the commands of its Airflow.",
        "",
    ]
    for tag in document["tags"]:
        if tag["name"] == "classic":
            lines += [
                "## Classic endpoints",
                "",
                "[Classic endpoints](endpoints.md) has a page of its own.",
                "",
            ]
            continue
        lines += [f"## {tag['name'].capitalize()}", "", f"{tag['description']}.", ""]
        lines += ["| route | | query parameters |", "|---|---|---|"]
        for path, item in document["paths"].items():
            for method, operation in item.items():
                if tag["name"] in operation["tags"]:
                    lines.append(route_row(document, path, method, operation))
        lines.append("")
    return "\n".join(lines) + "\n"


def route_row(document: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> str:
    """Return the table row of one operation."""
    names = []
    for parameter in operation.get("parameters", []):
        reference = parameter.get("$ref", "").rpartition("/")[2]
        parameter = document["components"]["parameters"][reference] if reference else parameter
        if parameter["in"] == "query":
            names.append(f"`{parameter['name']}`")
    summary = operation["summary"].replace("|", "\\|")
    return f"| `{method.upper()} {path}` | {summary} | {', '.join(names)} |"
