"""Live commands on the command line: which one is meant, what is sent, and what the help says."""

from __future__ import annotations

import json

import pytest
from conftest import call
from contract import commands
from hypothesis import given
from hypothesis import strategies as st
from stub import JOB_ID, answered, envelope, finished, job, printed
from stub import STARTED as BEGUN

from airflow_remote.exit_status import ExitStatus

CATALOGUE = commands()
NAMES = [entry["name"] for entry in CATALOGUE["commands"]]


@pytest.fixture
def live(stub, run):
    """A server with live commands, which is asked for them before anything else."""
    stub.catalogue = commands()
    run("--help")
    return stub


# What a command line asks the server for.

REQUESTS = [
    ("dags trigger d --conf {} -o json", "dags/trigger", {"dag_id": "d", "conf": "{}", "output": "json"}),
    ("dags list -B a --bundle-name=b", "dags/list", {"bundle_name": ["a", "b"]}),
    ("dags delete d -y", "dags/delete", {"dag_id": "d", "yes": True}),
    ("celery list-workers", "celery/list-workers", {}),
    ("celery list_workers", "celery/list-workers", {}),
    ("variables set k v", "variables/set", {"key": "k", "value": "v"}),
    ("variables list", "variables/list", {}),
    (
        "backfill create --dag-id d --from-date a --to-date b --no-run-on-latest-version",
        "backfill/create",
        {"dag_id": "d", "from_date": "a", "to_date": "b", "run_on_latest_version": False},
    ),
    (
        "roles add-perms r s -a x y -r z",
        "roles/add-perms",
        {"role": ["r", "s"], "action": ["x", "y"], "resource": ["z"]},
    ),
    ("kerberos p --pid", "kerberos", {"principal": "p", "pid": True}),
    ("version", "version", {}),
    ("scheduler --num_runs 3 --daemon", "scheduler", {"num_runs": "3", "daemon": True}),
    ("db shell", "db/shell", {}),
]


@pytest.mark.parametrize(("line", "path", "arguments"), REQUESTS, ids=[line for line, _, _ in REQUESTS])
def test_a_command_line_is_one_request(run, live, line, path, arguments):
    ended = run(*line.split())
    assert (ended.status, ended.out, ended.err) == (0, "1.7.0\n", "")
    assert live.request.method == "POST"
    assert live.request.path == f"/admin/rest_api/api/v1.0/commands/{path}"
    assert live.request.arguments == arguments


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(key=TEXT, value=TEXT, description=TEXT)
def test_any_value_arrives_as_it_was_given(shared_stub, key, value, description):
    shared_stub.reset()
    shared_stub.catalogue = commands()
    line = ["variables", "set", f"--description={description}", "--", key, value]
    ended = call("--url", shared_stub.url, *line)
    if "--" in (key, value, description):
        return
    assert ended.status == 0, ended.err
    assert shared_stub.request.arguments == {"key": key, "value": value, "description": description}


def test_what_a_command_prints_comes_as_it_comes_and_its_exit_code_is_the_exit_status(run, live):
    live.stream(
        BEGUN,
        printed("a\r\n"),
        printed("log\n", "stderr"),
        finished(status="ERROR", output="log", stdout="a\r\n", stderr="log\n", exit_code=3),
    )
    ended = run("dags", "list")
    assert (ended.status, ended.stdout, ended.stderr) == (3, b"a\r\n", b"log\n")


def test_a_service_is_answered_at_once_with_its_job(run, live):
    running = envelope(output="scheduler runs", stdout=None, exit_code=None, job=job(kind="service"))
    live.answer(running, 202)
    assert run("scheduler", "-D").out == "scheduler runs\n"
    assert run("--detach", "scheduler").out == f"{JOB_ID}\n"
    assert json.loads(run("--json", "scheduler").out) == running


def test_global_options_stay_in_front(run, live):
    assert json.loads(run("--json", "dags", "list").out) == envelope()
    ended = run("dags", "list", "--json")
    assert (ended.status, len(live.requests)) == (ExitStatus.USAGE, 1)
    assert "unrecognized arguments: --json" in ended.says()


# Names that are two commands.

CLASSIC = [
    ("variables", "variables", {}),
    ("variables --set k v", "variables", {"cmd": "set", "key": "k", "value": "v"}),
    ("variables -g k", "variables", {"cmd": "get", "key": "k"}),
    ("connections --list", "connections", {"cmd": "list"}),
    ("backfill my_dag -s 2026-01-01", "backfill", {"dag_id": "my_dag", "start_date": "2026-01-01"}),
    ("kerberos -kt x", "kerberos", {"keytab": "x"}),
    ("trigger_dag d", "trigger_dag", {"dag_id": "d"}),
]


