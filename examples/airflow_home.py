"""Prepare an AIRFLOW_HOME for examples: its settings, its files and its database.

``serve.py`` writes the settings, and runs this file as a program of its own for the rest::

    python examples/airflow_home.py plugin|entrypoint|gunicorn|code [--prepared]
"""

from __future__ import annotations

import base64
import configparser
import filecmp
import os
import secrets
import shutil
import sys
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLUGIN = ROOT / "plugins" / "rest_api_plugin.py"
DAG = ROOT / "examples" / "dags" / "hello_remote.py"

ADMIN = [  # the user of Airflow 2's pages; Airflow 3 needs no login here
    "--username=admin",
    "--password=admin",
    "--role=Admin",
    "--firstname=Ad",
    "--lastname=Min",
    "--email=admin@example.org",
]

WEBSERVER_CONFIG_MARK = "# --- airflow-remote, plain code ---"
WEBSERVER_CONFIG_CODE = f"""
{WEBSERVER_CONFIG_MARK}
from flask import current_app

from airflow_remote_server import RestApiMiddleware

current_app.wsgi_app = RestApiMiddleware(current_app.wsgi_app)
"""
REMOTE_MAIN_CODE = """\
from airflow.api_fastapi.main import app as airflow_app
from airflow_remote_server.asgi import RestApiAsgiMiddleware

app = RestApiAsgiMiddleware(airflow_app)
"""


def write_airflow_cfg(home: Path, major: int) -> None:
    """Write the settings of a new home; an existing airflow.cfg is kept.

    This is a file, since the secrets must last as long as the home. The caller's variables override it.
    """
    path = home / "airflow.cfg"
    if path.exists():
        return
    key = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode("ascii")
    sections = {"core": {"load_examples": "False", "fernet_key": key}}
    if major == 2:
        sections["webserver"] = {"secret_key": secrets.token_hex(32), "workers": "2"}
    else:
        sections["core"]["simple_auth_manager_all_admins"] = "True"
        sections["api"] = {"secret_key": secrets.token_hex(32)}
        sections["api_auth"] = {"jwt_secret": secrets.token_hex(32)}
    config = configparser.ConfigParser(interpolation=None)
    config.read_dict(sections)
    # Atomic, and readable only by its owner, since it holds secrets.
    draft = home / f".airflow.cfg.{os.getpid()}"
    draft.touch(mode=0o600)
    with draft.open("w", encoding="utf-8") as file:
        config.write(file)
    draft.replace(path)


def copy_files(way: str) -> None:
    """Copy the files of an installation method, in the server's environment."""
    home = Path(os.environ["AIRFLOW_HOME"])
    from airflow.configuration import conf

    copy_dag(Path(conf.get("core", "dags_folder")))
    place_plugin(home, Path(conf.get("core", "plugins_folder")), way)
    if version("apache-airflow").startswith("2."):
        write_webserver_config(home, way)
    elif way == "code":
        (home / "remote_main.py").write_text(REMOTE_MAIN_CODE, encoding="utf-8")


def prepare_database() -> None:
    """Migrate the database and load the DAGs, in the server's environment.

    Airflow's own commands run in this process, which saves the start of another Python for each.
    """
    from airflow.cli import cli_parser

    commands = [["db", "migrate"], ["dags", "reserialize"]]
    if version("apache-airflow").startswith("2."):
        commands.append(["users", "create", *ADMIN])
    parser = cli_parser.get_parser()
    for command in commands:
        arguments = parser.parse_args(command)
        arguments.func(arguments)


def copy_dag(folder: Path) -> None:
    """Copy hello_remote into the DAGs folder, unless it exists: it may have been edited or deployed."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / DAG.name).exists():
        shutil.copy(DAG, folder)


def place_plugin(home: Path, folder: Path, way: str) -> None:
    """Copy the plugin file into the plugins folder, or remove it for the other installation methods."""
    if way == "plugin":
        folder.mkdir(parents=True, exist_ok=True)
        # A new file would make the fork server that runs outdated.
        placed = folder / PLUGIN.name
        if not placed.exists() or not filecmp.cmp(PLUGIN, placed, shallow=False):
            shutil.copy(PLUGIN, folder)
    else:
        (home / "plugins" / PLUGIN.name).unlink(missing_ok=True)


def write_webserver_config(home: Path, way: str) -> None:
    """Write Airflow 2's webserver_config.py: its defaults, and the code for the method ``code``."""
    from airflow.configuration import conf, write_webserver_configuration_if_needed

    write_webserver_configuration_if_needed(conf)
    path = home / "webserver_config.py"
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    new = old.partition(f"\n{WEBSERVER_CONFIG_MARK}\n")[0]
    if way == "code":
        new += WEBSERVER_CONFIG_CODE
    if new != old:
        path.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    copy_files(sys.argv[1])
    if "--prepared" not in sys.argv:
        prepare_database()
