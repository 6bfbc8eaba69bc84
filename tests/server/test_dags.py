"""DAG files over the API: deployed when Airflow can import them, taken away, and put back."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from dagfiles import PLAIN, dag, files, packed, upload
from processes import wait_for

from airflow_remote_server.dags.limits import Bundle, Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from remote import Remote

pytestmark = pytest.mark.slow


@pytest.fixture
def deploy(remote: Remote) -> Callable[..., tuple[int, dict[str, Any]]]:
    """Upload a file, and have it deployed by the shared host."""
    return lambda *args, **fields: upload(remote, *args, **fields)


@pytest.fixture
def ask(remote: Remote) -> Callable[..., tuple[int, dict[str, Any]]]:
    """Ask for one of the other endpoints: (status, envelope)."""

    def call(endpoint: str, filename: str, **fields: str) -> tuple[int, dict[str, Any]]:
        response = remote(endpoint, "POST", json={"filename": filename, **fields})
        return response.status_code, response.json

    return call


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The DAGs folder."""
    return tmp_path / "dags"


@pytest.fixture
def refuse(make_remote: Any, state: Path, folder: Path) -> Iterator[Any]:
    """Upload a file that is refused before anything is run."""
    before = files(folder)
    yield lambda *args, **fields: upload(make_remote(), *args, **fields)
    assert files(folder) == before
    assert list((state / "jobs").glob("*")) == []


@pytest.fixture
def home_remote(make_remote: Any, remote: Remote, home: Path) -> Iterator[Remote]:
    """A caller of the API for the DAGs folder that Airflow itself looks at."""
    before = {*(home / "dags").iterdir()}
    yield make_remote(state_dir=remote.settings.state_dir, dags_folder=home / "dags")
    for path in {*(home / "dags").glob("*.py")} - before:
        path.unlink()


def test_a_file_is_put_into_the_dags_folder(deploy: Any, folder: Path) -> None:
    status, envelope = deploy("new_dag.py", PLAIN)
    assert (status, envelope["output"]) == (200, "DAG File [new_dag.py] has been uploaded")
    assert (envelope["airflow_cmd"], envelope["dag_ids"]) == ("deploy_dag new_dag.py", [])
    assert files(folder) == {"new_dag.py": PLAIN}


def test_the_dags_of_a_file_are_told(deploy: Any, folder: Path) -> None:
    source = dag("told_b", "told_a", before="print('of its own')")
    status, envelope = deploy("two.py", source)
    assert status == 200, envelope
    assert envelope["stdout"] == "DAG File [two.py] has been uploaded; DAGs: told_a, told_b\n"
    assert "of its own" in envelope["stderr"]
    assert envelope["dag_ids"] == ["told_a", "told_b"]
    assert envelope["result"] == {"dag_ids": ["told_a", "told_b"], "import_errors": {}, "versions": []}
    assert files(folder) == {"two.py": source}


def test_the_shape_of_the_ancestor_works(remote: Remote, folder: Path) -> None:
    data = {"dag_file": (io.BytesIO(PLAIN), "old_shape.py")}
    address = "/admin/rest_api/api?api=deploy_dag"
    response = remote.client.post(address, data=data, headers={"rest_api_plugin_http_token": "open sesame"})
    assert response.json["output"]["stdout"] == "DAG File [old_shape.py] has been uploaded\n"
    assert files(folder) == {"old_shape.py": PLAIN}


def test_a_package_goes_to_a_sub_folder_as_one_file(deploy: Any, folder: Path) -> None:
    lib = {"lib_of_zip/__init__.py": b"", "lib_of_zip/deep.py": b"NAME = 'zipped'"}
    source = dag("zipped", before="from lib_of_zip.deep import NAME; assert NAME == 'zipped'")
    content = packed({"zipped_main.py": source, **lib})
    status, envelope = deploy("pkg.zip", content, folder="team_a/etl")
    assert status == 200, envelope
    assert (envelope["airflow_cmd"], envelope["dag_ids"]) == ("deploy_dag team_a/etl/pkg.zip", ["zipped"])
    assert files(folder)["team_a/etl/pkg.zip"] == content
    broken = packed({"zipped_main.py": source, "lib_of_zip/__init__.py": b""})
    status, envelope = deploy("pkg.zip", broken, folder="team_a/etl", force="1")
    assert status == 422
    assert list(envelope["import_errors"]) == ["team_a/etl/pkg.zip/zipped_main.py"]
    assert files(folder)["team_a/etl/pkg.zip"] == content
    status, envelope = deploy("pkg.zip", packed({"a.py": b"", "lib/b.py": b"def"}), force="1")
    assert (status, list(envelope["import_errors"])) == (400, ["pkg.zip/lib/b.py"])


