"""Compare the client with the samples in tests/contract."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from contract import samples, streams

from client.program import Run
from client.responses import event
from client.stub import Stub

SAMPLES = samples()


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)
def test_client_sends_and_shows_each_sample(
    run: Run, stub: Stub, sample: dict[str, Any], tmp_path: Path
) -> None:
    request, response, client = sample["request"], sample["response"], sample["client"]
    path = ""
    for file in request.get("files", {}).values():
        path = tmp_path / file["filename"]
        path.write_text(file["content"], encoding="utf-8")
    stub.respond(response["body"], response["status"], response.get("headers"))

    completed = run(*[str(path) if word == "{file}" else word for word in client["command_line"]])

    assert (stub.request.name, stub.request.arguments) == (request["name"], request["arguments"])
    sent = {
        name: {"filename": name_, "content": data.decode()}
        for name, (name_, data) in stub.request.files.items()
    }
    assert sent == request.get("files", {})
    assert (completed.out, completed.err, completed.status) == (
        client["stdout"],
        client["stderr"],
        client["exit_status"],
    )


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)
def test_json_option_prints_only_the_full_response(
    run: Run, stub: Stub, sample: dict[str, Any], tmp_path: Path
) -> None:
    response, client = sample["response"], sample["client"]
    (tmp_path / "file.json").write_text("{}")
    stub.respond(response["body"], response["status"], response.get("headers"))
    line = [str(tmp_path / "file.json") if word == "{file}" else word for word in client["command_line"]]

    completed = run("--json", *line)

    assert json.loads(completed.out) == response["body"]
    assert completed.err == ""
    assert completed.status == client["exit_status"]


@pytest.mark.parametrize("stream", streams().values(), ids=streams())
def test_client_shows_each_stream_sample(run: Run, stub: Stub, stream: dict[str, Any]) -> None:
    stub.stream(*(event(**fields) for fields in stream["events"]))
    completed, client = run("version"), stream["client"]
    assert (completed.out, completed.err, completed.status) == (
        client["stdout"],
        client["stderr"],
        client["exit_status"],
    )
