"""Commands that wait for Celery workers, with a broker in memory and a store in PostgreSQL."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st
from processes import state_folder, wait_for

from airflow_remote_server.catalog.globs import warn_of_globs
from airflow_remote_server.cli.main import main
from airflow_remote_server.config.reader import read_settings
from airflow_remote_server.config.settings import Settings, SettingsError
from airflow_remote_server.integrations import celery_app
from airflow_remote_server.jobs.nodes import celery_workers
from airflow_remote_server.jobs.nodes.worker_queue import WorkerQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from probe_dag import MakeProbe
    from remote import Remote

    from airflow_remote_server.celery_engine.runner import CommandRunner

KEY = Fernet.generate_key().decode()
QUEUE = "remote"
SETTINGS: dict[str, Any] = {
    "fernet_key": KEY,
    "celery_queue": QUEUE,
    "celery_commands": ("tasks l*",),
    "command_timeout": 600.0,
}


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Let Airflow's configuration name a broker in memory, and return its URL."""
    from kombu.transport.memory import Channel

    monkeypatch.setattr(celery_app, "read_configuration", lambda: {"broker_url": "memory://"})
    monkeypatch.setattr(celery_workers, "MAINTAIN_SECONDS", 0.0)
    Channel.queues.clear()
    yield "memory://"
    Channel.queues.clear()


@pytest.fixture
def remote(broker: str, shared_url: str, make_remote: Callable[..., Remote]) -> Iterator[Remote]:
    """Return a caller of a webserver whose `tasks list` runs on workers."""
    with state_folder() as state:
        yield make_remote(state_dir=state, jobs_url=shared_url, **SETTINGS)


@pytest.fixture
def run_on_worker(remote: Remote) -> Iterator[Callable[[str], CommandRunner]]:
    """Return a function that runs a job on a worker."""
    from airflow_remote_server.celery_engine.runner import CommandRunner

    with state_folder() as state:

        def run(job_id: str, **changes: Any) -> CommandRunner:
            runner = CommandRunner(Settings(**{**vars(remote.settings), **changes}), state)
            runner.run(job_id)
            runner.jobs.reconcile()  # starts the agent, as the watcher of a worker does
            return runner

        yield run


def jobs_of(remote: Remote) -> Any:
    """Return the job service of a webserver."""
    return remote.client.application.app.api.get().jobs  # type: ignore[attr-defined]  # of LintMiddleware


def messages(remote: Remote) -> list[bytes]:
    """Return the messages that are left in the broker."""
    from kombu.transport.memory import Channel

    return (
        [str(message).encode() for message in Channel.queues[QUEUE].queue] if QUEUE in Channel.queues else []
    )


@pytest.mark.slow
def test_worker_runs_a_command_once_and_the_webserver_tells_its_end(
    remote: Remote, run_on_worker: Callable[[str], CommandRunner], make_probe: MakeProbe
) -> None:
    probe = make_probe("say", "hello-from-a-worker")
    job_id = remote.start(probe)
    assert remote.job(job_id)["state"] == "queued"
    [message] = messages(remote)
    assert job_id.encode() in message
    assert probe.id.encode() not in message, "no arguments in the broker"
    for _ in range(2):  # the broker may deliver a message twice
        run_on_worker(job_id)
    assert len(probe.processes) == 1
    assert remote.end(job_id)["state"] == "succeeded"
    wait_for(lambda: "hello-from-a-worker" in remote.output(job_id)["data"])
    assert remote.settings.state_dir.joinpath("jobs").is_dir()
    assert not remote.settings.state_dir.joinpath("jobs", job_id).exists()
    assert not remote.settings.state_dir.joinpath("outgoing", job_id).exists()


