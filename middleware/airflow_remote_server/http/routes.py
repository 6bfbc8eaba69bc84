"""The routes of the API, below its prefix."""

from __future__ import annotations

from werkzeug.routing import Rule

ROUTES = (
    Rule("/", endpoint="page", methods=["GET"]),
    Rule("/static/<name>", endpoint="static", methods=["GET"]),
    Rule("/static/<string(length=16):version>/<name>", endpoint="static", methods=["GET"]),
    Rule("/api/v1.0", endpoint="index", methods=["GET"]),
    Rule("/api/v1.0/health", endpoint="health", methods=["GET"]),
    Rule("/api/v1.0/openapi.json", endpoint="openapi", methods=["GET"]),
    Rule("/api/v1.0/jobs", endpoint="jobs", methods=["GET"]),
    Rule("/api/v1.0/jobs/<job_id>", endpoint="job", methods=["GET"]),
    Rule("/api/v1.0/jobs/<job_id>", endpoint="delete", methods=["DELETE"]),
    Rule("/api/v1.0/jobs/<job_id>/output", endpoint="output", methods=["GET"]),
    Rule("/api/v1.0/jobs/<job_id>/commands", endpoint="batch_commands", methods=["GET"]),
    Rule("/api/v1.0/jobs/<job_id>/files/<path:name>", endpoint="file", methods=["GET"]),
    Rule("/api/v1.0/jobs/<job_id>/stop", endpoint="stop", methods=["POST"]),
    Rule("/api/v1.0/whoami", endpoint="whoami", methods=["GET"]),
    Rule("/api/v1.0/audit", endpoint="audit", methods=["GET"]),
    Rule("/api/v1.0/commands", endpoint="commands", methods=["GET"]),
    Rule("/api/v1.0/commands/<path:words>", endpoint="command", methods=["GET", "POST"]),
    Rule("/api/v1.0/batch", endpoint="batch", methods=["POST"]),
    Rule("/api/v1.0/<name>", endpoint="classic", methods=["GET", "POST"]),
    Rule("/api", endpoint="legacy", methods=["GET", "POST"]),
)

PUBLIC = frozenset({"page", "static", "health"})
"""The routes that need no token. All others do, and so do paths that do not exist."""

RUNS_COMMANDS = frozenset({"classic", "command", "legacy"})
"""The routes that run a command. Whether a request to them changes anything depends on the command."""
