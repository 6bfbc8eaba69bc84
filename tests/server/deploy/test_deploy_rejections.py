"""A rejected deployment changes nothing."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from dagfiles import PLAIN, dag, files, packed, upload
from processes import wait_for

from airflow_remote_server.config.dag_files import DagFileLimits

if TYPE_CHECKING:
    from remote import Remote

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "source", [b"def", b"a\0b", b"x = '\xff'", b"(" * 1000, b"\xef\xbb\xbfx =", b"1" + b"+1" * 200_000]
)
def test_file_that_does_not_compile_changes_nothing(deploy: Any, folder: Path, source: bytes) -> None:
    (folder / "a.py").write_text("old")
    status, envelope = deploy("a.py", source, force="1")
    assert status == 400
    assert "a.py" in envelope["output"]
    assert "nothing was changed" in envelope["output"]
    assert "\n" not in envelope["output"]
    assert files(folder) == {"a.py": b"old"}


HARM = {
    "cannot be imported": ("import no_such_module", "No module named 'no_such_module'"),
    "raises": ("raise ValueError('so\\nand so')", "and so"),
    "exits": ("raise SystemExit(0)", "SystemExit: 0"),
    "ends the process": ("import os; os._exit(0)", "ended the process that imported it, with exit code 0"),
    "kills the process": ("import os; os.kill(os.getpid(), 9)", "by SIGKILL"),
    "never ends": ("import time, signal; signal.alarm(0); time.sleep(600)", "within 3 s"),
    "leaves a copy behind": (
        "import os, time\nif os.fork(): os._exit(0)\nif os.fork() == 0: time.sleep(600)",
        "ended the process",
    ),
    "has a cycle": ("", "cycle"),
}


@pytest.mark.parametrize("what", HARM)
def test_file_that_cannot_be_imported_changes_nothing(
    make_remote: Any, remote: Remote, folder: Path, what: str
) -> None:
    line, reason = HARM[what]
    source = dag("harmful", before=line)
    if what == "has a cycle":
        source += b"    b = EmptyOperator(task_id='b')\n    b >> EmptyOperator(task_id='c') >> b\n"
    if what == "never ends":  # the others get the time that a busy machine needs
        remote = make_remote(state_dir=remote.settings.state_dir, dag_files=DagFileLimits(seconds=3))
    (folder / "a.py").write_text("old")
    status, envelope = upload(remote, "a.py", source, force="1", unpause="1")
    assert (status, envelope["error"]["type"]) == (422, "CommandFailed"), envelope
    assert reason in envelope["output"].lower() or reason in envelope["output"]
    assert "nothing was changed" in envelope["output"]
    assert "\n" not in envelope["output"]
    if "import_errors" in envelope:
        [(file, error)] = envelope["import_errors"].items()
        assert file == "a.py"
        assert str(remote.settings.state_dir) not in error
    assert files(folder) == {"a.py": b"old"}
    assert not list((remote.settings.state_dir / "jobs" / envelope["job"]["id"]).glob("stage*"))


def test_stopped_deployment_changes_nothing(remote: Remote, folder: Path, tmp_path: Path) -> None:
    (folder / "a.py").write_text("old")
    there = tmp_path / "there"
    line = f"import pathlib, time; pathlib.Path({str(there)!r}).touch(); time.sleep(600)"
    data = {"dag_file": (io.BytesIO(dag("slow", before=line)), "a.py"), "force": "1"}
    job_id = remote("deploy_dag", "POST", data=data, PREFER="respond-async").json["job"]["id"]
    wait_for(there.exists)
    title = Path(f"/proc/{remote.job(job_id)['pid']}/cmdline").read_bytes().rstrip(b"\0 ")
    assert title == b"deploy_dag a.py"
    remote.stop(job_id, data={"force": "true"})
    assert remote.end(job_id)["state"] == "stopped"
    assert files(folder) == {"a.py": b"old"}
    assert not list((remote.settings.state_dir / "jobs" / job_id).glob("stage*"))
    assert upload(remote, "a.py", PLAIN, force="1")[0] == 200  # the lock is released


def test_dag_of_another_deployed_file_is_a_conflict(deploy: Any, ask: Any, folder: Path) -> None:
    assert deploy("first.py", dag("theirs"))[0] == 200
    status, envelope = deploy("second.py", dag("theirs"))
    assert status == 409
    assert "first.py" in envelope["output"]
    assert "force" in envelope["output"]
    assert list(files(folder)) == ["first.py"]
    assert deploy("first.py", dag("theirs", task="other"), force="1")[0] == 200
    assert ask("undeploy_dag", "first.py")[0] == 200
    assert deploy("second.py", dag("theirs"))[0] == 200  # its file has been removed
    assert ask("rollback_dag", "first.py")[0] == 409
    assert ask("rollback_dag", "first.py", force="1")[0] == 200
    assert set(files(folder)) == {"first.py", "second.py"}


def test_dag_in_airflows_database_from_another_file_is_a_conflict(home_remote: Remote, home: Path) -> None:
    status, envelope = upload(home_remote, "known.py", dag("known_to_airflow"), unpause="1")
    assert status == 200, envelope
    (home / "dags" / "known.py").rename(home / "dags" / "moved.py")
    (home / "dags" / "known.py").write_bytes(b"")
    status, envelope = upload(home_remote, "other.py", dag("known_to_airflow"))
    assert (status, "known.py" in envelope["output"]) == (409, True)
    assert upload(home_remote, "known.py", dag("known_to_airflow"), force="1")[0] == 200


def test_links_are_not_followed(deploy: Any, folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.py").write_text("old")
    (folder / "a.py").symlink_to(outside / "a.py")
    (folder / "out").symlink_to(outside)
    before = files(tmp_path)
    assert deploy("a.py", PLAIN, force="1")[0] == 400
    assert deploy("a.py", PLAIN, folder="out", force="1")[0] == 400
    assert deploy("b.py", PLAIN, folder="out/x", force="1")[0] == 400
    assert deploy("A.py", PLAIN, force="1")[0] == 400
    assert files(tmp_path) == before


def test_missing_dags_folder_is_reported(make_remote: Any, shared_state: Path, tmp_path: Path) -> None:
    remote = make_remote(state_dir=shared_state, dags_folder=tmp_path / "nowhere")
    status, envelope = upload(remote, "a.py", PLAIN)
    assert (status, envelope["error"]["type"]) == (503, "Unavailable")


def test_invalid_package_changes_nothing(deploy: Any, folder: Path) -> None:
    for content in (b"no zip", packed({"../a.py": b""}), packed({"a.py": b"", "z": bytes(100_000_000)})):
        status, envelope = deploy("bad.zip", content)
        assert (status, envelope["error"]["type"]) == (400, "BadArguments")
    assert files(folder) == {}


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("../a.py", {}),
        ("a.txt", {}),
        ("a.py", {"folder": ".."}),
        ("a.py", {"folder": "/tmp"}),
        ("con.py", {}),
        ("a.py", {"pause": "1", "unpause": "1"}),
        ("a.py", {"wait": "-1"}),
        ("a.py", {"wait": "999999"}),
        ("a.py", {"wait": "soon"}),
        ("a.py", {"bundle_name": "nope"}),
    ],
)
def test_invalid_arguments_are_rejected_before_anything_runs(
    refuse: Any, name: str, fields: dict[str, str]
) -> None:
    status, envelope = refuse(name, PLAIN, **fields)
    assert (status, envelope["error"]["type"]) == (400, "BadArguments")


def test_too_large_file_is_rejected(make_remote: Any, state: Path) -> None:
    remote = make_remote(dag_files=DagFileLimits(file_bytes=1000))
    status, envelope = upload(remote, "a.py", b"#" * 1001)
    assert (status, "max_dag_bytes" in envelope["output"]) == (413, True)
    assert list((state / "jobs").glob("*")) == []


def test_without_a_token_only_local_clients_deploy(
    make_remote: Any, shared_state: Path, folder: Path
) -> None:
    remote = make_remote(state_dir=shared_state, token=None, allow_anonymous=True)
    for endpoint in ("deploy_dag", "undeploy_dag", "rollback_dag"):
        for more in (
            {"environ_overrides": {"REMOTE_ADDR": "192.0.2.1"}},
            {"environ_overrides": {"REMOTE_ADDR": "127.0.0.1"}, "X_FORWARDED_FOR": "192.0.2.1"},
            {"environ_overrides": {"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "airflow.example"}},
        ):
            data = {"dag_file": (io.BytesIO(PLAIN), "a.py"), "filename": "a.py"}
            response = remote(endpoint, "POST", data=data, **more)
            assert (response.status_code, response.json["error"]["type"]) == (403, "Refused")
            assert "this machine only" in response.json["output"]
    assert files(folder) == {}
    data = {"dag_file": (io.BytesIO(PLAIN), "a.py")}
    here = {"environ_overrides": {"REMOTE_ADDR": "127.0.0.1"}, "X_REQUESTED_WITH": "curl"}
    assert remote("deploy_dag", "POST", data=data, **here).status_code == 200