@pytest.mark.slow
def test_waiting_command_is_stopped_and_never_runs(
    remote: Remote, run_on_worker: Callable[[str], CommandRunner], make_probe: MakeProbe
) -> None:
    probe = make_probe("say", "never")
    job_id = remote.start(probe)
    assert remote.stop(job_id).status_code in (200, 202)
    job = remote.job(job_id)
    assert (job["state"], job["message"]) == ("stopped", "the command was stopped")
    run_on_worker(job_id)
    assert probe.processes == []


@pytest.mark.slow
def test_worker_that_cannot_run_a_command_leaves_it_to_others(
    remote: Remote, run_on_worker: Callable[..., CommandRunner], make_probe: MakeProbe
) -> None:
    probe = make_probe("say", "later")
    job_id = remote.start(probe)
    for changes in ({"fernet_key": Fernet.generate_key().decode()}, {"min_free_bytes": 1 << 60}):
        run_on_worker(job_id, **changes)
        assert remote.job(job_id)["state"] == "queued"
    run_on_worker(job_id)
    assert remote.end(job_id)["state"] == "succeeded"
    assert len(probe.processes) == 1


@pytest.mark.slow
def test_lost_messages_are_sent_again_and_jobs_without_files_are_lost(
    remote: Remote, make_probe: MakeProbe, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kombu.transport.memory import Channel

    job_id = remote.start(make_probe("say", "again"))
    Channel.queues[QUEUE].queue.clear()
    jobs = jobs_of(remote)
    wait_for(lambda: jobs.workers.maintain(jobs.reconciler.give_up_job) or messages(remote))
    assert len(messages(remote)) == 1
    jobs.workers.maintain(jobs.reconciler.give_up_job)
    assert len(messages(remote)) == 1, "nothing is sent while the broker has messages"

    assert WorkerQueue(jobs.store).withdraw(job_id)  # as if the webserver had ended before it wrote the files
    monkeypatch.setattr(celery_workers, "ABANDONED_SECONDS", 0.0)
    jobs.workers.maintain(jobs.reconciler.give_up_job)
    job = remote.job(job_id)
    assert (job["state"], "it never ran" in job["message"]) == ("lost", True)


@pytest.mark.slow
def test_command_is_refused_while_the_broker_cannot_be_used(
    remote: Remote, make_probe: MakeProbe, monkeypatch: pytest.MonkeyPatch
) -> None:
    configuration = {"broker_url": "redis://127.0.0.1:1/0"}
    monkeypatch.setattr(celery_app, "read_configuration", lambda: configuration)
    reply = remote.run(make_probe("say", "never"), PREFER="respond-async")
    assert reply.status_code == 503
    assert "check [celery] broker_url" in reply.json["output"]
    assert "\n" not in reply.json["output"]
    assert remote.jobs(state="queued,running") == []
    assert remote("version").status_code == 200


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"jobs_url": ""}, "jobs_url"),
        ({"output_store": "folder"}, "output_store"),
        ({"fernet_key": ""}, "[core] fernet_key"),
        ({"fernet_key": "not a key"}, "[core] fernet_key"),
        ({"celery_queue": "default"}, "[operators] default_queue"),
    ],
)
def test_unusable_setting_is_named_at_start_and_refuses_only_these_commands(
    shared_url: str,
    make_remote: Callable[..., Remote],
    make_probe: MakeProbe,
    caplog: pytest.LogCaptureFixture,
    changes: dict[str, Any],
    message: str,
) -> None:
    with state_folder() as state, caplog.at_level(logging.ERROR):
        remote = make_remote(**{"state_dir": state, "jobs_url": shared_url, **SETTINGS, **changes})
        [line] = [
            record.getMessage() for record in caplog.records if "celery_commands" in record.getMessage()
        ]
        assert message in line
        reply = remote.run(make_probe("say", "never"))
        assert (reply.status_code, message in reply.json["output"]) == (503, True)
        assert remote("version").status_code == 200


def test_no_part_of_the_brokers_url_is_shown() -> None:
    error = ValueError("Port could not be cast to integer value as 'hunter2'")
    assert "hunter2" not in celery_workers.explain(error)


