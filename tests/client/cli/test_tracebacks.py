"""A traceback that a command prints is shown as its last line."""

from __future__ import annotations

import traceback
from typing import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_remote.cli.tracebacks import MAX_MESSAGE_LINES, TracebackFolder
from client.program import PATIENCE, Run, Start
from client.raw_stub import LiveStub
from client.responses import JOB_ID, STARTED, event, finished_event, job, output_event
from client.stub import FakeJob, Stub

SIMPLE = (
    'Traceback (most recent call last):\n  File "a.py", line 1, in <module>\n    f()\nValueError: no such f\n'
)
CAUSE = "\nThe above exception was the direct cause of the following exception:\n\n"
GROUP = """\
  + Exception Group Traceback (most recent call last):
  |   File "a.py", line 1, in <module>
  |     raise ExceptionGroup("two", [ValueError(1), error])
  | ExceptionGroup: two (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | ValueError: 1
    +---------------- 2 ----------------
    | Traceback (most recent call last):
    |   File "a.py", line 2, in <module>
    |     raise TypeError(2)
    | TypeError: 2
    +------------------------------------
"""
SQL = SIMPLE.replace("ValueError: no such f", "IntegrityError: not unique\n[SQL: INSERT]\n[parameters: (1,)]")
INDENTED = "".join(f"    {line}\n" for line in SIMPLE.splitlines())

TEXTS = {
    "no traceback": ("a\nTraceback\nb", "a\nTraceback\nb"),
    "a traceback": (SIMPLE, "ValueError: no such f\n"),
    "text around it": (f"a\n{SIMPLE}b\n\nc", "a\nValueError: no such f\nb\n\nc"),
    "two of them": (SIMPLE * 2, "ValueError: no such f\n" * 2),
    "a chain": (f"{SIMPLE}{CAUSE}{SIMPLE.replace('no', 'any')}", "ValueError: any such f\n"),
    "an exception group": (f"a\n{GROUP}b", "a\nExceptionGroup: two (2 sub-exceptions)\nb"),
    "a chain with a group": (f"{SIMPLE}{CAUSE}{GROUP}", "ExceptionGroup: two (2 sub-exceptions)\n"),
    "the statement of a database": (f"{SQL}b", "IntegrityError: not unique\nb"),
    "one that is indented": (f"a\n{INDENTED}b", "a\n    ValueError: no such f\nb"),
    "one that is cut off": (SIMPLE[:60], '  File "a.py", line 1, in'),
    "a chain that is cut off": (f"{SIMPLE}{CAUSE}", "ValueError: no such f\n"),
    "a title alone": ("Traceback (most recent call last):\n", ""),
}


def fold(text: str, size: int = 1 << 20) -> str:
    """Fold a text that arrives in pieces of a size."""
    folder = TracebackFolder()
    shown = [folder.feed(text[start : start + size]) for start in range(0, len(text), size)]
    return "".join(shown) + folder.finish()


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize(("text", "expected"), TEXTS.values(), ids=TEXTS)
def test_traceback_becomes_its_last_line(text: str, expected: str, size: int) -> None:
    assert fold(text, size) == expected


def raise_simply(message: str) -> None:
    raise ValueError(message)


def raise_from(message: str) -> None:
    try:
        raise_simply("the\n\ncause")
    except ValueError as error:
        raise KeyError(message) from error


def raise_while_handling(message: str) -> None:
    try:
        raise_from("the context")
    except KeyError:
        raise OSError(message)  # noqa: B904 - without a cause


@pytest.mark.parametrize("function", [raise_simply, raise_from, raise_while_handling])
@given(
    message=st.text(st.characters(codec="ascii", categories=["L", "N", "P", "Zs"]), min_size=1),
    size=st.integers(1, 99),
)
def test_last_line_of_a_real_traceback_remains(
    function: Callable[[str], None], message: str, size: int
) -> None:
    try:
        function(message)
    except Exception as error:  # noqa: BLE001 - any
        printed = traceback.format_exc()
        [last] = traceback.format_exception_only(type(error), error)
    assert fold(f"before\n{printed}after\n", size) == f"before\n{last}after\n"


