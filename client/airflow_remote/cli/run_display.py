"""Show a DAG run while it is watched: a line for each change, or a live table on a terminal."""

from __future__ import annotations

import re
import shutil
import sys
import time
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_remote.api.run_watch import changed_tasks, has_ended
from airflow_remote.cli import console
from airflow_remote.cli.live_table import LiveBlock, can_draw, paint
from airflow_remote.cli.run_texts import describe_task, duration_of, summarize, task_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Run = Mapping[str, Any]

FRAME_SECONDS = 1.0
"""How often the durations of a live table are drawn again."""

COLOR_OF = {
    "success": "green",
    "failed": "red",
    "upstream_failed": "yellow",
    "up_for_retry": "yellow",
    "running": "cyan",
    "skipped": "dim",
}
MARK_OF = {"success": "+", "failed": "x", "running": ">", "up_for_retry": "!", "upstream_failed": "!"}
ORDER = ("running", "failed", "up_for_retry", "deferred", "queued", "scheduled", "upstream_failed")
"""The states of tasks that are shown first if not all tasks fit."""

CONTROLS = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)
"""Control characters other than tabs and line feeds, and sequences that begin with them."""


def clean_lines(text: str) -> list[str]:
    """Return the lines of a log without control characters, which would garble the table."""
    return CONTROLS.sub("", text).removesuffix("\n").split("\n")


class RunDisplay:
    """Prints a line for each task whose state has changed.

    :param write: prints these lines
    :param write_log: prints lines of logs
    """

    def __init__(self, write: Callable[[str], None], write_log: Callable[[str], None]) -> None:
        self._write = write
        self._write_log = write_log
        self._before: Run | None = None

    def show(self, run: Run) -> None:
        """Show what has changed.

        :param run: the run as it is now, with its tasks
        """
        moment = f"{datetime.now():%H:%M:%S}"
        lines = []
        if self._before is None or self._before["state"] != run["state"]:
            lines += [] if has_ended(run) else [f"run {run['run_id']}: {run['state']}"]
        lines += [f"{task_name(task)}: {describe_task(task)}" for task in changed_tasks(self._before, run)]
        self._write("".join(f"{moment}  {console.one_line(line)}\n" for line in lines))
        self._before = run

    def show_log(self, task: Mapping[str, Any], text: str) -> None:
        """Print lines of a log, each headed by its task.

        :param task: a task of the run
        :param text: whole lines
        """
        head = task_name(task)
        self._write_log("".join(f"{head} | {line}\n" for line in clean_lines(text)))

    def note(self, line: str) -> None:
        """Print a message of the program."""
        console.note(line)

    def pause(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    def end(self, run: Run) -> None:
        """Print how the run has ended.

        :param run: the run at its end
        """
        self._write(f"{summarize(run)}\n")


class LiveRunDisplay(RunDisplay):
    """Shows a table of the tasks on a terminal; logs and messages are printed above it."""

    def __init__(self, write: Callable[[str], None], write_log: Callable[[str], None]) -> None:
        super().__init__(write, write_log)
        self._block = LiveBlock(write)

    def show(self, run: Run) -> None:
        """Draw the table."""
        self._before = run
        self._block.draw(table(run, shutil.get_terminal_size().lines - 1))

    def show_log(self, task: Mapping[str, Any], text: str) -> None:
        """Print lines of a log above the table."""
        self._block.erase()
        super().show_log(task, text)
        self._redraw()

    def note(self, line: str) -> None:
        """Print a message above the table."""
        self._block.erase()
        super().note(line)
        self._redraw()

    def pause(self, seconds: float) -> None:
        """Wait, and keep the durations up to date."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, FRAME_SECONDS))
            self._redraw()

    def end(self, run: Run) -> None:
        """Leave the table as it is at the end, with all tasks, and print how the run has ended."""
        self._block.erase()
        self._write("".join(f"{line}\n" for line in table(run, len(run["tasks"]) + 1)))
        super().end(run)

    def _redraw(self) -> None:
        if self._before is not None:
            self.show(self._before)


def table(run: Run, height: int) -> list[str]:
    """Return the lines of a table of the tasks.

    :param run: the run, with its tasks
    :param height: the maximum number of lines
    """
    tasks = list(run["tasks"])
    room = max(height - 2, 1)
    rest: Counter[str] = Counter()
    if len(tasks) + 1 > height:
        rank = {state: position for position, state in enumerate(ORDER)}
        chosen = sorted(range(len(tasks)), key=lambda index: rank.get(tasks[index]["state"], len(rank)))[
            :room
        ]
        rest.update(str(task["state"] or "not started") for i, task in enumerate(tasks) if i not in chosen)
        tasks = [tasks[index] for index in sorted(chosen)]
    width = max((len(task_name(task)) for task in tasks), default=0)
    head = console.one_line(f"{run['dag_id']}  {run['run_id']}  {run['state']}  {duration_of(run)}")
    lines = [paint(head, COLOR_OF.get(run["state"], ""))]
    for task in tasks:
        state = task["state"] or ""
        running = f" for {duration_of(task)}" if state == "running" and duration_of(task) else ""
        row = f"  {MARK_OF.get(state, '-')} {task_name(task):{width}}  {describe_task(task)}{running}"
        lines.append(paint(row, COLOR_OF.get(state, "")))
    if rest:
        counts = ", ".join(f"{count} {state}" for state, count in rest.most_common())
        lines.append(f"  ... and {console.one_line(counts)}")
    return lines


def make_display(to_stderr: bool, logs_to_stderr: bool, live: bool) -> RunDisplay:
    """Return the display for a stream.

    :param to_stderr: whether states are printed to standard error instead of standard output
    :param logs_to_stderr: the same for logs
    :param live: whether to show a table if the stream is a terminal
    """
    stream = sys.stderr if to_stderr else sys.stdout
    kind = LiveRunDisplay if live and can_draw(stream) else RunDisplay
    return kind(
        console.to_stderr if to_stderr else console.to_stdout,
        console.to_stderr if logs_to_stderr else console.to_stdout,
    )
