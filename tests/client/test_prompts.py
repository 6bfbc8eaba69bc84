"""What a command would ask on the server is asked here: in a real terminal, and where there is none."""

from __future__ import annotations

import os

import pytest
from contract import commands
from stub import FakeJob, envelope, files_of, job
from terminal import terminal

from airflow_remote.exit_status import ExitStatus
from airflow_remote.progress import LEAST_BYTES, bar

CREATE = [
    "users",
    "create",
    "-u",
    "ann",
    "-r",
    "Admin",
    "-e",
    "ann@example.com",
    "-f",
    "Ann",
    "-l",
    "Example",
]


@pytest.fixture
def live(stub, run):
    """A server with live commands."""
    stub.catalogue = commands()
    run("--help")
    return stub


# Whether to act.


@pytest.mark.parametrize("answer", ["y", "yes", "Y"])
def test_yes_is_sent_when_that_is_the_answer(live, answer):
    with terminal("--url", live.url, "dags", "delete", "my_dag") as shown:
        shown.until("[y/N] ")
        assert shown.shown == f"Run airflow dags delete my_dag on {live.url}? [y/N] "
        assert live.requests == []
        shown.type(f"{answer}\n")
        assert shown.end() == (0, "1.7.0\n")
    assert live.request.arguments == {"dag_id": "my_dag", "yes": True}


@pytest.mark.parametrize("answer", ["n\n", "\n", "nonsense\n", "\x04"])
def test_any_other_answer_is_no_and_nothing_is_sent(live, answer):
    with terminal("--url", live.url, "dags", "delete", "my_dag") as shown:
        shown.until("[y/N] ")
        shown.type(answer)
        assert shown.end() == (ExitStatus.FAILED, "")
        assert "airflow-remote: not confirmed; nothing was done" in shown.shown
    assert live.requests == []


def test_ctrl_c_at_the_question_sends_nothing(live):
    with terminal("--url", live.url, "dags", "delete", "my_dag") as shown:
        shown.until("[y/N] ")
        shown.type("\x03")
        assert shown.end() == (ExitStatus.INTERRUPTED, "")
        assert "airflow-remote: interrupted; nothing was sent to be run" in shown.shown
    assert live.requests == []


def test_without_a_terminal_it_says_what_to_pass(run, live):
    ended = run("dags", "delete", "my_dag")
    assert (ended.status, live.requests) == (ExitStatus.USAGE, [])
    assert ended.says() == "airflow dags delete asks before it acts: pass --yes"


@pytest.mark.parametrize("line", ["--yes", "-y", "--dry-run", "--dry-run --yes"])
def test_what_answers_it_or_does_nothing_is_not_asked_about(run, live, line):
    assert run("db", "clean", "--clean-before-timestamp", "2026-01-01", *line.split()).status == 0
    assert live.request.arguments.get("yes") is (True if "y" in line.replace("dry", "") else None)


def test_what_asks_only_with_an_option_is_asked_about_only_then(run, live):
    entry = next(one for one in live.catalogue["commands"] if one["name"] == "dags delete")
    entry["confirm"] = {"argument": "yes", "when": ["verbose"], "unless": []}
    run("nothing-of-this-name")  # asks for the catalogue anew
    assert run("dags", "delete", "my_dag").status == 0
    assert "pass --yes" in run("dags", "delete", "my_dag", "--verbose").says()


def test_what_the_server_refuses_is_not_asked_about(run, live):
    entry = next(one for one in live.catalogue["commands"] if one["name"] == "dags delete")
    entry["refused"] = "it is refused"
    run("nothing-of-this-name")
    assert run("dags", "delete", "my_dag").status == 0
    assert live.request.arguments == {"dag_id": "my_dag"}


# Secrets.


def test_a_new_password_is_asked_for_twice_and_not_shown(live):
    with terminal("--url", live.url, *CREATE) as shown:
        shown.until("Password: ")
        shown.type("s3cret pass\n")
        shown.until("Repeat for confirmation: ")
        shown.type("s3cret pass\n")
        assert shown.end() == (0, "1.7.0\n")
        assert "s3cret" not in shown.shown
    assert live.request.arguments["password"] == "s3cret pass"


def test_two_that_differ_are_sent_nowhere(live):
    with terminal("--url", live.url, *CREATE) as shown:
        shown.until("Password: ")
        shown.type("one\n")
        shown.until("Repeat for confirmation: ")
        shown.type("two\n")
        assert shown.end() == (ExitStatus.FAILED, "")
        assert "airflow-remote: the two are not the same; nothing was done" in shown.shown
    assert live.requests == []


@pytest.mark.parametrize(
    "line",
    ["c --conn-type http --conn-password", "--conn-password --conn-type http c"],
    ids=["last", "first"],
)
def test_a_secret_option_without_a_value_is_asked_for_once(live, line):
    with terminal("--url", live.url, "connections", "add", *line.split()) as shown:
        shown.until("Conn password: ")
        shown.type("s3cret\n")
        assert shown.end() == (0, "1.7.0\n")
        assert "s3cret" not in shown.shown
        assert "Repeat" not in shown.shown
    expected = {"conn_id": "c", "conn_type": "http", "conn_password": "s3cret"}
    assert live.request.arguments == expected


@pytest.mark.parametrize("line", ["--password x", "--use-random-password"])
def test_a_password_that_is_given_or_made_is_not_asked_for(run, live, line):
    assert run(*CREATE, *line.split()).status == 0
    assert len(live.request.arguments) == 6


@pytest.mark.parametrize("line", [CREATE, ["connections", "add", "c", "--conn-password"]], ids=" ".join)
def test_without_a_terminal_a_secret_has_to_be_given(run, live, line):
    ended = run(*line)
    assert (ended.status, live.requests) == (ExitStatus.USAGE, [])
    assert "password with a value: there is no terminal to ask for it" in ended.says()


# Large files.


def test_a_large_file_has_a_bar_in_a_terminal_and_a_small_one_has_none(live, tmp_path):
    for size in (LEAST_BYTES + 1, LEAST_BYTES):
        live.requests.clear()
        (tmp_path / "vars.json").write_bytes(os.urandom(size))
        with terminal("--url", live.url, "variables", "import", str(tmp_path / "vars.json")) as shown:
            assert shown.end() == (0, "1.7.0\n")
            assert ("Sending vars.json" in shown.shown) == (size > LEAST_BYTES)
            assert ("100%" in shown.shown) == (size > LEAST_BYTES)
        assert live.request.files["file"] == ("vars.json", (tmp_path / "vars.json").read_bytes())


def test_a_large_file_that_is_fetched_has_a_bar_too(live, tmp_path):
    content = os.urandom(LEAST_BYTES + 1)
    live.job = FakeJob(files={"out.json": content})
    live.answer(envelope(stdout="", job=job(), files=files_of({"out.json": content})))
    with terminal("--url", live.url, "variables", "export", str(tmp_path / "out.json")) as shown:
        assert shown.end() == (0, "")
        assert "Fetching out.json" in shown.shown
        assert "100%" in shown.shown
    assert (tmp_path / "out.json").read_bytes() == content


def test_without_a_terminal_there_is_no_bar(run, live, tmp_path):
    (tmp_path / "vars.json").write_bytes(os.urandom(LEAST_BYTES + 1))
    assert run("variables", "import", str(tmp_path / "vars.json")).err == ""


def test_a_bar_passes_on_every_block():
    assert list(bar("x", LEAST_BYTES + 1, [b"a", b"", b"b"])) == [b"a", b"", b"b"]