@given(
    st.lists(
        st.sampled_from([*SIMPLE.splitlines(True), *GROUP.splitlines(True), CAUSE, "\n", "text\n", " x"])
    ),
    st.integers(1, 30),
)
def test_result_does_not_depend_on_how_a_text_arrives(lines: list[str], size: int) -> None:
    text = "".join(lines)
    assert fold(text, size) == fold(text)


@given(st.text(st.sampled_from("Trace \n|+a")), st.integers(1, 30))
def test_text_without_a_traceback_is_kept(text: str, size: int) -> None:
    assert fold(text, size) == text


def test_text_without_a_traceback_is_shown_at_once() -> None:
    folder = TracebackFolder()
    assert [folder.feed("a"), folder.feed("b\nTr"), folder.feed("y\n")] == ["a", "b\n", "Try\n"]


def test_log_line_after_a_traceback_is_shown_at_once() -> None:
    shown = TracebackFolder().feed(f"{SIMPLE}[2026-01-01T00:00:00] INFO\n")
    assert shown == "ValueError: no such f\n[2026-01-01T00:00:00] INFO\n"


def test_other_text_after_a_traceback_is_shown_after_some_lines() -> None:
    assert TracebackFolder().feed(SIMPLE + "text\n" * MAX_MESSAGE_LINES).count("text") == 0
    assert TracebackFolder().feed(SIMPLE + "text\n" * 2 * MAX_MESSAGE_LINES).count("text") > MAX_MESSAGE_LINES


# In the program.

FAILED = {"status": "ERROR", "output": "no such f", "exit_code": 1, "http_response_code": 422}
WHERE = f"airflow-remote: to see the traceback: airflow-remote job output {JOB_ID} --stream stderr\n"


def test_program_shows_the_last_line_and_where_the_traceback_is(run: Run, stub: Stub) -> None:
    stub.stream(
        STARTED,
        output_event("out\n"),
        output_event(SIMPLE[:50], "stderr"),
        output_event(SIMPLE[50:], "stderr"),
        finished_event(**FAILED, stdout="out\n", stderr=SIMPLE, job=job()),
    )
    completed = run("version")
    assert (completed.status, completed.out) == (1, "out\n")
    assert completed.err == f"ValueError: no such f\n{WHERE}"


def test_message_that_is_not_in_the_last_line_is_shown(run: Run, stub: Stub) -> None:
    failed = {**FAILED, "output": "File"}
    stub.stream(STARTED, output_event(SIMPLE, "stderr"), finished_event(**failed, stderr=SIMPLE, job=job()))
    assert run("version").err == f"ValueError: no such f\n{WHERE}airflow-remote: File\n"


def test_verbose_shows_the_traceback(run: Run, stub: Stub) -> None:
    stub.stream(STARTED, output_event(SIMPLE, "stderr"), finished_event(**FAILED, stderr=SIMPLE, job=job()))
    completed = run("--verbose", "version")
    assert (completed.status, completed.err) == (1, SIMPLE)


def test_json_has_the_traceback(run: Run, stub: Stub) -> None:
    stub.stream(STARTED, output_event(SIMPLE, "stderr"), finished_event(**FAILED, stderr=SIMPLE, job=job()))
    assert "most recent call last" in run("--json", "version").out


def test_waiting_for_a_job_shows_the_last_line_and_its_output_is_whole(run: Run, stub: Stub) -> None:
    stub.job = FakeJob(b"", SIMPLE.encode(), {"state": "failed", "exit_code": 1, "message": "no such f"})
    completed = run("job", "wait", JOB_ID)
    assert (completed.status, completed.err) == (1, f"ValueError: no such f\n{WHERE}")
    assert run("job", "output", JOB_ID, "--stream", "stderr").out == SIMPLE


def test_text_before_and_after_a_traceback_is_shown_while_the_command_runs(
    live_stub: LiveStub, start: Start
) -> None:
    process = start("--url", live_stub.url, "version")
    later = "2026-01-01 00:00 later\n"
    live_stub.send(STARTED + output_event(f"a\n{SIMPLE}{later}", "stderr"))
    assert process.stderr is not None
    expected = f"a\nValueError: no such f\n{later}".encode()
    assert process.stderr.read(len(expected)) == expected
    live_stub.send(event(event="finished", envelope=None))
    live_stub.close()
    process.communicate(timeout=PATIENCE)
