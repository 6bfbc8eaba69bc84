"""The collected output of a command."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from airflow_remote.api.transcript import Transcript
from airflow_remote.models import Result

OUTPUT = st.text(max_size=30).map(str.encode) | st.binary(max_size=30)


def transcribe(*more: tuple[str, str]) -> tuple[Transcript, list[tuple[str, str]]]:
    texts = []
    transcript = Transcript(lambda stream, text: texts.append((stream, text)))
    for stream, text in more:
        transcript.add(stream, text)
    return transcript, texts


@given(output=OUTPUT, border=st.integers(0, 30), size=st.integers(1, 9))
def test_output_from_events_and_bytes_is_collected_once(output: bytes, border: int, size: int) -> None:
    """The server sends an incomplete character as a replacement character."""
    first = output[:border].decode("utf-8", "replace")
    transcript, texts = transcribe(("stdout", first))
    offset = transcript.resume()["stdout"]
    for begin in range(offset, len(output), size):
        transcript.decode("stdout", output[begin : begin + size])
    transcript.end()
    everything = output.decode("utf-8", "replace")
    assert "".join(text for _, text in texts) == transcript.text("stdout")
    assert transcript.text("stdout") == first + everything[len(first) :]


def test_offsets_resume_after_valid_utf_8() -> None:
    transcript, _ = transcribe(("stdout", "é🙂"), ("stderr", "\ufffd"))
    assert transcript.resume() == {"stdout": 6, "stderr": 0}


def test_result_adds_the_missing_output() -> None:
    transcript, texts = transcribe(("stdout", "ab"))
    transcript.catch_up(Result({"status": "OK", "output": "", "stdout": "abc", "stderr": "e"}, 200))
    assert texts == [("stdout", "ab"), ("stdout", "c"), ("stderr", "e")]
    transcript.catch_up(Result({"status": "OK", "output": ""}, 200))
    assert len(texts) == 3


def test_streams_are_decoded_separately() -> None:
    transcript, _ = transcribe(("stdout", "a"), ("stderr", "b"), ("stdout", ""))
    transcript.decode("stdout", b"\xc3")
    transcript.decode("stderr", b"\xa9")
    transcript.decode("stdout", b"\xa9")
    transcript.end()
    assert (transcript.text("stdout"), transcript.text("stderr")) == ("aé", "b\ufffd")


def test_callback_is_optional() -> None:
    transcript = Transcript()
    transcript.add("stdout", "a")
    assert transcript.text("stdout") == "a"
