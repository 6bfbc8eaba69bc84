"""Request bodies: JSON and multipart forms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_remote.client import Client
from airflow_remote.errors import UnusableError
from client.stub import Stub

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@given(value=JSON.filter(lambda value: value is not None))
def test_any_json_arrives_unchanged(shared_stub: Stub, value: Any) -> None:
    shared_stub.reset()
    Client(shared_stub.url).run("trigger_dag", dag_id="x", conf=value)
    assert shared_stub.request.headers["content-type"] == "application/json"
    assert shared_stub.request.arguments == {"dag_id": "x", "conf": value}


@given(text=TEXT, content=st.binary(max_size=300))
def test_text_and_files_arrive_unchanged(
    shared_stub: Stub, tmp_path_factory: pytest.TempPathFactory, text: str, content: bytes
) -> None:
    shared_stub.reset()
    path = tmp_path_factory.mktemp("upload") / "vars.json"
    path.write_bytes(content)
    Client(shared_stub.url).run("variables", cmd="import", action_on_existing_key=text, file=path)
    request = shared_stub.request
    assert request.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert request.arguments == {"cmd": "import", "action_on_existing_key": text}
    assert request.files == {"file": ("vars.json", content)}


def test_form_fields_encode_flags_json_and_lists(stub: Stub, tmp_path: Path) -> None:
    path = tmp_path / "dag.py"
    path.write_text("pass")
    Client(stub.url).run(
        "x", dag_file=path, force=True, pause=False, n=3, conf={"a": "é"}, many=["a", "b"], no=None
    )
    assert stub.request.arguments == {
        "force": "true",
        "pause": "false",
        "n": "3",
        "conf": '{"a": "é"}',
        "many": ["a", "b"],
    }


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("\udcff", "'conf' is not valid UTF-8"),
        ({"a": "\ud800"}, "'conf' is not valid UTF-8"),
        (["\udcff"], "'conf' is not valid UTF-8"),
        (float("nan"), "'conf' cannot be sent as JSON"),
        ({"a": float("inf")}, "'conf' cannot be sent as JSON"),
        (object(), "'conf' cannot be sent as JSON"),
        (b"bytes", "'conf' cannot be sent as JSON"),
    ],
    ids=repr,
)
def test_value_that_json_cannot_represent_is_rejected(stub: Stub, value: Any, reason: str) -> None:
    with pytest.raises(UnusableError, match=reason):
        Client(stub.url).run("trigger_dag", dag_id="x", conf=value)
    assert stub.requests == []


@pytest.mark.parametrize("filename", ['quo"te.py', "new\nline.py", "é.py", "a b;c.py", "back\\slash.py"])
def test_file_name_cannot_inject_headers(stub: Stub, tmp_path: Path, filename: str) -> None:
    path = tmp_path / filename
    path.write_text("pass")
    Client(stub.url).run("deploy_dag", dag_file=path, force=True)
    assert stub.request.arguments == {"force": "true"}
    [(name, (sent, content))] = stub.request.files.items()
    assert (name, content) == ("dag_file", b"pass")
    assert sent.replace("%22", '"').replace("%0A", "\n").replace("\\", "") == filename.replace("\\", "")
