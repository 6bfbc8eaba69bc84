"""The message of a failed command is one line that gives its reason."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_remote_server.execution.messages import (
    MAX_LENGTH,
    choose_message,
    is_log_line,
    last_line,
    last_paragraph,
)
from airflow_remote_server.execution.outcome import Outcome

LOGGED = [
    "[2026-11-27T17:19:31.282+0000] {settings.py:775} INFO - Loaded x",
    "[2026-11-27 17:19:31,282] {dagbag.py:545} ERROR - Failed to import: /x.py",
    "2026-11-27T17:19:45.743881Z [info     ] Loaded x . [airflow.settings] loc=settings.py:800",
    "\x1b[2m2026-11-27T17:19:45.743881Z\x1b[0m [\x1b[32m\x1b[1minfo     \x1b[0m] \x1b[1mLoaded\x1b[0m",
    '{"timestamp": "2026-11-27T17:19:45Z", "level": "debug", "event": "Loaded x", "logger": "x"}',
    '{"asctime": "2026-11-27", "levelname": "DEBUG", "message": "Loaded x"}',
    "WARNING:root:x",
    "/lib/airflow/x.py:219 FutureWarning: x",
    "/lib/airflow/x.py:219: UserWarning: x",
]


def failed(message: str = "", code: int = 1) -> Outcome:
    return Outcome(code, (("SystemExit",),), message=message)


@pytest.mark.parametrize("line", LOGGED)
def test_log_line_is_no_message(line: str) -> None:
    assert last_line(f"the reason\n{line}\n{line}\n") == "the reason"
    assert choose_message(failed(), "", f"{line}\n") in ("", "Failed to import: /x.py")


def test_exception_comes_before_stdout_and_stderr() -> None:
    assert choose_message(failed("one\ntwo"), "out", "err") == "one"
    assert choose_message(failed(), "out\n", "err") == "out"
    assert choose_message(failed(), '[{"a": 1}]\n', "err\n") == "err"
    assert choose_message(failed(), "", "") == ""


def test_help_of_the_parser_is_no_message() -> None:
    help_text = "usage: airflow dags trigger\n\noptions:\n  -v, --verbose\n"
    assert choose_message(failed(code=2), help_text, "error: invalid date\n") == "error: invalid date"


def test_source_line_of_a_warning_is_no_message() -> None:
    assert last_line("the reason\n/x.py:1: UserWarning: x\n  warnings.warn(\n") == "the reason"


def test_last_error_in_the_log_is_the_last_resort() -> None:
    log = '{"level": "error", "event": "no broker"}\n{"level": "info", "event": "bye"}\n'
    assert choose_message(failed(), "", log) == "no broker"
    log = "2026-11-27T17:19:45Z [error    ] no broker [x]\n2026-11-27T17:19:45Z [info     ] bye [x]\n"
    assert choose_message(failed(), "", log) == "no broker [x]"


def test_paragraph_of_stdout() -> None:
    text = "Retrieving connection: 'c'\n\nTesting...\n\nConnection failed!\nno route to host\n\n"
    assert last_paragraph(text) == "Connection failed! no route to host"
    assert last_paragraph("a\nb\nc\nd\n") == "d"


@given(st.text(), st.text(), st.text(), st.integers(1, 255))
def test_message_is_one_line_of_limited_length(message: str, stdout: str, stderr: str, code: int) -> None:
    text = choose_message(failed(message, code), stdout, stderr)
    assert len(text.splitlines()) <= 1
    assert len(text) <= MAX_LENGTH


@given(st.text())
def test_every_line_is_a_log_line_or_not(line: str) -> None:
    assert is_log_line(line) in (True, False)


DATE = "the DAG has a run with this logical date already: give another date, or clear that run"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "(sqlite3.IntegrityError) UNIQUE constraint failed: dag_run.dag_id, dag_run.logical_date\n[SQL:",
            DATE,
        ),
        (
            '(UniqueViolation) duplicate key violates unique constraint "dag_run_dag_id_logical_date_key"\n'
            "DETAIL:  Key (dag_id, logical_date)=(a, 2022-02-02 00:00:00+00) already exists.\n\n[SQL: x",
            DATE,
        ),
        (
            "(1062, \"Duplicate entry 'a-2022' for key 'dag_run.dag_run_dag_id_logical_date_key'\")",
            DATE,
        ),
        (
            "(sqlite3.IntegrityError) UNIQUE constraint failed: slot_pool.pool",
            "there is a row with the same pool in the table slot_pool already",
        ),
        (
            '(UniqueViolation) duplicate key violates unique constraint "x_key"\n[parameters: y]',
            "there is a row with the same values of the key x_key already",
        ),
    ],
)
def test_unique_constraint_is_told_in_a_sentence(text: str, expected: str) -> None:
    assert choose_message(failed(text), "", "") == expected


def test_reason_why_a_file_cannot_be_parsed() -> None:
    text = (
        "Failed to load the secret file.\nFilename: /x/upload-c.json\n\n"
        "==================== Parse error   1 ====================\nExpecting value\nLine number:  3\n"
    )
    assert (
        choose_message(failed(text), "", "")
        == "Failed to load the secret file. Expecting value Line number: 3"
    )
