"""Several webservers whose output goes to a real S3 server, or to a folder that they share."""

from __future__ import annotations

import time
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from processes import state_folder, wait_for
from remote import watch
from s3 import BUCKET, s3_server

from airflow_remote_server.config.reader import _read_output_store
from airflow_remote_server.config.settings import SettingsError
from airflow_remote_server.errors import Unavailable
from airflow_remote_server.integrations.object_storage import missing_for, open_object_storage
from airflow_remote_server.jobs.nodes import objects as objects_module
from airflow_remote_server.jobs.nodes.objects import ObjectStore, OutputStoreUnavailable
from airflow_remote_server.jobs.nodes.pieces import object_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from probe_dag import MakeProbe
    from remote import Remote
    from s3 import S3

SIZE = 300_000


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3]:
    """Return an S3 server that is not started yet, which s3fs finds by the environment."""
    # A file system that this process keeps would go on using the address of an earlier server.
    import_module("fsspec").get_filesystem_class("s3").clear_instance_cache()
    with s3_server() as server:
        for name, value in {
            "AWS_ENDPOINT_URL": server.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_MAX_ATTEMPTS": "1",
            "NO_PROXY": "127.0.0.1",
        }.items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.fixture
def make_nodes(
    shared_url: str, make_remote: Callable[..., Remote]
) -> Iterator[Callable[[str], tuple[Remote, Remote]]]:
    """Return a function that makes callers of two webservers whose agents run."""
    with state_folder() as first, state_folder() as second:

        def make(output_store: str) -> tuple[Remote, Remote]:
            here, there = (
                make_remote(state_dir=state, jobs_url=shared_url, output_store=output_store)
                for state in (first, second)
            )
            watch(here)
            watch(there)
            return here, there

        yield make


def read_all(remote: Remote, job_id: str) -> int:
    """Return the size of all output that a webserver can read of a job."""
    read = 0
    while data := remote.output(job_id, offset=str(read))["data"]:
        read += len(data)
    return read


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["s3", "file"])
def test_output_goes_to_objects_that_are_removed_with_the_job(
    kind: str,
    s3: S3,
    tmp_path: Path,
    make_nodes: Callable[[str], tuple[Remote, Remote]],
    make_probe: MakeProbe,
) -> None:
    if kind == "s3":
        s3.start()
        here, there = make_nodes(f"s3://{BUCKET}/some/prefix")
    else:
        here, there = make_nodes(f"file://{tmp_path}/shared")

    def names() -> list[str]:
        if kind == "s3":
            return s3.keys()
        return [str(path) for path in tmp_path.glob("shared/*/*")]

    probe = make_probe("wait")
    small = here.begin(probe)
    wait_for(lambda: there.output(small)["data"] == "begun\n")
    assert not [name for name in names() if small in name], "an object for six bytes costs too much"
    probe.release()
    large = here.run(make_probe("burst", SIZE)).json["job"]["id"]
    assert there.end(large)["state"] == "succeeded"
    assert read_all(there, large) == SIZE + 1
    assert [name for name in names() if f"/{large}/" in name]
    assert there(f"jobs/{large}", "DELETE").status_code == 200
    wait_for(lambda: not [name for name in names() if large in name])
    for node in (here, there):
        assert "warning" not in node("health").json


@pytest.mark.slow
@pytest.mark.parametrize("how", ["absent", "frozen"])
def test_commands_run_without_the_server_and_their_output_arrives_later(
    how: str, s3: S3, make_nodes: Callable[[str], tuple[Remote, Remote]], make_probe: MakeProbe
) -> None:
    if how == "frozen":
        s3.start()
    here, there = make_nodes(f"s3://{BUCKET}")
    if how == "frozen":
        s3.freeze()
    job_id = here.run(make_probe("burst", SIZE)).json["job"]["id"]
    assert here.end(job_id)["state"] == "succeeded"
    assert read_all(here, job_id) == SIZE + 1
    wait_for(lambda: "output_store" in here("health").json.get("warning", ""))
    # The agent goes on with everything else.
    running = here.begin(probe := make_probe("wait"))
    wait_for(lambda: there.job(running)["state"] == "running")
    assert there.stop(running, PREFER="wait=60").status_code in (200, 202)
    wait_for(lambda: here.job(running)["state"] == "stopped")
    assert len(probe.processes) == 1
    (s3.thaw if how == "frozen" else s3.start)()

    def has_arrived() -> bool:
        reply = there(f"jobs/{job_id}/output", query_string={"offset": SIZE - 10})
        assert reply.status_code in (200, 503), "nothing but a failure that passes"
        return reply.status_code == 200 and len(reply.json["data"]) == 11

    wait_for(has_arrived)
    assert read_all(there, job_id) == SIZE + 1
    wait_for(lambda: "warning" not in here("health").json)


