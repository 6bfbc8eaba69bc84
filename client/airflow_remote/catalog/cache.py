"""The local cache of catalogs: one file for each server and token.

The modification time of a file is when the server last confirmed it. Its name is a digest of the URL and the
token. The token's digest is keyed with random bytes stored beside the files, so the name does not help to
guess a token. Nothing here raises an exception: an unusable cache is treated as an empty one.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import os
import stat
import sys
import time
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from airflow_remote.local_files import AtomicFile

CACHE_DIR_VARIABLE = "AIRFLOW_REMOTE_CACHE_DIR"
"""Environment variable: the directory to use instead of the user's cache directory."""

FRESH_SECONDS = 3600.0
"""How long a catalog is used before the server is asked again."""
KEPT_SECONDS = 30 * 86400.0
"""How long an unused file is kept."""
KEY_BYTES = 32
MAX_BYTES = 1 << 25
"""Larger files are ignored; a catalog of 150 commands takes about a quarter of a megabyte."""


class CachedCatalog(NamedTuple):
    """A cached catalog.

    :param etag: its ETag, without quotes
    :param document: as the server sent it
    :param fresh: whether it can be used without asking the server
    """

    etag: str
    document: Any
    fresh: bool


class CatalogCache:
    """The cached catalog of one server and token.

    :param base: the API's URL
    :param token: "" for none
    """

    def __init__(self, base: str, token: str) -> None:
        self._path: Path | None = None
        with contextlib.suppress(OSError, ValueError, RuntimeError):
            directory = _cache_directory()
            keyed = hmac.new(_load_key(directory), token.encode("utf-8", "surrogatepass"), sha256).hexdigest()
            self._path = directory / f"{sha256(f'{base} {keyed}'.encode()).hexdigest()}.json"

    def read(self) -> CachedCatalog | None:
        """Return the cached catalog; None if there is none or it is corrupt."""
        if self._path is None:
            return None
        try:
            with self._path.open("rb") as file:
                status = os.fstat(file.fileno())
                if status.st_size > MAX_BYTES:
                    return None
                content = json.loads(file.read())
            etag, document = content["etag"], content["document"]
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None
        # A file from the future is not fresh either: the clock may have been set back.
        fresh = 0 <= time.time() - status.st_mtime < FRESH_SECONDS
        return CachedCatalog(etag, document, fresh) if isinstance(etag, str) else None

    def write(self, etag: str, document: Any) -> None:
        """Save a catalog as confirmed now."""
        if self._path is None:
            return
        with contextlib.suppress(OSError):
            _write(self._path, json.dumps({"etag": etag, "document": document}).encode())
            self._remove_unused(self._path.parent)

    def mark_fresh(self) -> None:
        """Record that the server still has this catalog."""
        self._set_time(time.time())

    def mark_stale(self) -> None:
        """Record that the server has a newer catalog."""
        self._set_time(time.time() - FRESH_SECONDS - 1)

    def _set_time(self, moment: float) -> None:
        if self._path is not None:
            with contextlib.suppress(OSError):
                os.utime(self._path, (moment, moment))

    def _remove_unused(self, directory: Path) -> None:
        """Remove the files of servers and tokens that are no longer used."""
        for path in directory.glob("*.json"):
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < time.time() - KEPT_SECONDS:
                    path.unlink()


def _cache_directory() -> Path:
    """Return the cache directory, which only this user can access; create it if needed.

    :raises OSError: if it cannot be created or used
    """
    configured = os.environ.get(CACHE_DIR_VARIABLE)
    parent = Path(configured) if configured else _user_cache_directory()
    directory = parent / "commands"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = directory.lstat()
    # On Windows, which has no user ids, the default directory is in the user's profile.
    is_own = not hasattr(os, "geteuid") or status.st_uid == os.geteuid()
    if not stat.S_ISDIR(status.st_mode) or not is_own:
        raise PermissionError(f"{directory} is not a directory of this user")
    if stat.S_IMODE(status.st_mode) & 0o077:
        directory.chmod(0o700)
    return directory


def _user_cache_directory() -> Path:
    """Return the directory of this program in the user's cache directory.

    :raises FileNotFoundError: if the user has none
    """
    if sys.platform == "linux":
        # The XDG Base Directory Specification. platformdirs follows it as well, but takes long to import.
        named = os.environ.get("XDG_CACHE_HOME", "")
        caches = named if os.path.isabs(named) else os.path.expanduser("~/.cache")  # noqa: PTH111, PTH117 (texts)
        parent = Path(caches, "airflow-remote")
    else:
        import platformdirs

        parent = Path(platformdirs.user_cache_dir("airflow-remote", appauthor=False))
    if not parent.is_absolute():  # without a home directory, it is relative to a directory named ~
        raise FileNotFoundError("this user has no cache directory; set AIRFLOW_REMOTE_CACHE_DIR")
    return parent


def _load_key(directory: Path) -> bytes:
    """Return the random key of this cache; create it if needed.

    :raises OSError: if it can be neither read nor written
    """
    path = directory / "key"
    with contextlib.suppress(FileNotFoundError):
        key = path.read_bytes()
        if len(key) == KEY_BYTES:
            return key
    _write(path, os.urandom(KEY_BYTES))
    return path.read_bytes()  # another process may have written it meanwhile


def _write(path: Path, content: bytes) -> None:
    """Replace a file atomically; only this user can read it."""
    with AtomicFile(path, 0o600) as file:
        file.commit([content])


def strip_etag(etag: str) -> str:
    """Return an ETag without quotes, and without the W/ that a compressing proxy adds."""
    text = etag.strip()
    return (text[2:] if text.startswith("W/") else text).strip('"')
