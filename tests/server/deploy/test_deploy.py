"""Deploy DAG files over the API."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from dagfiles import PLAIN, dag, files, packed, upload

from airflow_remote_server.config.dag_files import DagBundle

if TYPE_CHECKING:
    from remote import Remote

pytestmark = pytest.mark.slow


def test_file_is_written_to_the_dags_folder(deploy: Any, folder: Path) -> None:
    status, envelope = deploy("new_dag.py", PLAIN)
    assert (status, envelope["output"]) == (200, "DAG File [new_dag.py] has been uploaded")
    assert (envelope["airflow_cmd"], envelope["dag_ids"]) == ("deploy_dag new_dag.py", [])
    assert files(folder) == {"new_dag.py": PLAIN}


def test_response_lists_the_dags(deploy: Any, folder: Path) -> None:
    source = dag("told_b", "told_a", before="print('of its own')")
    status, envelope = deploy("two.py", source)
    assert status == 200, envelope
    assert envelope["stdout"] == "DAG File [two.py] has been uploaded; DAGs: told_a, told_b\n"
    assert "of its own" in envelope["stderr"]
    assert envelope["dag_ids"] == ["told_a", "told_b"]
    assert envelope["result"] == {"dag_ids": ["told_a", "told_b"], "import_errors": {}, "versions": []}
    assert files(folder) == {"two.py": source}


def test_legacy_endpoint_deploys(remote: Remote, folder: Path) -> None:
    data = {"dag_file": (io.BytesIO(PLAIN), "old_shape.py")}
    address = "/admin/rest_api/api?api=deploy_dag"
    response = remote.client.post(address, data=data, headers={"rest_api_plugin_http_token": "open sesame"})
    assert response.json is not None
    assert response.json["output"]["stdout"] == "DAG File [old_shape.py] has been uploaded\n"
    assert files(folder) == {"old_shape.py": PLAIN}


def test_package_is_stored_as_one_file_in_a_subfolder(deploy: Any, folder: Path) -> None:
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


def test_file_is_parsed_with_its_neighbors_in_the_dags_folder(deploy: Any, folder: Path) -> None:
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
    assert deploy("among.py", dag("among2", before=read))[0] == 422  # no query.sql beside it


def test_existing_file_is_replaced_only_with_force(deploy: Any, folder: Path) -> None:
    (folder / "a.py").write_text("old")
    status, envelope = deploy("a.py", PLAIN)
    assert (status, envelope["error"]["type"]) == (409, "Conflict")
    assert "force" in envelope["output"]
    assert files(folder) == {"a.py": b"old"}
    assert deploy("a.py", PLAIN, force="true")[0] == 200
    assert files(folder) == {"a.py": PLAIN}


def test_file_that_forks_is_deployed_once(deploy: Any, folder: Path) -> None:
    status, envelope = deploy("twice.py", dag("twice", before="import os; os.fork()"))
    assert (status, envelope["output"]) == (200, "DAG File [twice.py] has been uploaded; DAGs: twice")
    assert list(files(folder)) == ["twice.py"]


def test_job_reports_dags_and_import_errors(remote: Remote, folder: Path) -> None:
    for source, dag_ids in ((dag("later"), ["later"]), (dag(before="import no_such_module"), [])):
        data = {"dag_file": (io.BytesIO(source), "later.py"), "force": "1"}
        job_id = remote("deploy_dag", "POST", data=data, PREFER="respond-async").json["job"]["id"]
        found = remote.end(job_id)
        assert found["dag_ids"] == dag_ids
        assert bool(found["import_errors"]) == (not dag_ids)


@pytest.mark.parametrize("force", ["", "1"])
def test_concurrent_deployments_of_one_file_do_not_mix(remote: Remote, folder: Path, force: str) -> None:
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


def test_concurrent_deployments_cannot_define_the_same_dag(remote: Remote, folder: Path) -> None:
    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(lambda name: upload(remote, name, dag("raced")), ["r1.py", "r2.py", "r3.py"]))
    assert sorted(status for status, _ in answers) == [200, 409, 409]
    assert len(files(folder)) == 1


def test_waiting_without_a_dag_processor_says_so(deploy: Any, folder: Path) -> None:
    status, envelope = deploy("waits.py", dag("waits"), wait="1")
    assert (status, envelope["dag_ids"]) == (422, ["waits"])
    assert envelope["output"].startswith(
        "waits.py is in place, but Airflow has not parsed it within 1 s: no "
    )
    assert list(files(folder)) == ["waits.py"]
    status, envelope = deploy("nothing.py", PLAIN, wait="60")
    assert (status, "no DAGs to wait for" in envelope["output"]) == (200, True)


@pytest.mark.parametrize("wish", ["pause", "unpause"])
def test_dags_are_paused_or_unpaused(home_remote: Remote, wish: str) -> None:
    for task in ("one", "two"):  # Airflow itself would not update a DAG again so soon
        fields = {wish: "true", "force": "true", "wait": "60"}
        status, envelope = upload(home_remote, "wished.py", dag("wished", task=task), **fields)
        assert status == 200, envelope
        said = f"DAG File [wished.py] has been uploaded; {wish}d: wished; parsed by Airflow"
        assert envelope["output"] == said


def test_upload_is_deleted_after_the_command(deploy: Any, shared_state: Path) -> None:
    status, envelope = deploy("gone.py", PLAIN)
    assert status == 200
    names = {path.name for path in (shared_state / "jobs" / envelope["job"]["id"]).iterdir()}
    assert not [name for name in names if name.startswith(("upload", "stage"))]


def test_file_goes_to_the_requested_bundle(
    make_remote: Any, shared_state: Path, major: int, tmp_path: Path, folder: Path
) -> None:
    if major < 3:
        status, envelope = upload(make_remote(), "a.py", PLAIN, bundle_name="one")
        assert (status, "no DAG bundles" in envelope["output"]) == (400, True)
        return
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    one, two = (DagBundle(name, "LocalDagBundle", tmp_path / name) for name in ("one", "two"))
    git = DagBundle("repository", "GitDagBundle", None)

    def put(*bundles: DagBundle, **fields: str) -> tuple[int, str]:
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