@pytest.mark.slow
def test_wrong_bucket_is_said_in_one_line(
    s3: S3,
    make_nodes: Callable[[str], tuple[Remote, Remote]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    s3.start()
    here, _ = make_nodes("s3://no-such-bucket/prefix")
    wait_for(lambda: "warning" in here("health").json)
    watch(here)
    [line] = {record.message for record in caplog.records if "no-such-bucket" in record.message}
    assert "\n" not in line
    assert "check [rest_api_plugin] output_store" in line
    assert "no-such-bucket" not in here("health").get_data(as_text=True), "anybody may read this"
    assert [bucket["Name"] for bucket in s3.client.list_buckets()["Buckets"]] == [BUCKET]


class Conf:
    """A configuration with one value."""

    def __init__(self, value: str) -> None:
        self._value = value

    def get(self, section: str, key: str, fallback: Any = None) -> str:
        """Return the value."""
        return self._value


@pytest.mark.parametrize(
    "url",
    ["s3://bucket", "s3://aws_default@bucket/a/b", "gs://bucket/a", "file:///srv/output", "abfs://c@box/x"],
)
def test_urls_are_accepted(url: str) -> None:
    assert _read_output_store(Conf(url + "/")) == url


@pytest.mark.parametrize(
    "url",
    [
        "s3:bucket",
        "s3://",
        "file://relative",
        "file:relative",
        "disk",
        "s3://b/../c",
        "s3://b/*",
        "s3://b?x=1",
    ],
)
def test_other_values_are_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="output_store must be"):
        _read_output_store(Conf(url))


@pytest.mark.parametrize("secret", ["hunter2", "hun/ter2", "hun#ter2", "hun?ter2", "hun@ter2", "hun:ter2"])
def test_password_is_refused_and_not_repeated(secret: str) -> None:
    with pytest.raises(SettingsError, match="connection of Airflow") as caught:
        _read_output_store(Conf(f"s3://key:{secret}@bucket"))
    assert "ter2" not in str(caught.value)


def test_store_works_again_after_calls_that_overlapped(monkeypatch: pytest.MonkeyPatch) -> None:
    class Backend:
        def read(self, name: str) -> bytes:
            if name == "bad":
                raise OSError("Service Unavailable")
            with pytest.raises(OutputStoreUnavailable):  # another request, meanwhile
                store.read(["bad"])
            return b"good"

    store = ObjectStore("s3://bucket")
    monkeypatch.setattr(objects_module, "open_backend", lambda _: Backend())
    assert store.read(["good"]) == [b"good"]
    assert (store.is_ready(), store.problem) == (True, "")
    store.remove([])
    assert store.is_ready()


@given(st.text())
def test_any_text_is_a_store_or_refused(text: str) -> None:
    try:
        value = _read_output_store(Conf(text))
    except SettingsError as error:
        assert "\n" not in str(error)
    else:
        assert value in ("database", "folder") or (urlsplit(value).scheme and ".." not in value.split("/"))


@given(st.text(), st.integers(1, 10**9), st.binary(min_size=32, max_size=32))
def test_names_of_objects_stay_below_the_prefix(job_id: str, seq: int, digest: bytes) -> None:
    try:
        name = object_name(job_id, seq, digest)
    except ValueError:
        return
    assert {"", ".", ".."}.isdisjoint(name.split("/"))
    assert name.count("/") == 1


def test_store_that_fails_is_left_alone_for_some_time(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    class Failing:
        def read(self, name: str) -> bytes:
            calls.append(name)
            raise OSError("Service Unavailable\nand more")

    now = SimpleNamespace(time=0.0)
    store = ObjectStore("s3://bucket", lambda: now.time)
    monkeypatch.setattr(objects_module, "open_backend", lambda _: Failing())
    for pause in (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0):
        for _ in range(3):
            with pytest.raises(OutputStoreUnavailable, match=r"OSError: Service Unavailable; check"):
                store.read(["a"])
        now.time += pause
        assert store.is_ready()
    assert len(calls) == 7


def test_store_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hanging:
        def read(self, name: str) -> bytes:
            time.sleep(3)
            return b""

    monkeypatch.setattr(objects_module, "CALL_SECONDS", 0.1)
    monkeypatch.setattr(objects_module, "open_backend", lambda _: Hanging())
    with pytest.raises(Unavailable, match="no answer within"):
        ObjectStore("s3://bucket").read(["a"] * 20)


def test_connection_of_airflow_gives_the_credentials() -> None:
    try:
        from airflow.sdk.io import attach
    except ImportError:
        from airflow.io.store import attach
    mine = import_module("fsspec").filesystem("memory")
    attach("s3", "my_conn", fs=mine)
    file_system, root = open_object_storage("s3://my_conn@bucket/some/prefix")
    assert file_system is mine
    assert root == "bucket/some/prefix"


def test_missing_library_is_named() -> None:
    assert missing_for("s3://bucket") == ""
    assert missing_for("gs://bucket") == "install gcsfs for gs:// URLs"
    assert "nosuch://" in missing_for("nosuch://bucket")
