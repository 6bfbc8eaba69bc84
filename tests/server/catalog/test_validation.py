from __future__ import annotations

import io
import shlex
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import FileStorage

from airflow_remote_server.catalog.argv import build_argv
from airflow_remote_server.catalog.classic import classic_endpoints
from airflow_remote_server.catalog.spec import Argument, Variant
from airflow_remote_server.catalog.validation import MAX_LINE_BYTES, MAX_VALUES, Validator
from airflow_remote_server.catalog.values import MAX_ARGUMENT_BYTES
from airflow_remote_server.catalog.variants import choose_variant
from airflow_remote_server.config.settings import Settings
from airflow_remote_server.errors import BadArguments
from airflow_remote_server.integrations.release import NEWEST_OF_MAJOR
from airflow_remote_server.util.flags import parse_flag

FOLDER = Path("/nowhere/at/all")
SETTINGS = Settings(None, NEWEST_OF_MAJOR[3], FOLDER, FOLDER, FOLDER)


def resolve(name: str, major: int, /, **arguments: Any) -> list[str]:
    """Return the command line for a request to a classic endpoint.

    :param name: the endpoint
    :param major: the major version of Airflow
    :param arguments: the arguments of the request
    """
    endpoint = classic_endpoints(NEWEST_OF_MAJOR[major])[name]
    lists = {key: value if isinstance(value, list) else [value] for key, value in arguments.items()}
    variant, rest = choose_variant(endpoint, lists)
    values, uploads = Validator(variant, SETTINGS).validate(rest)
    return build_argv(variant, {**values, **dict.fromkeys(uploads, "FILE")})


EXAMPLES: list[tuple[str, int, dict[str, Any], str]] = [
    ("version", 3, {}, "version"),
    (
        "trigger_dag",
        2,
        {"dag_id": "d", "exec_date": "2024-01-01"},
        "dags trigger --output=json --no-replace-microseconds --exec-date=2024-01-01 -- d",
    ),
    (
        "trigger_dag",
        3,
        {"dag_id": "d", "exec_date": "2024-01-01"},
        "dags trigger --output=json --logical-date=2024-01-01 -- d",
    ),
    ("trigger_dag", 3, {"dag_id": "d", "conf": "", "run_id": ""}, "dags trigger --output=json -- d"),
    (
        "trigger_dag",
        3,
        {"dag_id": "d", "conf": {"a": 1}},
        "dags trigger --output=json '--conf={\"a\": 1}' -- d",
    ),
    ("pause", 3, {"dag_id": "-h"}, "dags pause --output=json -- -h"),
    ("variables", 3, {}, "variables list --output=json"),
    ("variables", 3, {"cmd": "set", "key": "k", "value": ""}, "variables set -- k ''"),
    ("variables", 3, {"set": "k", "value": "--x"}, "variables set -- k --x"),
    ("variables", 3, {"set": "true", "key": "k", "value": "v", "json": "yes"}, "variables set --json -- k v"),
    ("variables", 3, {"get": "k", "default": ""}, "variables get --default= -- k"),
    ("variables", 3, {"export": "-"}, "variables export -- -"),
    ("variables", 3, {"delete": "k"}, "variables delete -- k"),
    ("connections", 2, {"list": True, "conn_id": "c"}, "connections list --output=json --conn-id=c"),
    ("connections", 3, {"list": "false"}, "connections list --output=json"),
    (
        "connections",
        3,
        {"add": "", "conn_id": "c", "conn_uri": "a://b"},
        "connections add --conn-uri a://b -- c",
    ),
    ("connections", 3, {"cmd": "get", "conn_id": "c"}, "connections get --output=json -- c"),
    ("pool", 3, {"set": "p", "slot_count": 5}, "pools set -- p 5 ''"),
    (
        "pool",
        3,
        {"cmd": "set", "pool_name": "p", "slot_count": "-1", "pool_description": "d"},
        "pools set -- p -1 d",
    ),
    ("list_dags", 3, {"report": "1"}, "dags report --output=json"),
    ("list_dags", 3, {"bundle_name": ["a", "b"]}, "dags list --output=json --bundle-name=a --bundle-name=b"),
    (
        "backfill",
        2,
        {"dag_id": "d", "start_date": "2024-01-01"},
        "dags backfill --yes --start-date=2024-01-01 -- d",
    ),
    (
        "backfill",
        3,
        {"dag_id": "d", "start_date": "2024-01-01"},
        "backfill create --dag-id=d --from-date=2024-01-01 --to-date=2024-01-01",
    ),
    ("clear", 3, {"dag_id": "d", "exclude_subdags": "", "no_confirm": "1"}, "tasks clear --yes -- d"),
    ("scheduler", 2, {"do_pickle": "1", "num_runs": "3"}, "scheduler --num-runs=3 --do-pickle"),
    ("scheduler", 3, {"do_pickle": "0"}, "scheduler"),
    (
        "run",
        2,
        {"dag_id": "d", "task_id": "t", "run_id": "r", "ignore_first_depends_on_past": ""},
        "tasks run --ignore-depends-on-past -- d t r",
    ),
    ("test", 3, {"dag_id": "d", "task_id": "t"}, "tasks test -- d t"),
    ("kerberos", 3, {"principal": "me@REALM", "daemon": True}, "kerberos --daemon -- me@REALM"),
]


