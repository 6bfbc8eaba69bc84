from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from airflow_remote.result import Result
from airflow_remote.transcript import Transcript

OUTPUT = st.text(max_size=30).map(str.encode) | st.binary(max_size=30)


def heard(*more):
    texts = []
    transcript = Transcript(lambda stream, text: texts.append((stream, text)))
    for stream, text in more:
        transcript.add(stream, text)
    return transcript, texts


@given(output=OUTPUT, border=st.integers(0, 30), size=st.integers(1, 9))
def test_output_that_comes_by_events_and_then_as_bytes_is_heard_once(output, border, size):
    """Whatever the bytes are; the server sends what it can decode, and a half character as a replacement."""
    first = output[:border].decode("utf-8", "replace")
    transcript, texts = heard(("stdout", first))
    offset = transcript.resume()["stdout"]
    for begin in range(offset, len(output), size):
        transcript.decode("stdout", output[begin : begin + size])
    transcript.end()
    everything = output.decode("utf-8", "replace")
    assert "".join(text for _, text in texts) == transcript.text("stdout")
    assert transcript.text("stdout") == first + everything[len(first) :]


def test_output_that_is_utf_8_is_not_read_again():
    transcript, _ = heard(("stdout", "é🙂"), ("stderr", "\ufffd"))
    assert transcript.resume() == {"stdout": 6, "stderr": 0}


def test_a_result_fills_what_has_not_been_heard():
    transcript, texts = heard(("stdout", "ab"))
    transcript.catch_up(Result({"status": "OK", "output": "", "stdout": "abc", "stderr": "e"}, 200))
    assert texts == [("stdout", "ab"), ("stdout", "c"), ("stderr", "e")]
    transcript.catch_up(Result({"status": "OK", "output": ""}, 200))
    assert len(texts) == 3


def test_the_streams_are_kept_apart():
    transcript, _ = heard(("stdout", "a"), ("stderr", "b"), ("stdout", ""))
    transcript.decode("stdout", b"\xc3")
    transcript.decode("stderr", b"\xa9")
    transcript.decode("stdout", b"\xa9")
    transcript.end()
    assert (transcript.text("stdout"), transcript.text("stderr")) == ("aé", "b\ufffd")


def test_nobody_has_to_listen():
    transcript = Transcript()
    transcript.add("stdout", "a")
    assert transcript.text("stdout") == "a"
