"""Names and summaries of the client's own commands."""

from __future__ import annotations

from airflow_remote.catalog.classic import normalize

JOB = "job"

JOB_SUMMARY = "List jobs on the server; show, follow, wait for or stop a job"
"""Every command runs as a job. ``job`` is not an endpoint: it manages the jobs that endpoints started."""

BATCH = "batch"
BATCH_SUMMARY = "Run the commands of a file in one request"

TOKEN = "token"  # noqa: S105 (a name)
ACCESS = {
    "audit": "Show the server's audit log",
    "can-i": "Check whether the token may run a command",
    TOKEN: "Create a token for the server's tokens file",
    "whoami": "Show the token's identity and permissions",
}
"""Commands for access and tokens; not endpoints either."""

OWN = {normalize(name): name for name in (BATCH, JOB, *ACCESS)}
"""All of the client's own commands, by their normalized names."""
