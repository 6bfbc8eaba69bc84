"""Prompts and progress bars, in a real terminal and without one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from airflow_remote.cli.progress import MIN_BYTES, bar
from airflow_remote.exit_status import ExitStatus
from client.program import Run
from client.responses import envelope, file_entries, job
from client.stub import FakeJob, Stub
from client.terminal import run_in_terminal

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


# Confirmation.


@pytest.mark.parametrize("answer", ["y", "yes", "Y"])
def test_yes_confirms(live: Stub, answer: str) -> None:
    with run_in_terminal("--url", live.url, "dags", "delete", "my_dag") as terminal:
        terminal.read_until("[y/N] ")
        assert terminal.screen == f"Run airflow dags delete my_dag on {live.url}? [y/N] "
        assert live.requests == []
        terminal.type(f"{answer}\n")
        assert terminal.wait() == (0, "1.7.0\n")
    assert live.request.arguments == {"dag_id": "my_dag", "yes": True}


@pytest.mark.parametrize("answer", ["n\n", "\n", "nonsense\n", "\x04"])
def test_other_answers_decline(live: Stub, answer: str) -> None:
    with run_in_terminal("--url", live.url, "dags", "delete", "my_dag") as terminal:
        terminal.read_until("[y/N] ")
        terminal.type(answer)
        assert terminal.wait() == (ExitStatus.FAILED, "")
        assert "airflow-remote: not confirmed; nothing was done" in terminal.screen
    assert live.requests == []


def test_ctrl_c_at_the_prompt_sends_nothing(live: Stub) -> None:
    with run_in_terminal("--url", live.url, "dags", "delete", "my_dag") as terminal:
        terminal.read_until("[y/N] ")
        terminal.type("\x03")
        assert terminal.wait() == (ExitStatus.INTERRUPTED, "")
        assert "airflow-remote: interrupted; no command was sent" in terminal.screen
    assert live.requests == []


def test_without_a_terminal_the_error_names_the_option(run: Run, live: Stub) -> None:
    completed = run("dags", "delete", "my_dag")
    assert (completed.status, live.requests) == (ExitStatus.USAGE, [])
    assert completed.message() == "airflow dags delete asks for confirmation: pass --yes"


@pytest.mark.parametrize("line", ["--yes", "-y", "--dry-run", "--dry-run --yes"])
def test_option_suppresses_the_prompt(run: Run, live: Stub, line: str) -> None:
    assert run("db", "clean", "--clean-before-timestamp", "2026-01-01", *line.split()).status == 0
    assert live.request.arguments.get("yes") is (True if "y" in line.replace("dry", "") else None)


def test_conditional_prompt_appears_only_with_its_option(run: Run, live: Stub) -> None:
    entry = next(command for command in live.catalog["commands"] if command["name"] == "dags delete")
    entry["confirm"] = {"argument": "yes", "when": ["verbose"], "unless": []}
    run("nothing-of-this-name")  # an unknown name refreshes the cached catalog
    assert run("dags", "delete", "my_dag").status == 0
    assert "pass --yes" in run("dags", "delete", "my_dag", "--verbose").message()


def test_refused_command_does_not_prompt(run: Run, live: Stub) -> None:
    entry = next(command for command in live.catalog["commands"] if command["name"] == "dags delete")
    entry["refused"] = "it is refused"
    run("nothing-of-this-name")
    assert run("dags", "delete", "my_dag").status == 0
    assert live.request.arguments == {"dag_id": "my_dag"}


# Secrets.


def test_new_password_is_prompted_twice_and_hidden(live: Stub) -> None:
    with run_in_terminal("--url", live.url, *CREATE) as terminal:
        terminal.read_until("Password: ")
        terminal.type("s3cret pass\n")
        terminal.read_until("Repeat for confirmation: ")
        terminal.type("s3cret pass\n")
        assert terminal.wait() == (0, "1.7.0\n")
        assert "s3cret" not in terminal.screen
    assert live.request.arguments["password"] == "s3cret pass"


def test_differing_passwords_are_not_sent(live: Stub) -> None:
    with run_in_terminal("--url", live.url, *CREATE) as terminal:
        terminal.read_until("Password: ")
        terminal.type("one\n")
        terminal.read_until("Repeat for confirmation: ")
        terminal.type("two\n")
        assert terminal.wait() == (ExitStatus.FAILED, "")
        assert "airflow-remote: the two values differ; nothing was done" in terminal.screen
    assert live.requests == []


@pytest.mark.parametrize(
    "line",
    ["c --conn-type http --conn-password", "--conn-password --conn-type http c"],
    ids=["last", "first"],
)
def test_secret_option_without_a_value_is_prompted_once(live: Stub, line: str) -> None:
    with run_in_terminal("--url", live.url, "connections", "add", *line.split()) as terminal:
        terminal.read_until("Conn password: ")
        terminal.type("s3cret\n")
        assert terminal.wait() == (0, "1.7.0\n")
        assert "s3cret" not in terminal.screen
        assert "Repeat" not in terminal.screen
    expected = {"conn_id": "c", "conn_type": "http", "conn_password": "s3cret"}
    assert live.request.arguments == expected


@pytest.mark.parametrize("line", ["--password x", "--use-random-password"])
def test_known_password_is_not_prompted(run: Run, live: Stub, line: str) -> None:
    assert run(*CREATE, *line.split()).status == 0
    assert len(live.request.arguments) == 6


@pytest.mark.parametrize("line", [CREATE, ["connections", "add", "c", "--conn-password"]], ids=" ".join)
def test_missing_secret_without_a_terminal_is_a_usage_error(run: Run, live: Stub, line: list[str]) -> None:
    completed = run(*line)
    assert (completed.status, live.requests) == (ExitStatus.USAGE, [])
    assert "password: there is no terminal to prompt for it" in completed.message()


# Large files.


def test_only_large_uploads_have_a_progress_bar(live: Stub, tmp_path: Path) -> None:
    for size in (MIN_BYTES + 1, MIN_BYTES):
        live.requests.clear()
        (tmp_path / "vars.json").write_bytes(os.urandom(size))
        with run_in_terminal(
            "--url", live.url, "variables", "import", str(tmp_path / "vars.json")
        ) as terminal:
            assert terminal.wait() == (0, "1.7.0\n")
            assert ("Sending vars.json" in terminal.screen) == (size > MIN_BYTES)
            assert ("100%" in terminal.screen) == (size > MIN_BYTES)
        assert live.request.files["file"] == ("vars.json", (tmp_path / "vars.json").read_bytes())


def test_large_download_has_a_progress_bar(live: Stub, tmp_path: Path) -> None:
    content = os.urandom(MIN_BYTES + 1)
    live.job = FakeJob(files={"out.json": content})
    live.respond(envelope(stdout="", job=job(), files=file_entries({"out.json": content})))
    with run_in_terminal("--url", live.url, "variables", "export", str(tmp_path / "out.json")) as terminal:
        assert terminal.wait() == (0, "")
        assert "Fetching out.json" in terminal.screen
        assert "100%" in terminal.screen
    assert (tmp_path / "out.json").read_bytes() == content


def test_no_progress_bar_without_a_terminal(run: Run, live: Stub, tmp_path: Path) -> None:
    (tmp_path / "vars.json").write_bytes(os.urandom(MIN_BYTES + 1))
    assert run("variables", "import", str(tmp_path / "vars.json")).err == ""


def test_progress_bar_passes_every_block() -> None:
    assert list(bar("x", MIN_BYTES + 1, [b"a", b"", b"b"])) == [b"a", b"", b"b"]
