"""Run commands, each in a process of its own.

Every command is a job with a private directory (``spool``). A ``supervisor`` forks a process for it, enforces
its limits and records its end. The fork server, which has imported Airflow, is one; a cold supervisor, which
has not, runs commands without a fork server. A command continues even if the client, the web worker that
received the request, or the supervisor ends.
"""
