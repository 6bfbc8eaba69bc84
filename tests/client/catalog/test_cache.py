"""The cached list of a server's commands, and when it is refreshed."""

from __future__ import annotations

import os
import stat
import sys
import time
from pathlib import Path

import pytest
from contract import commands

from airflow_remote.catalog.cache import FRESH_SECONDS, CatalogCache
from airflow_remote.exit_status import ExitStatus
from client.program import UNREACHABLE_URL, Run, call
from client.responses import envelope, json_response
from client.stub import Stub

TOKEN = "s3cret-token"


@pytest.fixture
def cached(stub: Stub, run: Run) -> Stub:
    """Return the stub server with live commands, after its catalog was cached."""
    stub.catalog = commands()
    assert run("dags", "--help").status == 0
    assert len(stub.catalog_requests) == 1
    stub.catalog_requests.clear()
    return stub


@pytest.fixture
def cache_dir() -> Path:
    """Return the directory of the cache."""
    return Path(os.environ["AIRFLOW_REMOTE_CACHE_DIR"])


def cache_files(cache_dir: Path) -> list[Path]:
    """Return the cached catalogs."""
    return sorted(cache_dir.glob("commands/*.json"))


def set_cache_age(cache_dir: Path, seconds: float) -> None:
    """Make the cache files older by some seconds."""
    for path in cache_files(cache_dir):
        os.utime(path, (time.time() - seconds, time.time() - seconds))


# Files.


def test_cache_files_are_private(cached: Stub, cache_dir: Path) -> None:
    assert stat.S_IMODE((cache_dir / "commands").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in (cache_dir / "commands").iterdir()} == {0o600}
    assert len(cache_files(cache_dir)) == 1


def test_readable_cache_directory_becomes_private(stub: Stub, run: Run, cache_dir: Path) -> None:
    (cache_dir / "commands").mkdir(mode=0o755)
    stub.catalog = commands()
    run("dags", "--help")
    assert stat.S_IMODE((cache_dir / "commands").stat().st_mode) == 0o700


def test_each_token_and_server_has_its_own_file_without_the_token(
    stub: Stub, run: Run, cache_dir: Path
) -> None:
    stub.catalog = commands()
    for line in ([], ["--token", TOKEN], ["--token", f"{TOKEN}2"], ["--url", f"{stub.url}/x/admin/rest_api"]):
        run(*line, "dags", "--help")
    assert len(stub.catalog_requests) == 4
    for path in (cache_dir / "commands").iterdir():
        assert TOKEN not in path.name
        assert TOKEN.encode() not in path.read_bytes()
    assert len(cache_files(cache_dir)) == 4


