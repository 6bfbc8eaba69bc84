"""Environment variables of the programs that the tests start."""

from __future__ import annotations

import os


def environment_without_airflow(**variables: str) -> dict[str, str]:
    """Return this process's environment without Airflow's variables, and with those that are given.

    The settings of a developer's own Airflow must not reach the programs that the tests start.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    return {**inherited, **variables}