@pytest.mark.parametrize(
    ("line", "path", "arguments"),
    CLASSIC,
    ids=[line for line, _, _ in CLASSIC],
)
def test_a_line_as_in_airflow_1_is_the_classic_command(run, live, line, path, arguments):
    assert run(*line.split()).status == 0
    assert live.request.path == f"/admin/rest_api/api/v1.0/{path}"
    assert live.request.arguments == arguments


def test_an_option_that_only_airflow_1_has_makes_it_the_classic_command(run, live):
    assert run("scheduler", "--num_runs", "3").status == 0
    assert live.request.path.endswith("/commands/scheduler")
    live.requests.clear()
    entry = next(one for one in live.catalogue["commands"] if one["name"] == "scheduler")
    entry["arguments"] = [one for one in entry["arguments"] if one["name"] != "num_runs"]
    run("nothing-of-this-name")  # asks for the catalogue anew
    for line in ("scheduler --num_runs 3", "scheduler --num-runs=3"):
        assert run(*line.split()).status == 0
        assert live.request.path.endswith("/v1.0/scheduler")
        assert live.request.arguments == {"num_runs": "3"}
        live.requests.clear()
    assert "unrecognized arguments" in run("scheduler", "--", "--num_runs").says()


def test_a_group_of_both_kinds_is_asked_for_when_nothing_is_known_yet(run, stub):
    stub.catalogue = commands()
    assert run("variables", "list").status == 0
    assert (stub.request.path.rpartition("v1.0/")[2], len(stub.asked)) == ("commands/variables/list", 1)


def test_a_word_that_neither_knows_is_told_by_the_group(run, live):
    ended = run("variables", "lits")
    assert ended.status == ExitStatus.USAGE
    assert ended.says().endswith("did you mean 'list'? (see airflow-remote variables --help)")
    assert live.requests == []


def test_help_of_a_name_of_both_kinds_tells_both(run, live):
    for option in ("--help", "-h"):
        shown = run("variables", option).out
        assert "Commands:\n  export  Export all variables" in shown
        assert "As in Airflow 1.x" in shown
        assert "-s, --set KEY VALUE" in shown
    assert "As in Airflow 1.x" not in run("dags", "--help").out


# Names that mean nothing.


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("initdb", "Airflow 3.3.2 has no `initdb`; use db migrate"),
        ("shell", "Airflow 3.3.2 has no `shell`; use db shell"),
        ("dags backfill d", "Airflow 3.3.2 has no `dags backfill`; use backfill create"),
        ("tasks run d t e", "Airflow 3.3.2 has no `tasks run`; use tasks test, dags trigger and tasks clear"),
    ],
)
def test_a_name_of_another_airflow_is_answered_with_today_s(run, live, line, said):
    ended = run(*line.split())
    assert (ended.status, ended.says(), live.requests) == (ExitStatus.UNSUPPORTED, said, [])


@pytest.mark.parametrize(
    ("line", "name"), [("edge worker -q x", "edge worker"), ("edge -h", "edge"), ("edge", "edge")]
)
def test_what_this_airflow_could_have_is_answered_with_what_it_needs(run, live, line, name):
    ended = run(*line.split())
    assert (ended.status, live.requests) == (ExitStatus.UNSUPPORTED, [])
    needed = "the edge provider (pip install apache-airflow-providers-edge3)"
    assert ended.says() == f"this Airflow has no `{name}`: it needs {needed}"


def test_of_a_command_that_is_not_told_it_is_said_that_the_token_may_not_run_it(run, stub):
    stub.catalogue = {**commands(), "withheld": True}
    run("--help")
    for line in ("tasks clear d", "standalone"):
        ended = run(*line.split())
        assert ended.status == ExitStatus.USAGE
        assert "no such command" in ended.says()
        assert "or this token may not run it, see airflow-remote whoami" in ended.says()


def test_what_the_server_says_of_another_airflow_is_the_same_status(run, live):
    said = envelope(status="ERROR", output="use db migrate", stdout=None, stderr=None, exit_code=None)
    live.at_first(answered(said, 501))
    ended = run("dags", "list")
    assert (ended.status, ended.says()) == (ExitStatus.UNSUPPORTED, "use db migrate")


def test_what_the_policy_refuses_is_said_by_the_server(run, live):
    said = envelope(status="ERROR", output="it needs a terminal", stdout=None, stderr=None, exit_code=None)
    live.at_first(answered(said, 403))
    ended = run("db", "shell")
    assert (ended.status, ended.says()) == (ExitStatus.REFUSED, "it needs a terminal")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("dgs list", "no such command: 'dgs'; did you mean 'dags'?"),
        ("list_dag", "did you mean 'list_dags'?"),
        ("jbo list", "did you mean 'job'?"),
        ("dags", "Missing command"),
        ("dags --nonsense", "No such option"),
        (
            "dags trigger",
            "the following arguments are required: dag_id (see airflow-remote dags trigger --help)",
        ),
        ("dags trigger d e", "unrecognized arguments: e (see"),
        ("dags trigger d --config {}", "unrecognized arguments: --config {}; did you mean --conf? (see"),
        ("dags trigger d --logicaldate=x", "; did you mean --logical-date? (see"),
        ("dags trigger d -o xml", "invalid choice: 'xml'"),
    ],
)
def test_a_wrong_command_line_is_refused_in_one_line(run, live, line, reason):
    ended = run(*line.split())
    assert ended.status == ExitStatus.USAGE
    assert reason in ended.says()
    assert live.requests == []