@pytest.mark.parametrize("number", ["", "0", "9"])
def test_priority_is_a_digit(number: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__REST_API_PLUGIN__CELERY_PRIORITY", number)
    assert read_settings().celery_priority == (int(number) if number else None)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1))
def test_other_priority_is_refused(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__REST_API_PLUGIN__CELERY_PRIORITY", text.replace("%", "%%"))
        try:
            assert read_settings().celery_priority in {None, *range(10)}
        except SettingsError as error:
            assert "celery_priority" in str(error)


@pytest.mark.parametrize(
    ("names", "globs", "accepted"),
    [
        (("dags test",), ("dags t?st",), True),
        (("tasks list", "list_tasks"), ("list_*",), True),
        (("tasks list",), ("tasks",), False),
        (("tasks list",), ("dags *",), False),
        (("tasks list",), (), False),
        ((), ("*",), False),
    ],
)
def test_workers_run_what_a_glob_matches(
    names: tuple[str, ...], globs: tuple[str, ...], accepted: bool
) -> None:
    settings = Settings(
        token=None,
        airflow_release=(3, 3),
        dags_folder=None,  # type: ignore[arg-type]
        log_folder=None,  # type: ignore[arg-type]
        state_dir=None,  # type: ignore[arg-type]
        celery_queue=QUEUE,
        celery_commands=globs,
    )
    workers = celery_workers.CeleryWorkers(settings, None, None, None)  # type: ignore[arg-type]
    assert workers.accepts(names) is accepted


def test_glob_that_matches_nothing_is_named(
    make_settings: Callable[..., Settings], caplog: pytest.LogCaptureFixture
) -> None:
    class Catalog:
        endpoints = {"dags test": None, "version": None}  # noqa: RUF012 - a double
        airflow = "3.3.2"

    classic = {"dags test": ("test_dag",)}
    globs = ("dags t?st", "test_dag", "dag test", "nothing *")
    settings = make_settings(celery_queue=QUEUE, celery_commands=globs)
    warn_of_globs(settings, classic, Catalog)  # type: ignore[arg-type]
    said = [record.getMessage() for record in caplog.records]
    assert [glob for glob in globs if any(repr(glob) in line for line in said)] == ["dag test", "nothing *"]
    caplog.clear()
    warn_of_globs(make_settings(celery_queue=QUEUE), classic, Catalog)  # type: ignore[arg-type]
    assert caplog.records == []


@pytest.mark.parametrize(
    ("variables", "words", "message"),
    [
        ({}, [], "celery_queue is not set"),
        ({"CELERY_QUEUE": QUEUE}, [], "jobs_url"),
        ({"CELERY_QUEUE": QUEUE}, ["--", "--queues", "other"], "--queues is set by"),
        ({"CELERY_QUEUE": QUEUE}, ["--", "-Qother"], "-Qother is set by"),
        ({"CELERY_PRIORITY": "high"}, [], "celery_priority"),
    ],
)
def test_worker_says_in_one_line_what_is_missing(
    variables: dict[str, str],
    words: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"AIRFLOW__REST_API_PLUGIN__{name}", value)
    assert main(["worker", *words]) == 1
    said = capsys.readouterr().err
    assert (message in said, said.count("\n")) == (True, 1)


def test_each_worker_of_a_machine_has_its_own_state_directory(
    tmp_path: Path, make_settings: Callable[..., Settings]
) -> None:
    from airflow_remote_server.celery_engine.worker import claim_state_dir

    settings = make_settings(state_dir=tmp_path / "rest_api")
    first, second = (claim_state_dir(settings) for _ in range(2))
    assert (first[1], second[1]) == (1, 2)
    assert first[0] != second[0]
    assert {path.parent for path, _ in (first, second)} == {tmp_path / "rest_api_workers"}