def test_a_file_is_parsed_among_what_is_in_the_dags_folder(deploy: Any, folder: Path) -> None:
    (folder / "shared_by_dags.py").write_text("NAME = 'among'")
    (folder / "team").mkdir()
    (folder / "team" / "query.sql").write_text("select 1")
    beside = "pathlib.Path(__file__).with_name('query.sql').read_text()"
    read = f"import pathlib; from shared_by_dags import NAME; {beside}"
    before = files(folder)
    status, envelope = deploy("among.py", dag("among", before=read), folder="team")
    assert (status, envelope.get("dag_ids")) == (200, ["among"]), envelope
    after = files(folder)
    assert after.pop("team/among.py")
    assert after == before  # also no __pycache__
    assert deploy("among.py", dag("among2", before=read))[0] == 422  # beside it, nothing is called query.sql


def test_a_file_that_is_there_is_replaced_only_by_force(deploy: Any, folder: Path) -> None:
    (folder / "a.py").write_text("old")
    status, envelope = deploy("a.py", PLAIN)
    assert (status, envelope["error"]["type"]) == (409, "Conflict")
    assert "force" in envelope["output"]
    assert files(folder) == {"a.py": b"old"}
    assert deploy("a.py", PLAIN, force="true")[0] == 200
    assert files(folder) == {"a.py": PLAIN}


@pytest.mark.parametrize(
    "source", [b"def", b"a\0b", b"x = '\xff'", b"(" * 1000, b"\xef\xbb\xbfx =", b"1" + b"+1" * 200_000]
)
def test_what_does_not_compile_replaces_nothing(deploy: Any, folder: Path, source: bytes) -> None:
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
def test_what_cannot_be_imported_changes_nothing(
    make_remote: Any, remote: Remote, folder: Path, what: str
) -> None:
    line, reason = HARM[what]
    source = dag("harmful", before=line)
    if what == "has a cycle":
        source += b"    b = EmptyOperator(task_id='b')\n    b >> EmptyOperator(task_id='c') >> b\n"
    remote = make_remote(state_dir=remote.settings.state_dir, dag_files=Limits(seconds=3))
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


def test_a_copy_of_the_process_that_a_file_makes_does_no_harm(deploy: Any, folder: Path) -> None:
    status, envelope = deploy("twice.py", dag("twice", before="import os; os.fork()"))
    assert (status, envelope["output"]) == (200, "DAG File [twice.py] has been uploaded; DAGs: twice")
    assert list(files(folder)) == ["twice.py"]


def test_the_job_of_a_deploy_tells_what_was_found(remote: Remote, folder: Path) -> None:
    for source, dag_ids in ((dag("later"), ["later"]), (dag(before="import no_such_module"), [])):
        data = {"dag_file": (io.BytesIO(source), "later.py"), "force": "1"}
        job_id = remote("deploy_dag", "POST", data=data, PREFER="respond-async").json["job"]["id"]
        found = remote.end(job_id)
        assert found["dag_ids"] == dag_ids
        assert bool(found["import_errors"]) == (not dag_ids)


def test_a_deploy_that_is_stopped_changes_nothing(remote: Remote, folder: Path, tmp_path: Path) -> None:
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
    assert upload(remote, "a.py", PLAIN, force="1")[0] == 200  # it has let go of the lock


def test_a_dag_that_another_file_brings_is_a_conflict(deploy: Any, ask: Any, folder: Path) -> None:
    assert deploy("first.py", dag("theirs"))[0] == 200
    status, envelope = deploy("second.py", dag("theirs"))
    assert status == 409
    assert "first.py" in envelope["output"]
    assert "force" in envelope["output"]
    assert list(files(folder)) == ["first.py"]
    assert deploy("first.py", dag("theirs", task="other"), force="1")[0] == 200
    assert ask("undeploy_dag", "first.py")[0] == 200
    assert deploy("second.py", dag("theirs"))[0] == 200  # its file is not there any more
    assert ask("rollback_dag", "first.py")[0] == 409
    assert ask("rollback_dag", "first.py", force="1")[0] == 200
    assert set(files(folder)) == {"first.py", "second.py"}


def test_a_dag_that_airflow_knows_from_another_file_is_a_conflict(home_remote: Remote, home: Path) -> None:
    status, envelope = upload(home_remote, "known.py", dag("known_to_airflow"), unpause="1")
    assert status == 200, envelope
    (home / "dags" / "known.py").rename(home / "dags" / "moved.py")
    (home / "dags" / "known.py").write_bytes(b"")
    status, envelope = upload(home_remote, "other.py", dag("known_to_airflow"))
    assert (status, "known.py" in envelope["output"]) == (409, True)
    assert upload(home_remote, "known.py", dag("known_to_airflow"), force="1")[0] == 200


