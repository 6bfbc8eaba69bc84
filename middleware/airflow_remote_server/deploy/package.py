"""Validate a zipped package of DAGs, without unpacking it to the disk.

Airflow imports the modules at its top level with Python's ``zipimport``, which inflates all data regardless
of the headers. So the sizes are counted here, not taken from the headers.
"""

from __future__ import annotations

import io
import re
import stat
import struct
import sys
import zipfile
import zlib
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from unicodedata import normalize

from airflow_remote_server.deploy.names import MAX_DEPTH, fold_name, is_reserved
from airflow_remote_server.errors import BadArguments

if TYPE_CHECKING:
    from airflow_remote_server.config.dag_files import DagFileLimits

ENTRY = b"PK\1\2"
"""Signature of an entry in the archive's directory (APPNOTE.TXT 4.3.12)."""

LOCAL = struct.Struct("<26xHH")
"""Header before an entry's data, with the lengths of its name and extra field (APPNOTE.TXT 4.3.7)."""

UNSUPPORTED_FLAGS = 0x0001 | 0x0020 | 0x0040 | 0x2000
"""The flags for encryption, patched data, strong encryption, and a masked directory (APPNOTE.TXT 4.4.4)."""

COMPILED = (".pyc", ".pyo")
LONGEST_PATH = 255
SHADOWED = frozenset(sys.stdlib_module_names) | {"airflow"}
"""Installed modules that a package must not contain, because Airflow would import the package's."""


def check(content: bytes, limits: DagFileLimits) -> dict[str, bytes]:
    """Check that the form of a package is harmless.

    :param content: the archive
    :param limits: the limits for the number of entries and their unpacked size
    :returns: its Python modules, path in the archive to source
    :raises BadArguments: if it is not
    """
    if content.count(ENTRY) > limits.files:  # before objects are created for them
        raise BadArguments(
            f"'dag_file': the package has over {limits.files} entries ([rest_api_plugin] max_dag_files)"
        )
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return _read_modules(archive, content, limits)
    # zipfile raises a RuntimeError for encrypted entries and for unknown compression methods.
    except (zipfile.BadZipFile, zlib.error, struct.error, RuntimeError) as error:
        raise BadArguments(
            f"'dag_file': not a valid zip file; create it again: {_one_line(str(error))}"
        ) from None
    except (ValueError, EOFError, OSError, IndexError, OverflowError):  # raised for other kinds of files
        raise BadArguments("'dag_file': not a valid zip file; create it again") from None


def _read_modules(archive: zipfile.ZipFile, content: bytes, limits: DagFileLimits) -> dict[str, bytes]:
    """Check all entries, and return the Python modules; for the parameters, see ``check``."""
    paths = EntryPaths()
    modules: dict[str, bytes] = {}
    remaining = limits.unpacked_bytes
    for entry in archive.infolist():
        problem = _problem_with(entry) or paths.add(entry.filename)
        if problem:
            raise BadArguments(f"'dag_file': the package's entry {entry.orig_filename[:80]!r} {problem}")
        data = _read_data(archive, entry, content, remaining)
        remaining -= len(data)
        if entry.filename.endswith(".py"):
            modules[entry.filename] = data
    top = [name.removesuffix(".py") for name in modules if "/" not in name]
    if not top:
        raise BadArguments(
            "'dag_file': the package has no *.py at its top level, where Airflow looks for DAGs"
        )
    shadows = sorted(SHADOWED.intersection(top))
    if shadows:
        raise BadArguments(
            f"'dag_file': the package's {shadows[0]}.py would replace an installed module of that name"
        )
    return modules


def _problem_with(entry: zipfile.ZipInfo) -> str:
    """Return what is wrong with an entry by itself, or "" if it is valid."""
    name = entry.orig_filename
    path = name[:-1] if name.endswith("/") else name
    parts = path.split("/")
    if name != entry.filename or not path or not path.isprintable() or "\\" in path:
        return "does not have a plain path"
    if path.startswith("/") or re.match(r"[A-Za-z]:", path):
        return "is an absolute path"
    if any(part in ("", ".", "..") or part != part.strip() or part.endswith(".") for part in parts):
        return "has a path that leaves its folder"
    if path != normalize("NFKC", path):
        return "has characters that can be mistaken for others"
    if any(is_reserved(part) for part in parts if not part.startswith("__")):
        return "has a reserved name"
    return _problem_with_form(entry, path, len(parts))


def _problem_with_form(entry: zipfile.ZipInfo, path: str, depth: int) -> str:
    """Return what is wrong with an entry's size, type or compression, or "" if it is valid.

    :param entry: the entry
    :param path: its path, without a trailing ``/``
    :param depth: number of parts of the path
    """
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if depth > 2 * MAX_DEPTH or len(path.encode("utf-8", "replace")) > LONGEST_PATH:
        return f"is over {2 * MAX_DEPTH} folders deep, or over {LONGEST_PATH} bytes long"
    if kind not in (0, stat.S_IFDIR if entry.filename.endswith("/") else stat.S_IFREG):
        return "is neither a file nor a folder"
    if entry.flag_bits & UNSUPPORTED_FLAGS:
        return "is encrypted"
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "is compressed in a way that Python cannot import from"
    if fold_name(path).endswith(COMPILED):
        return "is compiled code: upload its source instead"
    return ""


class EntryPaths:
    """The paths in a package, compared as on a file system that ignores case."""

    def __init__(self) -> None:
        self.entries: set[str] = set()
        self.spellings: dict[str, str] = {}

    def add(self, name: str) -> str:
        """Add a path, and return how it conflicts with earlier ones, or "" if it does not.

        :param name: the path; that of a folder ends with ``/``
        """
        if name in self.entries:
            return "exists twice"
        self.entries.add(name)
        for text in (name, *(f"{folder}/" for folder in PurePosixPath(name).parents if folder.name)):
            spelling = self.spellings.setdefault(fold_name(text.removesuffix("/")), text)
            if spelling != text:
                return f"exists twice, also as {spelling!r}"
        return ""


def _read_data(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, content: bytes, remaining: int) -> bytes:
    """Return the unpacked data of an entry.

    :param archive: the archive
    :param entry: the entry
    :param content: the bytes of the archive
    :param remaining: bytes that the entry may have
    :raises BadArguments: if it has more, or contradicts its header
    """
    archive.open(entry).close()  # raises if its two headers have different names
    name, extra = LOCAL.unpack_from(content, entry.header_offset)
    begin = entry.header_offset + LOCAL.size + name + extra
    raw = content[begin : begin + entry.compress_size]
    complete = len(raw) == entry.compress_size
    if entry.compress_type == zipfile.ZIP_DEFLATED:
        inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        data = inflate.decompress(raw, remaining + 1)
        complete = complete and inflate.eof and not inflate.unused_data
    else:
        data = raw
    if len(data) > remaining:
        raise BadArguments(
            "'dag_file': the unpacked package is too large ([rest_api_plugin] max_unpacked_bytes)"
        )
    if not complete or len(data) != entry.file_size or zlib.crc32(data) != entry.CRC:
        raise BadArguments(f"'dag_file': the package's entry {entry.filename!r} does not match its header")
    return data


def _one_line(text: str) -> str:
    return " ".join(text.split())[:200]
