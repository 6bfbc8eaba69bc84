"""Catalogues on this machine: one file for each server and token, as old as the last time it was confirmed.

The name of a file is a digest of the URL and of the token. That of the token is keyed with random bytes that
are kept beside the files, so that the name does not help to guess a token. Nothing here raises: a cache that
cannot be used is none.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import os
import stat
import time
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = "AIRFLOW_REMOTE_CACHE_DIR"
"""Environment variable: the folder to use instead of the user's cache folder."""

FRESH_SECONDS = 3600.0
"""How long a catalogue is used without asking the server."""
KEPT_SECONDS = 30 * 86400.0
"""How long a file is kept that nobody uses."""
KEY_BYTES = 32
MAX_BYTES = 1 << 25
"""A catalogue of 150 commands has about a quarter of a megabyte."""


class Cached(NamedTuple):
    """A catalogue from the cache.

    :param etag: its ETag, without quotes
    :param document: as the server sent it
    :param fresh: whether it can be used without asking the server
    """

    etag: str
    document: Any
    fresh: bool


class Cache:
    """The catalogue of one server, as one token sees it.

    :param base: the API's URL
    :param token: "" for none
    """

    def __init__(self, base: str, token: str) -> None:
        self._path: Path | None = None
        with contextlib.suppress(OSError, ValueError, RuntimeError):
            folder = _folder()
            keyed = hmac.new(_key(folder), token.encode("utf-8", "surrogatepass"), sha256).hexdigest()
            self._path = folder / f"{sha256(f'{base} {keyed}'.encode()).hexdigest()}.json"

    def read(self) -> Cached | None:
        """What there is; None when there is nothing, or it is broken."""
        if self._path is None:
            return None
        try:
            with self._path.open("rb") as file:
                found = os.fstat(file.fileno())
                if found.st_size > MAX_BYTES:
                    return None
                said = json.loads(file.read())
            etag, document = said["etag"], said["document"]
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None
        # A file from the future is not fresh either: clocks can be set back.
        fresh = 0 <= time.time() - found.st_mtime < FRESH_SECONDS
        return Cached(etag, document, fresh) if isinstance(etag, str) else None

    def write(self, etag: str, document: Any) -> None:
        """Keep a catalogue, as of now."""
        if self._path is None:
            return
        with contextlib.suppress(OSError):
            _write(self._path, json.dumps({"etag": etag, "document": document}).encode())
            self._tidy(self._path)

    def confirm(self) -> None:
        """Note that the server still has this catalogue."""
        self._date(time.time())

    def outdate(self) -> None:
        """Note that the server has another catalogue by now."""
        self._date(time.time() - FRESH_SECONDS - 1)

    def _date(self, moment: float) -> None:
        if self._path is not None:
            with contextlib.suppress(OSError):
                os.utime(self._path, (moment, moment))

    def _tidy(self, written: Path) -> None:
        """Remove what other servers and former tokens have left behind."""
        for path in written.parent.glob("*.json"):
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < time.time() - KEPT_SECONDS:
                    path.unlink()


def _folder() -> Path:
    """The folder of the files, which nobody else can look into.

    :raises OSError: when there is none, and none can be made
    """
    given = os.environ.get(FOLDER)
    if given:
        above = Path(given)
    else:
        import platformdirs

        above = Path(platformdirs.user_cache_dir("airflow-remote", appauthor=False))
        if not above.is_absolute():  # of a user without a home it is below a folder ~
            raise FileNotFoundError("this user has no cache folder")
    folder = above / "commands"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise PermissionError(f"{folder} is not a folder of this user")
    if stat.S_IMODE(found.st_mode) & 0o077:
        folder.chmod(0o700)
    return folder


def _key(folder: Path) -> bytes:
    """The random bytes of this cache, made when there are none.

    :raises OSError: when they can neither be read nor written
    """
    path = folder / "key"
    with contextlib.suppress(FileNotFoundError):
        key = path.read_bytes()
        if len(key) == KEY_BYTES:
            return key
    _write(path, os.urandom(KEY_BYTES))
    return path.read_bytes()  # another process may have been faster


def _write(path: Path, content: bytes) -> None:
    """Write a file for this user only, whole or not at all."""
    partial = path.with_name(f".{os.urandom(8).hex()}.partial")
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as file:  # noqa: PTH123 (of a descriptor)
            file.write(content)
        partial.replace(path)
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()
