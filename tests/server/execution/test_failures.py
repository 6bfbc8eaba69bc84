from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_remote_server.execution.failures import classify
from airflow_remote_server.execution.messages import last_line
from airflow_remote_server.execution.outcome import Outcome

NOT_FOUND = ("DagNotFound", "AirflowNotFoundException", "AirflowException", "Exception", "BaseException")


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [
        (Outcome(1, (NOT_FOUND,), "airflow.x.y", False, "m"), "NotFound"),
        (Outcome(1, (("SystemExit",), ("NoResultFound",)), "airflow.x.y", False, "m"), "NotFound"),
        (Outcome(1, (("DagRunAlreadyExists", "AirflowBadRequest"),), "", False, "m"), "Conflict"),
        (Outcome(1, (("JSONDecodeError", "ValueError"),), "", False, "m"), "BadArguments"),
        (Outcome(1, (("ValueError",),), "", False, "m"), "BadArguments"),
        (Outcome(1, (("UnicodeDecodeError", "ValueError"),), "", False, "m"), "CommandFailed"),
        (Outcome(2, (("SystemExit",),), "argparse.exit", False, ""), "BadArguments"),
        (Outcome(2, (("SystemExit",),), "unusual.dag", True, ""), "CommandFailed"),
        (Outcome(1, (NOT_FOUND,), "airflow.x.y", True, "m"), "CommandFailed"),
        (Outcome(1, (("AirflowException",),), "airflow.utils.cli.get_dag", False, "m"), "NotFound"),
        (Outcome(1, (("AirflowException",),), "airflow.utils.cli.other", False, "m"), "CommandFailed"),
        (Outcome(1, (("SystemExit",), ("KeyError",)), "x.variables_get", False, "m"), "CommandFailed"),
        (Outcome(1, (("error",),), "re._parser.parse", False, "missing )"), "BadArguments"),
        (Outcome(1, (("error",),), "zlib.x", False, "m"), "CommandFailed"),
        (Outcome(3), "CommandFailed"),
        (Outcome(-9), "CommandFailed"),
        (Outcome(-40), "CommandFailed"),
    ],
)
def test_class_of_the_exception_determines_the_error(outcome: Outcome, kind: str) -> None:
    assert classify(outcome, "", "").kind == kind


@given(st.text(), st.integers(-70, 255).filter(bool))
def test_message_is_one_line(text: str, exit_code: int) -> None:
    message = classify(Outcome(exit_code, message=text), text, text).message
    assert message
    assert len(message.splitlines()) == 1


def test_message_does_not_contain_the_sql_statement_and_its_parameters() -> None:
    text = "(sqlite3.IntegrityError) UNIQUE constraint failed\n[SQL: INSERT]\n[parameters: ('hunter2',)]\n"
    message = classify(Outcome(1, (("IntegrityError",),), message=text), "", "").message
    assert message == "(sqlite3.IntegrityError) UNIQUE constraint failed"


def test_link_after_a_message_of_sqlalchemy_is_skipped() -> None:
    text = "a\nUNIQUE constraint failed\n(Background on this error at: https://sqlalche.me/e/20/gkpj)\n"
    assert last_line(text) == "UNIQUE constraint failed"