def test_versions_are_kept_and_put_back(deploy: Any, ask: Any, folder: Path) -> None:
    one, two, three = (dag("kept", task=task) for task in ("one", "two", "three"))
    assert deploy("kept.py", one)[0] == 200
    assert ask("rollback_dag", "kept.py")[0] == 404
    assert deploy("kept.py", two, force="1")[1]["result"]["versions"][0]["bytes"] == len(one)
    status, envelope = ask("rollback_dag", "kept.py")
    assert (status, envelope["dag_ids"]) == (200, ["kept"]), envelope
    assert envelope["output"].startswith("DAG File [kept.py] is back as version 1 has it")
    assert files(folder) == {"kept.py": one}
    assert ask("rollback_dag", "kept.py")[0] == 200  # and this undoes it
    assert files(folder) == {"kept.py": two}
    assert deploy("kept.py", three, force="1")[0] == 200
    status, envelope = ask("rollback_dag", "kept.py", version="1")
    assert (status, envelope["result"]["version"]) == (200, 1)
    assert files(folder) == {"kept.py": one}
    status, envelope = ask("rollback_dag", "kept.py", version="99")
    assert (status, "no version 99" in envelope["output"]) == (404, True)


def test_a_version_that_airflow_cannot_import_any_more_is_not_put_back(
    deploy: Any, ask: Any, folder: Path
) -> None:
    (folder / "needed_by_it.py").write_text("")
    assert deploy("needs.py", dag("needs", before="import needed_by_it"))[0] == 200
    assert deploy("needs.py", dag("needs"), force="1")[0] == 200
    (folder / "needed_by_it.py").unlink()
    status, envelope = ask("rollback_dag", "needs.py", force="1")
    assert (status, list(envelope["import_errors"])) == (422, ["needs.py"])
    assert files(folder) == {"needs.py": dag("needs")}


def test_a_file_is_taken_away_and_kept(deploy: Any, ask: Any, folder: Path) -> None:
    source = packed({"gone_main.py": dag("gone")})
    assert deploy("gone.zip", source, folder="team")[0] == 200
    status, envelope = ask("undeploy_dag", "gone.zip", folder="team")
    assert (status, envelope["dag_ids"]) == (200, ["gone"]), envelope
    assert envelope["output"] == "DAG File [team/gone.zip] has been taken away, and is kept as version 1"
    assert files(folder) == {"team": b"a folder"}
    assert ask("undeploy_dag", "gone.zip", folder="team")[0] == 404
    assert ask("rollback_dag", "gone.zip", folder="team")[0] == 200
    assert files(folder)["team/gone.zip"] == source


def test_what_others_have_put_there_is_taken_away_only_by_force(ask: Any, folder: Path) -> None:
    (folder / "by_hand.py").write_bytes(PLAIN)
    status, envelope = ask("undeploy_dag", "by_hand.py")
    assert (status, "force" in envelope["output"]) == (409, True)
    assert files(folder) == {"by_hand.py": PLAIN}
    assert ask("undeploy_dag", "by_hand.py", force="1")[0] == 200
    assert ask("rollback_dag", "by_hand.py")[0] == 200
    assert files(folder) == {"by_hand.py": PLAIN}


def test_only_so_many_versions_are_kept_and_nobody_else_reads_them(
    make_remote: Any, remote: Remote, folder: Path
) -> None:
    state = remote.settings.state_dir
    remote = make_remote(state_dir=state, dag_files=Limits(versions=2))
    for number in range(5):
        status, envelope = upload(remote, "many.py", b"x = %d\n" % number, force="1")
        assert status == 200
    assert [version["version"] for version in envelope["result"]["versions"]] == [3, 4]
    kept = [path.read_bytes() for path in sorted((state / "dags").glob("*/00*"))]
    assert kept.count(b"x = 2\n") == kept.count(b"x = 3\n") == 1
    assert b"x = 0\n" not in kept
    for path in (state / "dags").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


@pytest.mark.parametrize("force", ["", "1"])
def test_deploys_of_one_name_do_not_mix(remote: Remote, folder: Path, force: str) -> None:
    sources = [dag("mixed", task=f"t{number}") * (number + 1) for number in range(4)]
    flags = {"force": force} if force else {}
    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(lambda source: upload(remote, "mixed.py", source, **flags), sources))
    statuses = sorted(status for status, _ in answers)
    assert statuses == ([200] * 4 if force else [200, 409, 409, 409]), answers
    assert files(folder)["mixed.py"] in sources
    if force:
        most = max(len(envelope["result"]["versions"]) for _, envelope in answers)
        assert most == 3


