"""Collect a command's output from different kinds of responses: each text once, in order."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING, Callable

from airflow_remote.http.ndjson import STREAMS

if TYPE_CHECKING:
    from airflow_remote.models import Result

OnOutput = Callable[[str, str], None]
"""Is called with a stream name, ``stdout`` or ``stderr``, and a text that the command printed."""


class Transcript:
    """The output of one command.

    :param on_output: is called with each text as it arrives; None to only collect it
    """

    def __init__(self, on_output: OnOutput | None = None) -> None:
        self._on_output = on_output
        self._streams = {stream: StreamTranscript() for stream in STREAMS}

    def add(self, stream: str, text: str) -> None:
        """Add a text that continues the previous one."""
        if text:
            self._streams[stream].texts.append(text)
            if self._on_output is not None:
                self._on_output(stream, text)

    def decode(self, stream: str, data: bytes) -> None:
        """Add bytes that continue at the position from ``resume``, or after the previous bytes."""
        self.add(stream, self._streams[stream].decode(data))

    def resume(self) -> dict[str, int]:
        """Return the position in bytes to continue at, by stream."""
        return {stream: transcript.resume() for stream, transcript in self._streams.items()}

    def end(self) -> None:
        """Finish decoding: no more bytes follow."""
        for stream, transcript in self._streams.items():
            self.add(stream, transcript.decode(b"", final=True))

    def catch_up(self, result: Result) -> None:
        """Add the part of a result's output that has not been received yet."""
        for stream, text in (("stdout", result.stdout), ("stderr", result.stderr)):
            self.add(stream, (text or "")[sum(map(len, self._streams[stream].texts)) :])

    def text(self, stream: str) -> str:
        """Return the collected output of a stream."""
        return "".join(self._streams[stream].texts)


class StreamTranscript:
    """The collected output of one stream."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._skipped = 0

    def resume(self) -> int:
        """Return the position to continue at, in bytes.

        Replacement characters stand for an unknown number of bytes. A stream that contains one is read
        again from its beginning, and the text received before is skipped.
        """
        text = "".join(self.texts)
        self._decoder.reset()
        self._skipped = 0
        if "\ufffd" in text:
            self._skipped = len(text)
            return 0
        return len(text.encode("utf-8", "surrogatepass"))

    def decode(self, data: bytes, final: bool = False) -> str:
        """Decode bytes, and drop the text to be skipped."""
        text = self._decoder.decode(data, final)
        skipped = min(self._skipped, len(text))
        self._skipped -= skipped
        return text[skipped:]
