"""What has been heard of a command so far, from whichever answers it came: each text once, in order."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING, Callable

from airflow_remote.events import STREAMS

if TYPE_CHECKING:
    from airflow_remote.result import Result

OnOutput = Callable[[str, str], None]
"""Gets the name of a stream, ``stdout`` or ``stderr``, and a text that the command has printed there."""


class Transcript:
    """The output of one command.

    :param on_output: gets each text as it comes; None when it is only collected
    """

    def __init__(self, on_output: OnOutput | None = None) -> None:
        self._on_output = on_output
        self._heard = {stream: Heard() for stream in STREAMS}

    def add(self, stream: str, text: str) -> None:
        """Note a text that goes on where the last one ended."""
        if text:
            self._heard[stream].texts.append(text)
            if self._on_output is not None:
                self._on_output(stream, text)

    def decode(self, stream: str, data: bytes) -> None:
        """Note bytes that go on where ``resume`` said, or where the last ones ended."""
        self.add(stream, self._heard[stream].decode(data))

    def resume(self) -> dict[str, int]:
        """Where to go on when it is to be read as bytes, by stream."""
        return {stream: heard.resume() for stream, heard in self._heard.items()}

    def end(self) -> None:
        """Note that no more bytes come."""
        for stream, heard in self._heard.items():
            self.add(stream, heard.decode(b"", final=True))

    def catch_up(self, result: Result) -> None:
        """Note what a result holds and has not been heard."""
        for stream, text in (("stdout", result.stdout), ("stderr", result.stderr)):
            self.add(stream, (text or "")[sum(map(len, self._heard[stream].texts)) :])

    def text(self, stream: str) -> str:
        """All that has been heard of a stream."""
        return "".join(self._heard[stream].texts)


class Heard:
    """What has been heard of one stream."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._skipped = 0

    def resume(self) -> int:
        """The offset to go on at, in bytes.

        Of what was not UTF-8, and came as the replacement character, it cannot be told how many bytes it had:
        such a stream is read again from its beginning, and what has been heard is left out.
        """
        text = "".join(self.texts)
        self._decoder.reset()
        self._skipped = 0
        if "\ufffd" in text:
            self._skipped = len(text)
            return 0
        return len(text.encode("utf-8", "surrogatepass"))

    def decode(self, data: bytes, final: bool = False) -> str:
        """The text of some bytes, without what is to be left out."""
        text = self._decoder.decode(data, final)
        left_out = min(self._skipped, len(text))
        self._skipped -= left_out
        return text[left_out:]
