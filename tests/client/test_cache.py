"""What is kept of a server's commands between two runs, and when the server is asked."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pytest
from conftest import NOBODY, call
from contract import commands
from stub import answered, envelope

from airflow_remote.cache import FRESH_SECONDS, Cache
from airflow_remote.exit_status import ExitStatus

TOKEN = "s3cret-token"


@pytest.fixture
def warm(stub, run):
    """A server with live commands that has been asked for them once."""
    stub.catalogue = commands()
    assert run("dags", "--help").status == 0
    assert len(stub.asked) == 1
    stub.asked.clear()
    return stub


@pytest.fixture
def folder():
    return Path(os.environ["AIRFLOW_REMOTE_CACHE_DIR"])


def files(folder):
    return sorted(folder.glob("commands/*.json"))


def aged(folder, seconds):
    """Let the cache be so old."""
    for path in files(folder):
        os.utime(path, (time.time() - seconds, time.time() - seconds))


# What is on the disk.


def test_the_files_are_for_their_user_only(warm, folder):
    assert stat.S_IMODE((folder / "commands").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in (folder / "commands").iterdir()} == {0o600}
    assert len(files(folder)) == 1


def test_a_folder_that_others_could_look_into_is_closed(stub, run, folder):
    (folder / "commands").mkdir(mode=0o755)
    stub.catalogue = commands()
    run("dags", "--help")
    assert stat.S_IMODE((folder / "commands").stat().st_mode) == 0o700


def test_each_token_and_each_server_has_a_file_of_its_own_and_the_token_is_in_none(stub, run, folder):
    stub.catalogue = commands()
    for line in ([], ["--token", TOKEN], ["--token", f"{TOKEN}2"], ["--url", f"{stub.url}/x/admin/rest_api"]):
        run(*line, "dags", "--help")
    assert len(stub.asked) == 4
    for path in (folder / "commands").iterdir():
        assert TOKEN not in path.name
        assert TOKEN.encode() not in path.read_bytes()
    assert len(files(folder)) == 4


def test_names_cannot_be_guessed_from_tokens(stub, run, folder, monkeypatch, tmp_path):
    stub.catalogue = commands()
    run("--token", TOKEN, "dags", "--help")
    first = [path.name for path in files(folder)]
    monkeypatch.setenv("AIRFLOW_REMOTE_CACHE_DIR", str(tmp_path))
    run("--token", TOKEN, "dags", "--help")
    assert [path.name for path in files(tmp_path)] != first


def test_without_a_setting_it_is_in_the_user_s_cache_folder(stub, run, tmp_path, monkeypatch):
    monkeypatch.delenv("AIRFLOW_REMOTE_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    stub.catalogue = commands()
    run("dags", "--help")
    assert len(files(tmp_path / "airflow-remote")) == 1


def test_a_user_without_a_cache_folder_has_no_cache(stub, run, tmp_path, monkeypatch):
    monkeypatch.delenv("AIRFLOW_REMOTE_CACHE_DIR")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda *_, **__: "~/.cache/airflow-remote")
    stub.catalogue = commands()
    assert run("dags", "list").status == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["file", "link"])
def test_a_cache_that_cannot_be_used_is_none(stub, run, tmp_path, monkeypatch, kind):
    if kind == "file":
        (tmp_path / "commands").write_text("")
    else:
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "commands").symlink_to("elsewhere")
    monkeypatch.setenv("AIRFLOW_REMOTE_CACHE_DIR", str(tmp_path))
    stub.catalogue = commands()
    for _ in range(2):
        ended = run("dags", "list")
        assert (ended.status, ended.err) == (0, "")
    assert len(stub.asked) == 2


def test_what_nobody_uses_is_removed(warm, run, folder):
    old = folder / "commands" / "old.json"
    old.write_text("{}")
    aged(folder, FRESH_SECONDS + 1)
    os.utime(old, (0, 0))
    warm.catalogue["airflow"] = "3.3.3"
    run("dags", "--help")
    assert not old.exists()
    assert len(files(folder)) == 1


# When the server is asked.


def test_while_it_is_fresh_nothing_is_asked(warm, run):
    for line in (
        ["--help"],
        ["dags", "--help"],
        ["dags", "trigger", "--help"],
        ["dags", "list"],
        ["version"],
    ):
        assert run(*line).status == 0
    assert warm.asked == []


@pytest.mark.parametrize("age", [FRESH_SECONDS + 1, -1000.0])
def test_when_it_is_old_the_server_is_asked_whether_it_is_still_right(warm, run, folder, age):
    aged(folder, age)
    assert run("dags", "list").status == 0
    [asked] = warm.asked
    assert asked.headers["if-none-match"] == warm.etag
    assert run("dags", "list").status == 0
    assert len(warm.asked) == 1


def test_another_catalogue_takes_the_place_of_an_old_one(warm, run, folder):
    aged(folder, FRESH_SECONDS + 1)
    warm.catalogue["commands"] = [{"name": "dags fly", "help": "Let it fly"}]
    assert "Let it fly" in run("dags", "--help").out
    warm.asked.clear()
    assert "Let it fly" in run("dags", "--help").out
    assert warm.asked == []


def test_an_answer_with_another_etag_makes_it_old(warm, run):
    warm.answer(envelope(), headers={"Airflow-Remote-Catalogue": warm.etag})
    run("dags", "list")
    run("dags", "list")
    assert warm.asked == []
    warm.answer(envelope(), headers={"Airflow-Remote-Catalogue": '"another"'})
    run("trigger_dag", "x")
    assert warm.asked == []
    run("dags", "list")
    assert len(warm.asked) == 1


def test_an_etag_that_a_proxy_has_weakened_is_the_same(warm, run):
    warm.answer(envelope(), headers={"Airflow-Remote-Catalogue": f"W/{warm.etag}"})
    run("dags", "list")
    run("dags", "list")
    assert warm.asked == []


def test_a_name_that_is_not_known_is_asked_for_once(warm, run):
    ended = run("flags", "list")
    assert (ended.status, len(warm.asked)) == (ExitStatus.USAGE, 1)
    assert ended.says() == "no such command: 'flags'; did you mean 'dags'? (see airflow-remote --help)"
    warm.asked.clear()
    ended = run("dags", "lits")
    assert (ended.status, len(warm.asked)) == (ExitStatus.USAGE, 1)
    assert ended.says() == "no such command: 'lits'; did you mean 'list'? (see airflow-remote dags --help)"
    assert warm.requests == []


def test_a_command_that_is_new_on_the_server_is_found_at_once(warm, run):
    warm.catalogue["commands"] += [{"name": "dags fly"}, {"name": "fly"}]
    assert run("fly").status == 0
    warm.catalogue["commands"] += [{"name": "dags swim"}]
    assert run("dags", "swim").status == 0
    assert [request.path.rpartition("commands/")[2] for request in warm.requests] == ["fly", "dags/swim"]


def test_a_group_that_is_gone_from_the_server_is_told(warm, run):
    warm.catalogue["commands"] = [{"name": "version"}]
    warm.catalogue["groups"] = []
    ended = run("dags", "lits")
    assert ended.status == ExitStatus.USAGE
    assert "no such command: 'lits'" in ended.says()


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
def test_a_broken_file_is_none(warm, run, folder, content):
    [path] = files(folder)
    path.write_bytes(content)
    ended = run("dags", "list")
    assert (ended.status, ended.err, len(warm.asked)) == (0, "", 1)
    assert "if-none-match" not in warm.asked[0].headers
    assert run("dags", "list").status == 0
    assert len(warm.asked) == 1


# A server that cannot be asked.


def test_a_server_that_is_away_is_answered_from_the_cache_with_one_line(warm, run, folder):
    aged(folder, FRESH_SECONDS + 1)
    warm.refusal = answered(envelope(status="ERROR", stdout=None, stderr=None, exit_code=None), 503)
    ended = run("dags", "trigger", "--help")
    assert (ended.status, ended.out[:6]) == (0, "Usage:")
    assert ended.err == "airflow-remote: 1.7.0; using the commands that it had when it was asked last\n"


def test_an_old_cache_of_a_server_that_is_gone_still_helps(stub, folder):
    Cache(f"{NOBODY}/admin/rest_api", "").write("x", commands())
    aged(folder, FRESH_SECONDS + 1)
    ended = call("dags", "list", "--help")
    assert (ended.status, "List all the DAGs" in ended.out) == (0, True)
    assert ended.err.count("\n") == 1
    assert "no connection to" in ended.err
    ended = call("dags", "list")
    assert ended.status == ExitStatus.UNREACHABLE
    assert [line.partition(": no connection")[0] for line in ended.err.splitlines()] == ["airflow-remote"] * 2


def test_without_a_server_and_a_cache_only_the_classic_commands_are_known():
    ended = call("--help")
    assert (ended.status, ended.err) == (0, "")
    assert "They could not be read: no connection to" in ended.out
    assert "trigger_dag " in ended.out
    ended = call("dags", "list")
    assert ended.status == ExitStatus.UNREACHABLE
    assert "no connection to" in ended.says()
    assert "without the server's own commands, no such command: 'dags'" in ended.says()


def test_a_missing_token_is_told_instead_of_an_unknown_command(stub, run):
    said = {"call_time": "", "output": "Token Authentication Failed", "response_time": "", "status": "ERROR"}
    stub.refusal = answered(said, 403)
    ended = run("dags", "list")
    assert ended.status == ExitStatus.REFUSED
    assert "give the token by --token or AIRFLOW_REMOTE_TOKEN" in ended.says()


def test_a_server_that_is_too_new_says_what_to_do(stub, run):
    stub.catalogue = {"format": 2, "commands": []}
    ended = run("dags", "list")
    assert ended.status == ExitStatus.NOT_THE_API
    assert "tells its commands in format 2: update airflow-remote" in ended.says()


def test_a_server_that_is_too_old_has_the_classic_commands(stub, run):
    ended = run("dags", "list")
    assert (ended.status, stub.requests) == (ExitStatus.USAGE, [])
    assert "too old to tell its commands" in ended.says()
    assert run("variables", "--set", "k", "v").status == 0


def test_the_classic_commands_ask_for_no_catalogue(stub, run):
    stub.catalogue = commands()
    for line in ("trigger_dag x", "variables", "variables --set k v", "version", "pool -g p", "scheduler"):
        assert run(*line.split()).status == 0
    assert stub.asked == []


def test_what_can_be_no_command_is_not_asked_for(stub, run):
    assert run("--", "--version").status == ExitStatus.USAGE
    assert run("a/b").status == ExitStatus.USAGE
    assert stub.asked == []
