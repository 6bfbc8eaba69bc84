"""Test ``GET /jobs/ID/output``."""

from __future__ import annotations

import shutil
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from processes import wait_for

from airflow_remote_server.http.resources.job_output import BLOCK, whole_characters

if TYPE_CHECKING:
    from probe_dag import MakeProbe
    from remote import Remote


@pytest.mark.parametrize(
    ("query", "hint"),
    [
        ("stream=stdin", "'stream' must be stdout or stderr"),
        ("offset=-1", "'offset' must be a whole number"),
        ("offset=1.5", "'offset' must be a whole number"),
        ("wait=x", "'wait' must be a whole number"),
        ("waits=1", "unknown argument 'wa...'"),
    ],
)
def test_invalid_output_requests_are_explained(make_remote: Any, old: Any, query: str, hint: str) -> None:
    [job] = old()
    response = make_remote()(f"jobs/{job.id}/output?{query}")
    assert response.status_code == 400
    assert hint in response.json["output"]


def test_output_is_read_from_any_offset(make_remote: Any, old: Any) -> None:
    text = "zwölf Boxkämpfer\n"
    data = text.encode()
    [job] = old(output=data)
    remote = make_remote()
    part = remote.output(job.id)
    assert part == {
        "stream": "stdout",
        "offset": 0,
        "next_offset": len(data),
        "data": text,
        "complete": True,
        "state": "succeeded",
    }
    assert remote.output(job.id, offset="4")["data"] == data[4:].decode()
    beyond = remote.output(job.id, offset="1000", wait="5")
    assert (beyond["data"], beyond["next_offset"], beyond["complete"]) == ("", 1000, True)
    assert remote.output(job.id, stream="stderr")["data"] == ""
    shutil.rmtree(remote.settings.state_dir / "jobs" / job.id)
    assert remote.output(job.id)["data"] == ""


def test_text_output_returns_raw_bytes_and_next_offset(make_remote: Any, old: Any) -> None:
    data = b"a\xff\xc3"
    [job] = old(output=data)
    remote = make_remote()
    response = remote(f"jobs/{job.id}/output?offset=1", ACCEPT="text/plain")
    assert response.content_type == "text/plain; charset=utf-8"
    assert response.headers["Airflow-Remote-Next-Offset"] == "3"
    assert response.headers["Airflow-Remote-Job-State"] == "succeeded"
    assert response.headers["Airflow-Remote-Output-Sizes"].startswith("stdout=")
    assert response.data == data[1:]
    assert remote.output(job.id)["data"] == "a\ufffd\ufffd"


def test_large_output_comes_in_blocks_of_whole_characters(make_remote: Any, old: Any) -> None:
    text = "a" + "é" * BLOCK
    [job] = old(output=text.encode())
    remote, pieces, offset = make_remote(), [], 0
    part: dict[str, Any] = {"complete": False}
    while not part["complete"]:
        part = remote.output(job.id, offset=str(offset))
        assert part["offset"] == offset
        pieces.append(part["data"])
        offset = part["next_offset"]
    assert len(pieces) > 2
    assert "".join(pieces) == text


@given(st.text(st.characters(min_codepoint=0x20), max_size=50), st.integers(0, 200))
def test_text_cut_at_any_byte_is_reassembled(text: str, cut: int) -> None:
    data = text.encode("utf-8", "surrogatepass") if not text.isprintable() else text.encode()
    head = whole_characters(data[:cut])
    assert data.startswith(head)
    assert len(data[:cut]) - len(head) <= 3
    if text.isprintable():
        assert head.decode() + data[len(head) :].decode() == text


@given(st.binary(max_size=50))
def test_binary_output_is_returned_as_well(data: bytes) -> None:
    head = whole_characters(data)
    assert data.startswith(head)
    rest = data[len(head) :]
    assert len(rest) <= 3
    assert not rest or rest[0] >= 0xC0, "only the start of a character is held back"


@pytest.mark.slow
def test_output_request_waits_for_output(remote: Remote, make_probe: MakeProbe) -> None:
    probe = make_probe("wait")
    job_id = remote.begin(probe)
    part = remote.output(job_id, wait="30")
    assert (part["data"], part["complete"], part["state"]) == ("begun\n", False, "running")
    begun = time.monotonic()
    nothing = remote.output(job_id, offset="6", wait="1")
    assert (nothing["data"], nothing["next_offset"]) == ("", 6)
    assert 1 <= time.monotonic() - begun < remote.settings.default_wait
    threading.Timer(0.3, probe.release).start()
    more = remote.output(job_id, offset="6", wait="60")
    assert more["data"].startswith("done\n")
    assert remote.end(job_id)["state"] == "succeeded"


@pytest.mark.slow
def test_output_request_returns_when_job_ends(remote: Remote, make_probe: MakeProbe) -> None:
    probe = make_probe("wait")
    job_id = remote.begin(probe)
    threading.Timer(0.3, probe.release).start()
    # A request that had waited for a minute would say that the job is still running.
    part = remote.output(job_id, stream="stderr", wait="60")
    assert (part["data"], part["complete"], part["state"]) == ("", True, "succeeded")


@pytest.mark.slow
def test_both_streams_can_be_read(remote: Remote, make_probe: MakeProbe) -> None:
    job_id = remote.run(make_probe("both")).json["job"]["id"]
    assert remote.output(job_id)["data"].startswith("to stdout\n")
    assert "to stderr\n" in remote.output(job_id, stream="stderr")["data"]
    job = remote.job(job_id)
    assert job["stdout_bytes"] == remote.output(job_id)["next_offset"]


@pytest.mark.slow
def test_partial_character_waits_for_the_rest(remote: Remote, make_probe: MakeProbe) -> None:
    probe = make_probe("half")
    job_id = remote.begin(probe)
    part = wait_for(lambda: (part := remote.output(job_id))["data"] and part)
    assert (part["data"], part["next_offset"]) == ("a", 1)
    probe.release()
    remote.end(job_id)
    assert remote.output(job_id, offset="1")["data"].startswith("\u00e9")
