"""The tokens file: tokens with roles. It is checked on each request, and read again after a change.

::

    [[token]]
    name = "ci"                       # for logs, jobs and the audit
    sha256 = "9f86d081884c7d65..."    # of the token; the token itself is not stored
    role = "operator"                 # viewer, operator, admin, or a role of this file
    commands = ["dags *"]             # optional: only these of the role's commands
    dags = ["etl_*"]                  # optional: only these DAGs
    expires = 2027-01-01T00:00:00Z    # optional
    networks = ["192.0.2.0/24"]       # optional: only from there

    [role.release]
    base = "operator"                 # optional: start with the rights of that role
    commands = ["pools *", "variables get"]
    deny = ["tasks run"]

If the file is invalid, every request is rejected.
"""

from __future__ import annotations

import hmac
import logging
import os
import threading
import time
from typing import TYPE_CHECKING

from airflow_remote_server.auth.tokens_parser import LARGEST, InvalidTokensFile, Token, parse

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)

RECENT_SECONDS = 0.1
"""A file that changed this recently is read again: another change may have the same timestamp."""

OTHERS_READ, OTHERS_WRITE = 0o004, 0o022


class TokensFile:
    """The tokens of a file, which is read again after each change.

    :param path: the file
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._loaded_stamp: object = None
        self._logged_stamp: object = ()
        self._tokens: tuple[Token, ...] = ()
        self._problem = ""

    def read(self) -> tuple[Token, ...]:
        """Return the tokens.

        :raises InvalidTokensFile: if the file cannot be used
        """
        with self._lock:
            stamp = self._stamp()
            if stamp is None or stamp != self._loaded_stamp:
                self._load(stamp)
            if self._problem:
                raise InvalidTokensFile(self._problem)
            return self._tokens

    def _stamp(self) -> object:
        """Return a value that changes with the file; None if it does not exist."""
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino, status.st_dev

    def _load(self, stamp: object) -> None:
        """Read the file, and log its problems once.

        :param stamp: the state of the file, from ``_stamp``
        """
        problem, mode, changed = "", 0, 0.0
        tokens: tuple[Token, ...] = ()
        try:
            with self.path.open("rb") as file:
                status = os.fstat(file.fileno())
                mode, changed = status.st_mode, max(status.st_mtime, status.st_ctime)
                tokens = parse(file.read(LARGEST + 1))
        except OSError as error:
            problem = f"it cannot be read: {error.strerror}"
        except InvalidTokensFile as error:
            problem = str(error)
        if stamp != self._logged_stamp:
            self._log_problems(problem, mode)
        recent = time.time() - changed < RECENT_SECONDS
        self._logged_stamp, self._loaded_stamp = stamp, None if recent else stamp
        self._tokens, self._problem = tokens, problem

    def _log_problems(self, problem: str, mode: int) -> None:
        if problem:
            log.error(
                "The tokens file %s cannot be used, so every request is rejected: %s", self.path, problem
            )
        if mode & OTHERS_READ:
            log.warning(
                "The tokens file %s can be read by everybody on this machine: run chmod 600", self.path
            )
        if mode & OTHERS_WRITE:
            log.warning("The tokens file %s can be changed by other users: run chmod 600", self.path)


def find_token(tokens: tuple[Token, ...], digest: bytes) -> Token | None:
    """Return the entry of a token; None if there is none.

    Each entry is compared, in constant time, so that the duration reveals nothing.

    :param tokens: the entries of the file
    :param digest: the SHA-256 digest of the token in the request
    """
    match = None
    for token in tokens:
        if hmac.compare_digest(token.digest, digest):
            match = token
    return match
