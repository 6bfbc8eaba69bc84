"""The client's side of the samples in tests/contract."""

from __future__ import annotations

import json

import pytest
from contract import samples, streams
from stub import event

SAMPLES = samples()


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)
def test_a_sample_is_asked_for_and_shown_as_agreed(run, stub, sample, tmp_path):
    request, response, client = sample["request"], sample["response"], sample["client"]
    path = ""
    for file in request.get("files", {}).values():
        path = tmp_path / file["filename"]
        path.write_text(file["content"], encoding="utf-8")
    stub.answer(response["body"], response["status"], response.get("headers"))

    ended = run(*[str(path) if word == "{file}" else word for word in client["command_line"]])

    assert (stub.request.name, stub.request.arguments) == (request["name"], request["arguments"])
    sent = {
        name: {"filename": name_, "content": data.decode()}
        for name, (name_, data) in stub.request.files.items()
    }
    assert sent == request.get("files", {})
    assert (ended.out, ended.err, ended.status) == (client["stdout"], client["stderr"], client["exit_status"])


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)
def test_with_json_the_whole_answer_is_shown_and_nothing_else(run, stub, sample, tmp_path):
    response, client = sample["response"], sample["client"]
    (tmp_path / "file.json").write_text("{}")
    stub.answer(response["body"], response["status"], response.get("headers"))
    line = [str(tmp_path / "file.json") if word == "{file}" else word for word in client["command_line"]]

    ended = run("--json", *line)

    assert json.loads(ended.out) == response["body"]
    assert ended.err == ""
    assert ended.status == client["exit_status"]


@pytest.mark.parametrize("stream", streams().values(), ids=streams())
def test_a_stream_is_shown_as_agreed(run, stub, stream):
    stub.stream(*(event(**said) for said in stream["events"]))
    ended, client = run("version"), stream["client"]
    assert (ended.out, ended.err, ended.status) == (client["stdout"], client["stderr"], client["exit_status"])