@pytest.mark.parametrize(("name", "version", "arguments", "expected"), EXAMPLES)
def test_arguments_become_a_command_line(
    name: str, version: int, arguments: dict[str, Any], expected: str
) -> None:
    assert shlex.join(resolve(name, version, **arguments)) == expected


REJECTED: list[tuple[str, int, dict[str, Any], str]] = [
    ("trigger_dag", 3, {}, "missing: dag_id"),
    ("trigger_dag", 3, {"dag_id": ""}, "missing: dag_id"),
    ("render", 3, {}, "missing: dag_id, task_id, execution_date"),
    ("trigger_dag", 3, {"dag_id": "d", "dag": "x"}, "unknown argument 'd...' (did you mean 'dag_id'?)"),
    ("trigger_dag", 3, {"dag_id": ["a", "b"]}, "'dag_id' is given 2 times"),
    ("trigger_dag", 3, {"dag_id": "a\0b"}, "NUL"),
    ("trigger_dag", 3, {"dag_id": "--"}, "lone --"),
    ("trigger_dag", 3, {"dag_id": "x" * (MAX_ARGUMENT_BYTES + 1)}, "at most 131071"),
    ("trigger_dag", 3, {"dag_id": "é" * (MAX_ARGUMENT_BYTES // 2 + 1)}, "at most 131071"),
    ("trigger_dag", 3, {"dag_id": "\ud800"}, "surrogate"),
    ("trigger_dag", 3, {"dag_id": True}, "must be text"),
    ("trigger_dag", 3, {"dag_id": {"a": 1}}, "must be text"),
    ("trigger_dag", 3, {"dag_id": "d", "conf": "{"}, "not valid JSON"),
    ("trigger_dag", 3, {"dag_id": "d", "conf": "[1]"}, "must be a JSON object"),
    ("trigger_dag", 3, {"dag_id": "d", "conf": "[" * 100_000}, "not valid JSON"),
    ("trigger_dag", 3, {"dag_id": "d", "subdir": "x"}, "Airflow 3 has no --subdir: use bundle_name"),
    ("trigger_dag", 2, {"dag_id": "d", "subdir": "/etc"}, "inside the DAGs folder"),
    ("pool", 3, {"set": "p", "slot_count": "many"}, "a whole number"),
    ("pool", 3, {"set": "p", "slot_count": 1.5}, "a whole number"),
    ("variables", 3, {"get": "a", "delete": "b"}, "delete and get cannot be combined"),
    ("variables", 3, {"cmd": "gte"}, "did you mean 'get'?"),
    ("list_dags", 3, {"report": ["false", "true"]}, "'report' is given 2 times"),
    ("trigger_dag", 3, {"dag_id": "d", "conf": '{"a":' * 101 + "1" + "}" * 101}, "nested over 100 levels"),
    ("variables", 3, {"cmd": {"a": 1}}, "no such cmd"),
    ("variables", 3, {"get": "a", "value": "b"}, "unknown argument 'va...'"),
    ("variables", 3, {"export": "/tmp/x"}, "the server writes no files"),
    ("variables", 3, {"import": "/tmp/x"}, "send the file itself"),
    ("connections", 3, {"add": "maybe", "conn_id": "c"}, "is a flag"),
    ("connections", 3, {"add": "1", "conn_id": "c"}, "missing: one of conn_uri, conn_json, conn_type"),
    ("connections", 3, {"add": "1", "conn_id": "c", "conn_uri": "--help"}, "cannot begin with -"),
    ("connections", 3, {"conn_id": "c"}, "use get"),
    ("backfill", 3, {"dag_id": "d"}, "missing: one of start_date, end_date"),
    ("backfill", 3, {"dag_id": "d", "end_date": "x", "local": "1"}, "Airflow 3 has no --local"),
    (
        "backfill",
        3,
        {"dag_id": "d", "end_date": "x", "reprocess_behavior": "all"},
        "one of none, completed, failed",
    ),
    ("clear", 3, {"dag_id": "d", "upstream": "perhaps"}, "is a flag"),
    ("run", 2, {"dag_id": "d", "task_id": "t", "execution_date": "r", "cfg_path": "x"}, "deletes the file"),
    (
        "run",
        2,
        {"dag_id": "d", "task_id": "t", "execution_date": "r", "pickle": "1"},
        "runs code that it loads",
    ),
    ("scheduler", 3, {"pid": "/etc/pid"}, "inside Airflow's log folder"),
    ("scheduler", 3, {"stdout": "../../x"}, "inside Airflow's log folder"),
    ("kerberos", 3, {"keytab": "/etc/krb5.keytab"}, "[kerberos] keytab"),
    ("flower", 3, {"flower_conf": "x"}, "as Python"),
]


@pytest.mark.parametrize(("name", "version", "arguments", "message"), REJECTED)
def test_bad_arguments_are_rejected_with_one_line(
    name: str, version: int, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(BadArguments) as error:
        resolve(name, version, **arguments)
    assert message in error.value.message
    assert "\n" not in error.value.message


def test_all_problems_are_reported_at_once() -> None:
    with pytest.raises(BadArguments) as error:
        resolve("pool", 3, set="p", slot_count="x", color="red", include_deferred="?")
    assert error.value.message.count(";") == 2


@pytest.mark.parametrize("value", ["", "true", "True", "1", "yes", "YES", "on", True, 1])
def test_flag_is_on(value: Any) -> None:
    assert parse_flag(value) is True


@pytest.mark.parametrize("value", ["false", "0", "no", "Off", False, 0])
def test_flag_is_off(value: Any) -> None:
    assert parse_flag(value) is False


@pytest.mark.parametrize("value", ["maybe", "2", 2, 1.0, None, [], {}, "tru"])
def test_other_values_are_not_flags(value: Any) -> None:
    assert parse_flag(value) is None


def test_upload_must_be_a_file_with_a_name() -> None:
    file = FileStorage(io.BytesIO(b"{}"), filename="vars.json")
    assert resolve("variables", 3, **{"import": file}) == ["variables", "import", "--", "FILE"]
    with pytest.raises(BadArguments, match="send the file itself"):
        resolve("variables", 3, **{"import": FileStorage(io.BytesIO(b"{}"), filename="")})
    with pytest.raises(BadArguments, match="must be text, not a file"):
        resolve("trigger_dag", 3, dag_id=file)


@pytest.mark.parametrize("uri", ["http://u:pa/ss@h/", "http://u:12x@h:1y/", "http://[::1", "http://h:99999/"])
def test_uri_that_cannot_be_split_is_refused_without_a_part_of_it(uri: str) -> None:
    with pytest.raises(BadArguments, match="percent-encode") as caught:
        resolve("connections", 3, add="", conn_id="c", conn_uri=uri)
    assert "pa" not in caught.value.message.replace("password", "")
    assert "12x" not in caught.value.message
    assert "http" not in caught.value.message


@pytest.mark.parametrize(
    "uri", ["postgres://u:p%2Fw@h:5432/db?a=b", "http://u:p@h", "sqlite://", "a-b://@:80"]
)
def test_other_uris_are_left_to_airflow(uri: str) -> None:
    argv = resolve("connections", 3, add="", conn_id="c", conn_uri=uri)
    assert argv == ["connections", "add", "--conn-uri", uri, "--", "c"]


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(data=st.data())
def test_no_input_smuggles_in_an_option(data: st.DataObject) -> None:
    major = data.draw(st.sampled_from([2, 3]))
    table = classic_endpoints(NEWEST_OF_MAJOR[major])
    endpoint = table[data.draw(st.sampled_from([name for name in table if table[name].variants]))]
    names = sorted({arg.name for variant in endpoint.variants for arg in variant.arguments} | {"cmd", "x"})
    names += [variant.name for variant in endpoint.variants if variant.name]
    values = st.lists(JSON_VALUES, min_size=1, max_size=2)
    try:
        variant, rest = choose_variant(
            endpoint, data.draw(st.dictionaries(st.sampled_from(names), values, max_size=4))
        )
        words = build_argv(variant, Validator(variant, SETTINGS).validate(rest)[0])
    except BadArguments as error:
        assert "\n" not in error.message
        return
    assert tuple(words[: len(variant.command)]) == variant.command
    options = words[len(variant.command) : words.index("--") if "--" in words else None]
    known = {argument.flag for argument in variant.arguments if argument.flag and not argument.separate_value}
    separate = {argument.flag for argument in variant.arguments if argument.separate_value}
    while options:
        word = options.pop(0)
        if word in separate:
            assert not options.pop(0).startswith("-")
        else:
            assert word in variant.fixed or word.partition("=")[0] in known, "only known options"


VARIANT_WITH_LISTS = Variant(
    ("roles", "create"), (Argument("role", nargs="*"), Argument("queue", "--queue", repeatable=True))
)


@pytest.mark.parametrize("name", ["role", "queue"])
def test_list_length_is_limited(name: str) -> None:
    texts = [str(number) for number in range(MAX_VALUES)]
    values, _ = Validator(VARIANT_WITH_LISTS, SETTINGS).validate({name: [texts]})
    assert values[name] == texts
    for too_many in ([[*texts, "one more"]], [*texts, "one more"]):
        with pytest.raises(BadArguments) as error:
            Validator(VARIANT_WITH_LISTS, SETTINGS).validate({name: too_many})
        assert error.value.message == f"'{name}': at most {MAX_VALUES} values, not {MAX_VALUES + 1}"


def test_command_line_length_is_limited() -> None:
    count = MAX_LINE_BYTES // MAX_ARGUMENT_BYTES
    values, _ = Validator(VARIANT_WITH_LISTS, SETTINGS).validate(
        {"role": [["x" * MAX_ARGUMENT_BYTES] * count]}
    )
    assert len(values["role"]) == count  # type: ignore[arg-type]
    with pytest.raises(BadArguments) as error:
        Validator(VARIANT_WITH_LISTS, SETTINGS).validate(
            {"role": [["x" * MAX_ARGUMENT_BYTES] * count], "queue": ["é" * 60_000]}
        )
    assert f"at most {MAX_LINE_BYTES}" in error.value.message
