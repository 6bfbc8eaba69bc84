"""Jobs for the tests of the job store."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Any

from airflow_remote_server.jobs.models import Job, JobState
from airflow_remote_server.jobs.store import JobStore

if TYPE_CHECKING:
    pass


NUMBERS = itertools.count()


def job(**changes: Any) -> Job:
    """Return a queued job."""
    values = {
        "id": f"{next(NUMBERS):032x}",
        "kind": "command",
        "state": JobState.QUEUED,
        "node": "here",
        "principal": "token",
        "peer": "192.0.2.1",
        "name": "version",
        "command": "airflow version",
        "arguments": "{}",
        "created": time.time(),
    }
    return Job(**{**values, **changes})


def ended(store: JobStore, **changes: Any) -> Job:
    """Add a job that has succeeded, and return it."""
    made = job(**{"state": JobState.SUCCEEDED, "exit_code": 0, "ended": time.time(), **changes})
    store.add(made, None)
    return made
