"""The tokens file: who may do what. It is looked at for every request, and read again when it has changed.

::

    [[token]]
    name = "ci"                       # in logs, jobs and the audit
    sha256 = "9f86d081884c7d65..."    # of the token, in hexadecimal; the token itself is in no file
    role = "operator"                 # viewer, operator, admin, or one of this file's
    commands = ["dags *"]             # optional: of the role's commands these only
    dags = ["etl_*"]                  # optional: these DAGs only
    expires = 2027-01-01T00:00:00Z    # optional
    networks = ["192.0.2.0/24"]       # optional: from there only

    [role.release]
    base = "operator"                 # optional: begin with what that one may
    commands = ["pools *", "variables get"]
    deny = ["tasks run"]

A file that cannot be used lets nobody in.
"""

from __future__ import annotations

import hmac
import logging
import os
import threading
import time
from typing import TYPE_CHECKING

from airflow_remote_server.tokens_text import LARGEST, BrokenTokens, Token, parse

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)

RECENT_SECONDS = 0.1
"""A file changed so shortly before it was read is read again: another change may have the same time."""

OTHERS_READ, OTHERS_WRITE = 0o004, 0o022


class TokensFile:
    """The tokens of a file, as it is now.

    :param path: of the file
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._seen: object = None
        self._told: object = ()
        self._tokens: tuple[Token, ...] = ()
        self._problem = ""

    def __call__(self) -> tuple[Token, ...]:
        """The tokens.

        :raises BrokenTokens: when the file cannot be used
        """
        with self._lock:
            seen = self._look()
            if seen is None or seen != self._seen:
                self._load(seen)
            if self._problem:
                raise BrokenTokens(self._problem)
            return self._tokens

    def _look(self) -> object:
        """What tells one state of the file from another; None when it is not there."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino, found.st_dev

    def _load(self, seen: object) -> None:
        """Read the file; and say in the log what is wrong with it, once."""
        problem, mode, changed = "", 0, 0.0
        tokens: tuple[Token, ...] = ()
        try:
            with self.path.open("rb") as file:
                found = os.fstat(file.fileno())
                mode, changed = found.st_mode, max(found.st_mtime, found.st_ctime)
                tokens = parse(file.read(LARGEST + 1))
        except OSError as error:
            problem = f"it cannot be read: {error.strerror}"
        except BrokenTokens as error:
            problem = str(error)
        if seen != self._told:
            self._tell(problem, mode)
        recent = time.time() - changed < RECENT_SECONDS
        self._told, self._seen = seen, None if recent else seen
        self._tokens, self._problem = tokens, problem

    def _tell(self, problem: str, mode: int) -> None:
        if problem:
            log.error("The tokens file %s lets nobody in: %s", self.path, problem)
        if mode & OTHERS_READ:
            log.warning("The tokens file %s can be read by everybody on this machine: chmod 600", self.path)
        if mode & OTHERS_WRITE:
            log.warning(
                "The tokens file %s can be changed by other users, who let themselves in so", self.path
            )


def find(tokens: tuple[Token, ...], digest: bytes) -> Token | None:
    """The entry of a token. Every entry is compared, each in constant time: how long it takes tells nothing.

    :param tokens: of the file
    :param digest: SHA-256 of what came with the request
    """
    found = None
    for token in tokens:
        if hmac.compare_digest(token.digest, digest):
            found = token
    return found
