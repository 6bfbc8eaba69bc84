"""Show where a request for a command spends its time.

Its job records when it was created, when its command started, and when that ended. The client adds when it
sent the request and received the answer; all clocks are those of one machine.
"""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

from commands import COMMANDS
from report import Result, table

if TYPE_CHECKING:
    from commands import Command
    from report import Effort
    from servers import Client, Server

TITLES = ("version", "variables list", "dags pause", "dags trigger")
PHASES = ("request to job", "job to start", "the command", "end to answer")

EXPLANATION = """
The first phase is the work of the web worker until the job exists: it checks the token, the arguments, and
the permissions. The second adds the job to the store, and hands it to a process. The third is Airflow's own
code in that process. The fourth records the end, reads the output, and answers.
"""


def measure(server: Server, effort: Effort) -> Result:
    """Measure the phases of some commands, and return a table with an explanation."""
    client, rows = server.client(), []
    figures: dict[str, float] = {}
    for command in (each for each in COMMANDS if each.title in TITLES):
        samples = [profile(server, client, command) for _ in range(effort.requests + 1)][1:]
        phases = [statistics.median(values) for values in zip(*samples, strict=True)]
        rows.append([f"`{command.title}`", *(f"{1000 * phase:.1f} ms" for phase in phases)])
        figures |= {f"{command.title}: {name}": value for name, value in zip(PHASES, phases)}
    return Result(table(["medians", *PHASES], rows) + "\n" + EXPLANATION.rstrip(), figures)


def profile(server: Server, client: Client, command: Command) -> list[float]:
    """Run a command, and return the seconds of its phases."""
    began = time.time()
    answer = client.fetch(command.method, command.endpoint, command.arguments)
    answered = time.time()
    columns = (
        "SELECT created, started, ended FROM airflow_remote_job WHERE id = ?"  # the API shows milliseconds
    )
    with server.store() as store:
        moments = store.execute(columns, (answer["job"]["id"],)).fetchone()
    moments = (began, *moments, answered)
    return [after - before for before, after in zip(moments, moments[1:])]
