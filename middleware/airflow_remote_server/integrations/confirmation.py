"""Let a command ask its question, and end it before it does anything.

Airflow's commands print what they are about to change, such as the tasks to clear, and then read the answer
with ``input``, directly or in ``airflow.utils.helpers.ask_yesno``. A test fails if a command that asks reads
the answer in another way.
"""

from __future__ import annotations

import builtins

NOTHING_DONE = "the command asks for confirmation, so nothing was done: give yes to run it"


class QuestionAsked(BaseException):
    """Ends a command that has asked its question. No handler for ordinary exceptions catches it."""


def end_at_question() -> None:
    """Make this process end its command as soon as it waits for an answer."""

    def show_question(prompt: object = "", /) -> str:
        print(prompt, flush=True)
        raise QuestionAsked

    builtins.input = show_question
