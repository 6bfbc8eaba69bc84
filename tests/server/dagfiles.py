"""Create and deploy DAG files."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from remote import Remote

PLAIN = b"print('no DAG at all')\n"


def dag(*dag_ids: str, before: str = "", task: str = "only") -> bytes:
    """Return the source of a DAG file.

    :param dag_ids: ids of its DAGs
    :param before: a statement at its beginning
    :param task: id of the only task of each DAG
    """
    lines = [
        "# airflow",
        "try:",
        "    from airflow.sdk import DAG",
        "    from airflow.providers.standard.operators.empty import EmptyOperator",
        "except ImportError:",
        "    from airflow import DAG",
        "    from airflow.operators.empty import EmptyOperator",
        before,
    ]
    for number, dag_id in enumerate(dag_ids):
        lines.append(f"with DAG({dag_id!r}, schedule=None) as dag_{number}:")
        lines.append(f"    EmptyOperator(task_id={task!r})")
    return "\n".join([*lines, ""]).encode()


def package(**files: bytes) -> bytes:
    """Return a zip file. In the names of its files, ``__`` stands for ``.`` and ``___`` for ``/``."""
    return packed({name.replace("___", "/").replace("__", "."): content for name, content in files.items()})


def packed(files: dict[str, bytes]) -> bytes:
    """Return a zip file.

    :param files: path to content
    """
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return content.getvalue()


def upload(remote: Remote, filename: str, source: bytes, **fields: str) -> tuple[int, dict[str, Any]]:
    """Deploy a file, and return status and envelope."""
    response = remote("deploy_dag", "POST", data={"dag_file": (io.BytesIO(source), filename), **fields})
    return response.status_code, response.json


def files(folder: Path) -> dict[str, bytes]:
    """Return all paths below a folder with their contents; for links, their targets."""
    return {
        str(path.relative_to(folder)): str(path.readlink()).encode()
        if path.is_symlink()
        else b"a folder"
        if path.is_dir()
        else path.read_bytes()
        for path in sorted(folder.rglob("*"))
    }
