"""The columns of the table of jobs, and jobs as rows of it."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import column, table

from airflow_remote_server.jobs.models import Job, JobState, directory_id
from airflow_remote_server.jobs.sql import storable

if TYPE_CHECKING:
    from sqlalchemy.sql import ColumnElement

COLUMNS = [field.name for field in fields(Job) if field.metadata.get("stored", True)]
JOBS = table("airflow_remote_job", *[column(name) for name in COLUMNS])

LONGEST = {"node": 80, "principal": 100, "peer": 100, "name": 100, "message": 4000}
"""The maximum number of characters of columns that could hold longer texts."""

LONGEST_LISTED = {"command": 2000, "arguments": 8000}
"""The maximum number of characters of these columns in a list of jobs, to limit its size."""


def is_of_node(node: str) -> ColumnElement[bool]:
    """Return the condition that a job belongs to the state directory of a node."""
    condition: ColumnElement[bool] = JOBS.c.node.startswith(directory_id(node), autoescape=True)
    return condition


def row_of(job: Job) -> dict[str, Any]:
    """Return the values of a job's columns, by name."""
    values = {**vars(job), "state": job.state.value}
    return {name: storable(values[name], LONGEST.get(name)) for name in COLUMNS}


def job_of(row: Any) -> Job:  # a Row of SQLAlchemy 1.4 or 2.x
    """Return the job of a row with all columns."""
    values = dict(zip(COLUMNS, row, strict=True))
    return Job(**{**values, "state": JobState(values["state"])})


def truncate(job: Job) -> Job:
    """Return a listed job with a note in place of what is too long for a list."""
    longest = LONGEST_LISTED["command"]
    if len(job.command) > longest:
        job = replace(job, command=f"{job.command[:longest]} ...")
    if len(job.arguments) > LONGEST_LISTED["arguments"]:
        job = replace(job, arguments=json.dumps({"...": "too long for a list; ask for the job itself"}))
    return job