def test_two_files_do_not_bring_the_same_new_dag_at_once(remote: Remote, folder: Path) -> None:
    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(lambda name: upload(remote, name, dag("raced")), ["r1.py", "r2.py", "r3.py"]))
    assert sorted(status for status, _ in answers) == [200, 409, 409]
    assert len(files(folder)) == 1


def test_it_says_so_when_nothing_parses_for_airflow(deploy: Any, folder: Path) -> None:
    status, envelope = deploy("waits.py", dag("waits"), wait="1")
    assert (status, envelope["dag_ids"]) == (422, ["waits"])
    assert envelope["output"].startswith(
        "waits.py is in place, but Airflow has not parsed it within 1 s: no "
    )
    assert list(files(folder)) == ["waits.py"]
    status, envelope = deploy("nothing.py", PLAIN, wait="60")
    assert (status, "no DAGs to wait for" in envelope["output"]) == (200, True)


@pytest.mark.parametrize("wish", ["pause", "unpause"])
def test_the_dags_of_a_file_are_paused_or_not(home_remote: Remote, wish: str) -> None:
    for task in ("one", "two"):  # Airflow itself would not write a DAG again so soon
        fields = {wish: "true", "force": "true", "wait": "20"}
        status, envelope = upload(home_remote, "wished.py", dag("wished", task=task), **fields)
        assert status == 200, envelope
        said = f"DAG File [wished.py] has been uploaded; {wish}d: wished; parsed by Airflow"
        assert envelope["output"] == said


def test_an_upload_is_gone_with_the_command_that_needed_it(deploy: Any, shared_state: Path) -> None:
    status, envelope = deploy("gone.py", PLAIN)
    assert status == 200
    names = {path.name for path in (shared_state / "jobs" / envelope["job"]["id"]).iterdir()}
    assert not [name for name in names if name.startswith(("upload", "stage"))]


def test_a_link_is_not_followed(deploy: Any, folder: Path, tmp_path: Path) -> None:
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


def test_a_folder_that_cannot_be_written_to_is_said(
    make_remote: Any, shared_state: Path, tmp_path: Path
) -> None:
    remote = make_remote(state_dir=shared_state, dags_folder=tmp_path / "nowhere")
    status, envelope = upload(remote, "a.py", PLAIN)
    assert (status, envelope["error"]["type"]) == (503, "Unavailable")


def test_a_package_that_is_no_good_changes_nothing(deploy: Any, folder: Path) -> None:
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
def test_what_makes_no_sense_is_refused_before_anything_is_run(
    refuse: Any, name: str, fields: dict[str, str]
) -> None:
    status, envelope = refuse(name, PLAIN, **fields)
    assert (status, envelope["error"]["type"]) == (400, "BadArguments")


def test_a_file_that_is_too_large_is_refused(make_remote: Any, state: Path) -> None:
    remote = make_remote(dag_files=Limits(file_bytes=1000))
    status, envelope = upload(remote, "a.py", b"#" * 1001)
    assert (status, "max_dag_bytes" in envelope["output"]) == (413, True)
    assert list((state / "jobs").glob("*")) == []


def test_without_a_token_only_this_machine_deploys(
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
    here = {"environ_overrides": {"REMOTE_ADDR": "127.0.0.1"}}
    assert remote("deploy_dag", "POST", data=data, **here).status_code == 200


def test_the_bundle_is_chosen(
    make_remote: Any, shared_state: Path, major: int, tmp_path: Path, folder: Path
) -> None:
    if major < 3:
        status, envelope = upload(make_remote(), "a.py", PLAIN, bundle_name="one")
        assert (status, "no DAG bundles" in envelope["output"]) == (400, True)
        return
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    one, two = (Bundle(name, "LocalDagBundle", tmp_path / name) for name in ("one", "two"))
    git = Bundle("repository", "GitDagBundle", None)

    def put(*bundles: Bundle, **fields: str) -> tuple[int, str]:
        status, envelope = upload(
            make_remote(state_dir=shared_state, dag_bundles=bundles), "a.py", PLAIN, **fields
        )
        return status, envelope["output"]

    refused = {
        "one of one, two": put(one, git, two),
        "repository is a GitDagBundle": put(one, git, two, bundle_name="repository"),
        "there are one, repository, two": put(one, git, two, bundle_name="three"),
        "its files come from elsewhere": put(git),
    }
    for reason, (status, output) in refused.items():
        assert (status, reason in output) == (400, True), output
    assert put(one, git, two, bundle_name="two")[0] == 200
    assert list(files(tmp_path / "two")) == ["a.py"]
    assert files(tmp_path / "one") == files(folder) == {}
    assert put(one, git)[0] == 200
    assert list(files(tmp_path / "one")) == ["a.py"]