# The help.


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_help_without_a_request(run, live, name):
    live.asked.clear()
    entry = next(one for one in CATALOGUE["commands"] if one["name"] == name)
    for option in ("--help", "-h"):
        ended = run(*name.split(), option)
        assert (ended.status, ended.err) == (0, "")
        assert ended.out.startswith(f"Usage: airflow-remote {name} ")
        shown = " ".join(ended.out.split())
        assert " ".join((entry["description"] or entry["help"]).split())[:40] in shown
        for argument in entry["arguments"]:
            for flag in (*argument["flags"], argument["off"]):
                assert f"{flag}" in shown
            assert " ".join(argument["help"].split())[:30] in shown
    assert (live.asked, live.requests) == ([], [])


@pytest.mark.parametrize("group", [entry["name"] for entry in CATALOGUE["groups"]])
def test_every_group_has_help_that_lists_its_commands(run, live, group):
    shown = " ".join(run(group, "--help").out.split())
    entry = next(one for one in CATALOGUE["groups"] if one["name"] == group)
    assert " ".join((entry["description"] or entry["help"]).split())[:40] in shown
    for one in CATALOGUE["commands"]:
        if one["name"].startswith(f"{group} "):
            assert f"{one['name'].rpartition(' ')[2]} {one['help'][:30]}" in shown


def test_the_program_s_help_lists_airflow_s_commands_then_the_classic_ones_then_job(run, live):
    shown = run("--help").out
    places = [
        shown.index(text)
        for text in (
            "\nGroups:\n  backfill ",
            "\n  dags ",
            "\nCommands:\n  kerberos ",
            "\nCommands as in Airflow 1.x:\n  list_dags, trigger_dag,",
            "\n  job  List jobs",
        )
    ]
    assert places == sorted(places)


def test_what_is_hidden_refused_or_required_is_so_in_the_help(run, live):
    entry = next(one for one in live.catalogue["commands"] if one["name"] == "dags list")
    entry["hidden"] = True
    run("nothing-of-this-name")  # asks for the catalogue anew
    assert "\n  list " not in run("dags", "--help").out
    assert run("dags", "list").status == 0
    text = " ".join(run("db", "shell", "--help").out.split())
    assert "The server refuses it: it needs a terminal" in text
    text = " ".join(run("tasks", "test", "--help").out.split())
    assert "Refused by the server: it needs a terminal" in text
    text = " ".join(run("backfill", "create", "--help").out.split())
    assert "--dag-id TEXT The dag to backfill. Required" in text


def test_no_text_of_the_server_s_steers_the_terminal(run, live):
    """Not in help either, where click shows texts as they are."""
    hostile = "\x1b]0;title\x07"
    for entry in live.catalogue["commands"]:
        entry["help"] = entry["description"] = entry["epilog"] = entry["refused"] = hostile
        for one in entry["arguments"]:
            one.update(help=hostile, metavar=hostile, default=hostile, choices=[hostile], refused=hostile)
    run("nothing-of-this-name")  # asks for the catalogue anew
    for entry in live.catalogue["commands"]:
        shown = run(*entry["name"].split(), "--help")
        assert shown.status == 0
        assert "]0;title" in shown.out
        assert not {"\x1b", "\x07"} & {*shown.out, *shown.err}, entry["name"]


# Completion.


def completed(start, stub, words, index):
    env = {"_AIRFLOW_REMOTE_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(index)}
    env["AIRFLOW_REMOTE_URL"] = stub.url
    out, err = start(env=env).communicate(timeout=30)
    assert err == b""
    return [line.partition(",")[2] or line for line in out.decode().split()]


def test_groups_commands_and_options_are_completed_from_the_cache_without_a_request(live, start):
    live.asked.clear()
    assert completed(start, live, "airflow-remote dags", 1) == ["dags"]
    assert completed(start, live, "airflow-remote trig", 1) == ["trigger_dag"]
    assert completed(start, live, "airflow-remote dags ", 2) == ["delete", "list", "trigger"]
    assert completed(start, live, "airflow-remote dags trigger --l", 3) == ["--logical-date"]
    assert completed(start, live, "airflow-remote dags trigger d -o p", 5) == ["plain"]
    assert (live.asked, live.requests) == ([], [])


def test_without_a_cache_the_classic_commands_are_completed_without_a_request(stub, start):
    stub.catalogue = commands()
    assert completed(start, stub, "airflow-remote da", 1) == ["dag_state"]
    assert stub.asked == []