def test_file_names_cannot_be_derived_from_tokens(
    stub: Stub, run: Run, cache_dir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stub.catalog = commands()
    run("--token", TOKEN, "dags", "--help")
    first = [path.name for path in cache_files(cache_dir)]
    monkeypatch.setenv("AIRFLOW_REMOTE_CACHE_DIR", str(tmp_path))
    run("--token", TOKEN, "dags", "--help")
    assert [path.name for path in cache_files(tmp_path)] != first


def test_default_cache_is_in_the_user_cache_directory(
    stub: Stub, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIRFLOW_REMOTE_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    stub.catalog = commands()
    run("dags", "--help")
    assert len(cache_files(tmp_path / "airflow-remote")) == 1


@pytest.mark.parametrize("named", [None, "", "relative/caches"])
def test_default_cache_without_a_named_directory_is_in_the_home(
    stub: Stub, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str | None
) -> None:
    monkeypatch.delenv("AIRFLOW_REMOTE_CACHE_DIR")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    if named is not None:
        monkeypatch.setenv("XDG_CACHE_HOME", named)
    stub.catalog = commands()
    run("dags", "--help")
    assert len(cache_files(tmp_path / ".cache" / "airflow-remote")) == 1


def test_other_platforms_have_their_own_cache_directory(
    stub: Stub, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIRFLOW_REMOTE_CACHE_DIR")
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda *_, **__: str(tmp_path / "Caches"))
    monkeypatch.setattr(sys, "platform", "darwin")
    stub.catalog = commands()
    run("dags", "--help")
    assert len(cache_files(tmp_path / "Caches")) == 1


def test_user_without_a_home_has_no_cache(
    stub: Stub, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIRFLOW_REMOTE_CACHE_DIR")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    stub.catalog = commands()
    assert run("dags", "list").status == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["file", "link"])
def test_unusable_cache_directory_is_ignored(
    stub: Stub, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    if kind == "file":
        (tmp_path / "commands").write_text("")
    else:
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "commands").symlink_to("elsewhere")
    monkeypatch.setenv("AIRFLOW_REMOTE_CACHE_DIR", str(tmp_path))
    stub.catalog = commands()
    for _ in range(2):
        completed = run("dags", "list")
        assert (completed.status, completed.err) == (0, "")
    assert len(stub.catalog_requests) == 2


def test_system_without_user_ids_has_a_cache(
    stub: Stub, run: Run, cache_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "geteuid")  # as on Windows
    stub.catalog = commands()
    assert run("dags", "--help").status == 0
    assert len(cache_files(cache_dir)) == 1


def test_unused_cache_files_are_removed(cached: Stub, run: Run, cache_dir: Path) -> None:
    old = cache_dir / "commands" / "old.json"
    old.write_text("{}")
    set_cache_age(cache_dir, FRESH_SECONDS + 1)
    os.utime(old, (0, 0))
    cached.catalog["airflow"] = "3.3.3"
    run("dags", "--help")
    assert not old.exists()
    assert len(cache_files(cache_dir)) == 1


# Requests to the server.


def test_fresh_cache_needs_no_request(cached: Stub, run: Run) -> None:
    for line in (
        ["--help"],
        ["dags", "--help"],
        ["dags", "trigger", "--help"],
        ["dags", "list"],
        ["version"],
    ):
        assert run(*line).status == 0
    assert cached.catalog_requests == []


@pytest.mark.parametrize("age", [FRESH_SECONDS + 1, -1000.0])
def test_stale_cache_is_revalidated(cached: Stub, run: Run, cache_dir: Path, age: float) -> None:
    set_cache_age(cache_dir, age)
    assert run("dags", "list").status == 0
    [asked] = cached.catalog_requests
    assert asked.headers["if-none-match"] == cached.etag
    assert run("dags", "list").status == 0
    assert len(cached.catalog_requests) == 1


def test_changed_catalog_replaces_the_cached_one(cached: Stub, run: Run, cache_dir: Path) -> None:
    set_cache_age(cache_dir, FRESH_SECONDS + 1)
    cached.catalog["commands"] = [{"name": "dags fly", "help": "Let it fly"}]
    assert "Let it fly" in run("dags", "--help").out
    cached.catalog_requests.clear()
    assert "Let it fly" in run("dags", "--help").out
    assert cached.catalog_requests == []


def test_response_with_another_etag_makes_the_cache_stale(cached: Stub, run: Run) -> None:
    cached.respond(envelope(), headers={"Airflow-Remote-Catalog": cached.etag})
    run("dags", "list")
    run("dags", "list")
    assert cached.catalog_requests == []
    cached.respond(envelope(), headers={"Airflow-Remote-Catalog": '"another"'})
    run("trigger_dag", "x")
    assert cached.catalog_requests == []
    run("dags", "list")
    assert len(cached.catalog_requests) == 1


def test_response_with_the_same_etag_confirms_the_cache(cached: Stub, run: Run, cache_dir: Path) -> None:
    cached.respond(envelope(), headers={"Airflow-Remote-Catalog": cached.etag})
    set_cache_age(cache_dir, FRESH_SECONDS - 600)
    run("dags", "list")
    [path] = cache_files(cache_dir)
    assert time.time() - path.stat().st_mtime < FRESH_SECONDS - 600
    assert cached.catalog_requests == []


def test_weak_etag_equals_the_strong_one(cached: Stub, run: Run) -> None:
    cached.respond(envelope(), headers={"Airflow-Remote-Catalog": f"W/{cached.etag}"})
    run("dags", "list")
    run("dags", "list")
    assert cached.catalog_requests == []


def test_unknown_name_refreshes_the_cache_once(cached: Stub, run: Run) -> None:
    completed = run("dagz", "list")
    assert (completed.status, len(cached.catalog_requests)) == (ExitStatus.USAGE, 1)
    assert completed.message() == "no such command: 'dagz'; did you mean 'dags'? (see airflow-remote --help)"
    cached.catalog_requests.clear()
    completed = run("dags", "lits")
    assert (completed.status, len(cached.catalog_requests)) == (ExitStatus.USAGE, 1)
    assert (
        completed.message()
        == "no such command: 'lits'; did you mean 'list'? (see airflow-remote dags --help)"
    )
    assert cached.requests == []


def test_new_command_is_found_despite_a_fresh_cache(cached: Stub, run: Run) -> None:
    cached.catalog["commands"] += [{"name": "dags fly"}, {"name": "fly"}]
    assert run("fly").status == 0
    cached.catalog["commands"] += [{"name": "dags swim"}]
    assert run("dags", "swim").status == 0
    assert [request.path.rpartition("commands/")[2] for request in cached.requests] == ["fly", "dags/swim"]


def test_removed_group_is_reported(cached: Stub, run: Run) -> None:
    cached.catalog["commands"] = [{"name": "version"}]
    cached.catalog["groups"] = []
    completed = run("dags", "lits")
    assert completed.status == ExitStatus.USAGE
    assert "no such command: 'lits'" in completed.message()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b'{"etag": 1, "document": {}}',
        b'{"etag": "x", "document": {"format": 1}}',
        b"[" * 10**5,
    ],
    ids=lambda content: repr(content[:12]),
)
def test_corrupt_cache_file_is_ignored(cached: Stub, run: Run, cache_dir: Path, content: bytes) -> None:
    [path] = cache_files(cache_dir)
    path.write_bytes(content)
    completed = run("dags", "list")
    assert (completed.status, completed.err, len(cached.catalog_requests)) == (0, "", 1)
    assert "if-none-match" not in cached.catalog_requests[0].headers
    assert run("dags", "list").status == 0
    assert len(cached.catalog_requests) == 1


# Failing servers.


def test_stale_cache_is_used_if_the_server_fails(cached: Stub, run: Run, cache_dir: Path) -> None:
    set_cache_age(cache_dir, FRESH_SECONDS + 1)
    cached.catalog_response = json_response(
        envelope(status="ERROR", stdout=None, stderr=None, exit_code=None), 503
    )
    completed = run("dags", "trigger", "--help")
    assert (completed.status, completed.out[:6]) == (0, "Usage:")
    assert completed.err == "airflow-remote: 1.7.0; using the cached list of commands\n"


def test_stale_cache_is_used_if_the_server_is_unreachable(stub: Stub, cache_dir: Path) -> None:
    CatalogCache(f"{UNREACHABLE_URL}/admin/rest_api", "").write("x", commands())
    set_cache_age(cache_dir, FRESH_SECONDS + 1)
    completed = call("dags", "list", "--help")
    assert (completed.status, "List all the DAGs" in completed.out) == (0, True)
    assert completed.err.count("\n") == 1
    assert "no connection to" in completed.err
    completed = call("dags", "list")
    assert completed.status == ExitStatus.UNREACHABLE
    assert [line.partition(": no connection")[0] for line in completed.err.splitlines()] == [
        "airflow-remote"
    ] * 2
