"""A request to the job that deploys a DAG file, and its result."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import NamedTuple

from airflow_remote_server.config.dag_files import DagFileLimits


@dataclass(frozen=True)
class DeployRequest:
    """A request to a job about a DAG file, which the web worker has validated.

    :param filename: name of the DAG file
    :param folder: path below the DAGs folder; "" for the DAGs folder itself
    :param root: the DAGs folder
    :param state: the state directory
    :param limits: limits for the file
    :param bundle: the folder's DAG bundle, on Airflow 3
    :param upload: path of the uploaded file
    :param force: replace an existing file, and accept DAGs that another file defines
    :param pause: pause its DAGs
    :param unpause: unpause its DAGs
    :param wait: seconds to wait until Airflow has parsed it
    :param version: number of the version to roll back to; None for the latest that differs
    """

    filename: str
    folder: str
    root: str
    state: str
    limits: DagFileLimits
    bundle: str = ""
    upload: str = ""
    force: bool = False
    pause: bool = False
    unpause: bool = False
    wait: float = 0.0
    version: int | None = None

    def to_json(self) -> str:
        """Return the request as JSON, for the command line of the job."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> DeployRequest:
        """Return the request from its JSON."""
        fields = json.loads(text)
        return cls(**{**fields, "limits": DagFileLimits(**fields["limits"])})


class DeployResult(NamedTuple):
    """The result of a successful request, for the user.

    :param text: one line
    :param warning: a warning; "" if there is none
    """

    text: str
    warning: str = ""
