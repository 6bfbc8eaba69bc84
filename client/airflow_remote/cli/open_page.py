"""The command ``open``: open Airflow's page of a DAG or a DAG run."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from airflow_remote.cli import console
from airflow_remote.cli.own_commands import RUNS

if TYPE_CHECKING:
    from airflow_remote.cli.context import CliContext

DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY")


@click.command("open", help=f"{RUNS['open']}, and print its URL.")
@click.argument("dag_id", metavar="DAG")
@click.argument("run_id", metavar="[RUN]", required=False)
@click.pass_obj
def open_page(context: CliContext, dag_id: str, run_id: str | None) -> None:
    """Ask the server for the page of the run; that of a DAG is the same in all versions of Airflow."""
    client = context.client()
    if run_id is None:
        client.runs(dag_id, limit=1)  # an unknown DAG is an error that names the closest one
        url = client.page_url(f"/dags/{quote(dag_id, safe='')}")
    else:
        document: Any = client.dag_run(dag_id, run_id).document
        url = client.page_url(str(document.get("url") or ""))
    console.to_stdout(f"{url}\n")
    if has_browser():
        click.launch(url)


def has_browser() -> bool:
    """Return whether a browser window can be opened: not without a graphical session."""
    return sys.platform in ("win32", "darwin") or any(os.environ.get(name) for name in DISPLAYS)


COMMANDS = {"open": open_page}
