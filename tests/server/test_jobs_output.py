"""``GET /jobs/ID/output``: what a job prints, by pieces."""

from __future__ import annotations

import shutil
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from processes import wait_for

from airflow_remote_server.jobs import resource
from airflow_remote_server.jobs.resource import whole_characters

if TYPE_CHECKING:
    from collections.abc import Callable

    from deeds import Deed
    from remote import Remote

    Make = Callable[..., Deed]


@pytest.mark.parametrize(
    ("query", "hint"),
    [
        ("stream=stdin", "'stream' must be stdout or stderr"),
        ("offset=-1", "'offset' must be a whole number"),
        ("offset=1.5", "'offset' must be a whole number"),
        ("wait=x", "'wait' must be a whole number"),
        ("waits=1", "unknown argument: 'waits'"),
    ],
)
def test_output_that_cannot_be_had_is_said(make_remote: Any, old: Any, query: str, hint: str) -> None:
    [job] = old()
    response = make_remote()(f"jobs/{job.id}/output?{query}")
    assert response.status_code == 400
    assert hint in response.json["output"]


def test_output_is_read_from_any_offset(make_remote: Any, old: Any) -> None:
    text = "zwölf Boxkämpfer\n"
    data = text.encode()
    [job] = old(output=data)
    remote = make_remote()
    said = remote.output(job.id)
    assert said == {
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


def test_output_as_text_is_the_bytes_with_the_next_offset(make_remote: Any, old: Any) -> None:
    data = b"a\xff\xc3"
    [job] = old(output=data)
    remote = make_remote()
    response = remote(f"jobs/{job.id}/output?offset=1", ACCEPT="text/plain")
    assert response.content_type == "text/plain; charset=utf-8"
    assert response.headers["Airflow-Remote-Next-Offset"] == "3"
    assert response.data == data[1:]
    assert remote.output(job.id)["data"] == "a\ufffd\ufffd"


def test_much_output_comes_in_blocks_of_whole_characters(make_remote: Any, old: Any) -> None:
    text = "a" + "é" * resource.BLOCK
    [job] = old(output=text.encode())
    remote, pieces, offset = make_remote(), [], 0
    said: dict[str, Any] = {"complete": False}
    while not said["complete"]:
        said = remote.output(job.id, offset=str(offset))
        assert said["offset"] == offset
        pieces.append(said["data"])
        offset = said["next_offset"]
    assert len(pieces) > 2
    assert "".join(pieces) == text


@given(st.text(st.characters(min_codepoint=0x20), max_size=50), st.integers(0, 200))
def test_a_text_that_is_cut_anywhere_comes_whole_in_the_end(text: str, cut: int) -> None:
    data = text.encode("utf-8", "surrogatepass") if not text.isprintable() else text.encode()
    head = whole_characters(data[:cut])
    assert data.startswith(head)
    assert len(data[:cut]) - len(head) <= 3
    if text.isprintable():
        assert head.decode() + data[len(head) :].decode() == text


@given(st.binary(max_size=50))
def test_bytes_that_are_no_text_are_given_all_the_same(data: bytes) -> None:
    head = whole_characters(data)
    assert data.startswith(head)
    rest = data[len(head) :]
    assert len(rest) <= 3
    assert not rest or rest[0] >= 0xC0, "what is held back begins a character, which may come whole"


@pytest.mark.slow
def test_output_is_waited_for(remote: Remote, make_deed: Make) -> None:
    deed = make_deed("wait")
    job_id = remote.begin(deed)
    said = remote.output(job_id, wait="30")
    assert (said["data"], said["complete"], said["state"]) == ("begun\n", False, "running")
    begun = time.monotonic()
    nothing = remote.output(job_id, offset="6", wait="1")
    assert (nothing["data"], nothing["next_offset"]) == ("", 6)
    assert 1 <= time.monotonic() - begun < 5
    threading.Timer(0.3, deed.go).start()
    more = remote.output(job_id, offset="6", wait="60")
    assert more["data"].startswith("done\n")
    assert remote.end(job_id)["state"] == "succeeded"


@pytest.mark.slow
def test_the_wait_for_output_ends_with_the_job(remote: Remote, make_deed: Make) -> None:
    deed = make_deed("wait")
    job_id = remote.begin(deed)
    threading.Timer(0.3, deed.go).start()
    begun = time.monotonic()
    said = remote.output(job_id, stream="stderr", wait="60")
    assert time.monotonic() - begun < 30
    assert (said["data"], said["complete"], said["state"]) == ("", True, "succeeded")


@pytest.mark.slow
def test_both_streams_can_be_read(remote: Remote, make_deed: Make) -> None:
    job_id = remote.run(make_deed("both")).json["job"]["id"]
    assert remote.output(job_id)["data"].startswith("to stdout\n")
    assert "to stderr\n" in remote.output(job_id, stream="stderr")["data"]
    job = remote.job(job_id)
    assert job["stdout_bytes"] == remote.output(job_id)["next_offset"]


@pytest.mark.slow
def test_half_a_character_waits_for_its_other_half(remote: Remote, make_deed: Make) -> None:
    deed = make_deed("half")
    job_id = remote.begin(deed)
    said = wait_for(lambda: (said := remote.output(job_id))["data"] and said)
    assert (said["data"], said["next_offset"]) == ("a", 1)
    deed.go()
    remote.end(job_id)
    assert remote.output(job_id, offset="1")["data"].startswith("\u00e9")
