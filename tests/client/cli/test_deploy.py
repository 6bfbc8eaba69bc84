"""``deploy``: deploy a file, trigger its DAG, and follow the run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_remote.cli.import_errors import locate_errors
from airflow_remote.exit_status import ExitStatus
from client.fake_runs import DAG, RUN, FakeRuns, dag_run, task
from client.program import Run
from client.responses import NOT_RUN, envelope, json_response
from client.stub import Stub

DEPLOYED = envelope(output="DAG File [f.py] has been uploaded", dag_ids=[DAG])
TRACEBACK = """Traceback (most recent call last):
  File "/dags/f.py", line 3, in <module>
    load()
  File "/dags/f.py", line 12, in load
    import gone
  File "/lib/other.py", line 99, in load
ModuleNotFoundError: No module named 'gone'
"""


@pytest.fixture
def runs(stub: Stub) -> FakeRuns:
    """Return the runs of the stub server, which deploys and triggers."""
    stub.runs = FakeRuns([dag_run("success", task("extract", "success"))], {("extract", -1, 1): "a\n"})
    stub.respond_next(json_response(DEPLOYED), json_response(envelope(dag_run_id=RUN)))
    return stub.runs


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a DAG file."""
    path = tmp_path / "f.py"
    path.write_text("dag\n")
    return path


def test_each_step_is_a_line(run: Run, stub: Stub, runs: FakeRuns, file: Path) -> None:
    line = ["deploy", str(file), "--wait", "--trigger", "--follow", "--force", "--unpause", "--conf={}"]
    completed = run(*line)
    assert (completed.status, completed.err) == (0, "")
    deployed, parsed, triggered, *states, last = completed.out.splitlines()
    assert deployed == f"deployed: {file}, DAGs: {DAG}"
    assert parsed.startswith("parsed: within ")
    assert triggered == f"triggered: {DAG}, run {RUN}"
    assert "extract | a" in states
    assert last.startswith(f"run {RUN} of {DAG} has succeeded")
    deploy, trigger, *_ = stub.requests
    assert (deploy.name, deploy.files) == ("deploy_dag", {"dag_file": ("f.py", b"dag\n")})
    assert deploy.arguments == {"force": "true", "unpause": "true", "wait": "300"}
    assert (trigger.name, trigger.arguments) == ("trigger_dag", {"dag_id": DAG, "conf": "{}"})


def test_a_failed_run_is_a_failure(run: Run, runs: FakeRuns, file: Path) -> None:
    runs.states = [dag_run("failed", task("extract", "failed"))]
    assert run("deploy", str(file), "--follow").status == ExitStatus.FAILED


@pytest.mark.parametrize(
    ("words", "steps"),
    [
        ([], ["deployed"]),
        (["--wait"], ["deployed", "parsed"]),
        (["--trigger"], ["deployed", "parsed", "triggered"]),
    ],
)
def test_the_last_step_is_that_of_the_options(
    run: Run, runs: FakeRuns, file: Path, words: list[str], steps: list[str]
) -> None:
    completed = run("deploy", str(file), *words)
    assert [line.partition(":")[0] for line in completed.out.splitlines()] == steps
    assert runs.requests == []


def test_import_errors_are_where_an_editor_finds_them(run: Run, stub: Stub, file: Path) -> None:
    message = "Airflow cannot import f.py, and nothing was changed: ..."
    failed = envelope(**NOT_RUN, status="ERROR", output=message, import_errors={"f.py": TRACEBACK})
    stub.respond(failed, 422)
    completed = run("deploy", str(file), "--follow")
    assert (completed.status, completed.out) == (ExitStatus.FAILED, "")
    place = f"{file}:12: ModuleNotFoundError: No module named 'gone'"
    assert completed.err == f"{place}\nairflow-remote: {message}\n"


@pytest.mark.parametrize(
    ("path", "text", "line"),
    [
        (
            "f.py",
            "SyntaxError: '(' was never closed (f.py, line 7)",
            "x/f.py:7: SyntaxError: '(' was never closed",
        ),
        ("f.zip/lib.py", TRACEBACK, "f.zip/lib.py:1: ModuleNotFoundError: No module named 'gone'"),
        ("f.py", "", "x/f.py:1: Airflow cannot import it"),
    ],
)
def test_errors_are_located(path: str, text: str, line: str) -> None:
    assert list(locate_errors({path: text}, "x/f.py")) == [line]


@given(st.dictionaries(st.text(), st.text() | st.none()) | st.none(), st.text())
def test_any_error_is_one_line(errors: Any, file: str) -> None:
    for line in locate_errors(errors, file):
        assert line.isprintable()


def test_a_file_with_several_dags_needs_a_choice(run: Run, stub: Stub, file: Path) -> None:
    deployed = json_response(envelope(dag_ids=["a", "b"], warning="half"))
    stub.respond_next(deployed)
    completed = run("deploy", str(file), "--trigger")
    assert completed.status == ExitStatus.USAGE
    assert "name the DAG to trigger (a, b)" in completed.err
    assert "warning: half" in completed.err
    stub.respond_next(json_response(envelope(dag_ids=["a", "b"])))
    assert "has no DAG 'c'" in run("deploy", str(file), "--trigger", "--dag", "c").err
    stub.respond_next(json_response(envelope(dag_ids=["a", "b"])), json_response(envelope(dag_run_id="r")))
    assert run("deploy", str(file), "--trigger", "--dag", "b").out.endswith("triggered: b, run r\n")


@pytest.mark.parametrize("words", [["--conf", "{}"], ["--dag", "d"]])
def test_options_of_a_run_need_one(run: Run, stub: Stub, file: Path, words: list[str]) -> None:
    assert run("deploy", str(file), *words).status == ExitStatus.USAGE
    assert run("--json", "deploy", str(file)).status == ExitStatus.USAGE
    assert stub.requests == []


def test_a_missing_file_is_reported(run: Run, stub: Stub, tmp_path: Path) -> None:
    assert run("deploy", str(tmp_path / "gone.py")).status == ExitStatus.USAGE
