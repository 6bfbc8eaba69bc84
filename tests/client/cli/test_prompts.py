"""Prompts and progress bars, in a real terminal and without one."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from airflow_remote.catalog.models import Catalog
from airflow_remote.cli.confirmation import show_line
from airflow_remote.cli.progress import MIN_BYTES, bar
from airflow_remote.exit_status import ExitStatus
from client.program import Run
from client.responses import envelope, file_entries, job, json_response
from client.stub import FakeJob, Stub
from client.terminal import run_in_terminal

CONTRACT = Path(__file__).parents[2] / "contract"
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


@pytest.fixture
def older(run: Run, live: Stub) -> Stub:
    """Return the stub of an older server, which cannot say what a command would ask."""
    for command in live.catalog["commands"]:
        if command["confirm"]:
            del command["confirm"]["preview"]
    run("nothing-of-this-name")  # an unknown name refreshes the cached catalog
    return live


@pytest.mark.parametrize("answer", ["y", "yes", "Y"])
def test_yes_confirms(older: Stub, answer: str) -> None:
    with run_in_terminal("--url", older.url, "dags", "delete", "my_dag") as terminal:
        terminal.read_until("[y/N] ")
        assert terminal.screen == f"Run airflow dags delete my_dag on {older.url}? [y/N] "
        assert older.requests == []
        terminal.type(f"{answer}\n")
        assert terminal.wait() == (0, "1.7.0\n")
    assert older.request.arguments == {"dag_id": "my_dag", "yes": True}


@pytest.mark.parametrize("answer", ["n\n", "\n", "nonsense\n", "\x04"])
def test_other_answers_decline(older: Stub, answer: str) -> None:
    with run_in_terminal("--url", older.url, "dags", "delete", "my_dag") as terminal:
        terminal.read_until("[y/N] ")
        terminal.type(answer)
        assert terminal.wait() == (ExitStatus.FAILED, "")
        assert "airflow-remote: not confirmed; nothing was done" in terminal.screen
    assert older.requests == []


def test_ctrl_c_at_the_prompt_sends_nothing(older: Stub) -> None:
    with run_in_terminal("--url", older.url, "dags", "delete", "my_dag") as terminal:
        terminal.read_until("[y/N] ")
        terminal.type("\x03")
        assert terminal.wait() == (ExitStatus.INTERRUPTED, "")
        assert "airflow-remote: interrupted; no command was sent" in terminal.screen
    assert older.requests == []


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


def test_prompt_shows_what_the_command_asks_on_the_server(live: Stub) -> None:
    question = "This drops 2 runs:\n  one\x1b[2J\n\nAre you sure? [y/n]\n"
    live.respond_next(json_response(envelope(stdout=question, warning="nothing was done")))
    with run_in_terminal("--url", live.url, "dags", "delete", "my_dag") as terminal:
        terminal.read_until("[y/N] ")
        assert terminal.screen == (
            f"This drops 2 runs:\r\n  one [2J\r\nRun airflow dags delete my_dag on {live.url}? [y/N] "
        )
        terminal.type("y\n")
        assert terminal.wait() == (0, "1.7.0\n")
    first, second = live.requests_named("delete")
    assert first.arguments == {"dag_id": "my_dag", "yes": False}
    assert second.arguments == {"dag_id": "my_dag", "yes": True}
    assert first.headers["idempotency-key"] != second.headers["idempotency-key"]


def test_command_that_fails_before_it_asks_is_not_confirmed(live: Stub) -> None:
    live.respond_next(json_response(envelope(status="ERROR", output="no such DAG", exit_code=1), 404))
    with run_in_terminal("--url", live.url, "dags", "delete", "my_dag") as terminal:
        assert terminal.wait() == (1, "")
        assert terminal.screen == "airflow-remote: no such DAG\r\n"
    assert len(live.requests_named("delete")) == 1


def test_command_that_asks_nothing_finds_nothing_to_change(live: Stub) -> None:
    live.respond_next(json_response(envelope(stdout="")))
    with run_in_terminal("--url", live.url, "dags", "delete", "my_dag") as terminal:
        terminal.read_until("[y/N] ")
        assert terminal.screen.startswith("Nothing would be changed.\r\nRun airflow")


def test_declined_command_is_only_asked_about(live: Stub) -> None:
    line = ["db", "clean", "--clean-before-timestamp", "2026-01-01", "-t", "a b", "--skip-archive"]
    with run_in_terminal("--url", live.url, *line) as terminal:
        terminal.read_until("[y/N] ")
        shown = "airflow db clean --clean-before-timestamp 2026-01-01 -t 'a b' --skip-archive"
        assert f"Run {shown} on {live.url}? [y/N] " in terminal.screen
        terminal.type("n\n")
        assert terminal.wait()[0] == ExitStatus.FAILED
    [request] = live.requests_named("clean")
    assert request.arguments["yes"] is False


def test_secrets_in_the_line_to_confirm_are_masked() -> None:
    command = Catalog(json.loads((CONTRACT / "commands.json").read_text())).command("connections add")
    line = ["c", "--conn-password", "hunter2", "--conn_uri=a://b:hunter3@c", "--conn-host", "http://u:pw@h/"]
    values = {"conn_id": "c", "conn_password": "hunter2", "conn_uri": "a://b:hunter3@c"}
    shown = show_line(command, values, line)
    assert shown == (
        "airflow connections add c --conn-password '***' '--conn_uri=***' --conn-host 'http://***@h/'"
    )


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
