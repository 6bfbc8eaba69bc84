"""A zipped package of DAGs: what may be in it. Nothing of it is unpacked to a file.

Airflow imports the modules at its top level through Python's ``zipimport``, which inflates whatever is there:
sizes are counted, and not believed.
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

from airflow_remote_server.dags.names import DEEPEST, fold, reserved
from airflow_remote_server.errors import BadArguments

if TYPE_CHECKING:
    from airflow_remote_server.dags.limits import Limits

ENTRY = b"PK\1\2"
"""How each entry of the archive's directory begins (APPNOTE.TXT 4.3.12)."""

LOCAL = struct.Struct("<26xHH")
"""What is before an entry's data: with the lengths of its name and extra field (APPNOTE.TXT 4.3.7)."""

FLAGS = 0x0001 | 0x0020 | 0x0040 | 0x2000
"""Encrypted, patched, strongly encrypted, with a masked directory (APPNOTE.TXT 4.4.4)."""

COMPILED = (".pyc", ".pyo")
LONGEST = 255
TAKEN = frozenset(sys.stdlib_module_names) | {"airflow"}
"""Airflow imports a package's modules before any other of their name."""


def check(content: bytes, limits: Limits) -> dict[str, bytes]:
    """See that a package is one that cannot do harm by its form.

    :param content: the archive
    :param limits: how many entries it may have, and how large they may be, unpacked
    :returns: its Python modules, path in the archive to source
    :raises BadArguments: saying what is wrong
    """
    if content.count(ENTRY) > limits.files:  # before anything is made of each of them
        raise BadArguments(
            f"'dag_file': the package has over {limits.files} entries ([rest_api_plugin] max_dag_files)"
        )
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return _modules(archive, content, limits)
    except (zipfile.BadZipFile, zlib.error, struct.error, NotImplementedError, RuntimeError) as error:
        raise BadArguments(f"'dag_file': not a valid zip file: {_line(str(error))}") from None
    except (ValueError, EOFError, OSError, IndexError, OverflowError):  # of what is no zip file at all
        raise BadArguments("'dag_file': not a valid zip file") from None


def _modules(archive: zipfile.ZipFile, content: bytes, limits: Limits) -> dict[str, bytes]:
    paths = Paths()
    modules: dict[str, bytes] = {}
    left = limits.unpacked_bytes
    for entry in archive.infolist():
        problem = _problem(entry) or paths.clash(entry.filename)
        if problem:
            raise BadArguments(f"'dag_file': the package's entry {entry.orig_filename[:80]!r} {problem}")
        data = _data(archive, entry, content, left)
        left -= len(data)
        if entry.filename.endswith(".py"):
            modules[entry.filename] = data
    top = [name.removesuffix(".py") for name in modules if "/" not in name]
    if not top:
        raise BadArguments(
            "'dag_file': the package has no *.py at its top level, and Airflow looks for DAGs only there"
        )
    shadows = sorted(TAKEN.intersection(top))
    if shadows:
        raise BadArguments(
            f"'dag_file': the package's {shadows[0]}.py would stand before Python's own module"
        )
    return modules


def _problem(entry: zipfile.ZipInfo) -> str:
    """What is wrong with an entry by itself; "" when nothing is."""
    name = entry.orig_filename
    path = name[:-1] if name.endswith("/") else name
    parts = path.split("/")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if name != entry.filename or not path or not path.isprintable() or "\\" in path:
        return "has a name that is no plain path"
    if path.startswith("/") or re.match(r"[A-Za-z]:", path):
        return "is an absolute path"
    if any(part in ("", ".", "..") or part != part.strip() or part.endswith(".") for part in parts):
        return "is a path that leads elsewhere"
    if path != normalize("NFKC", path):
        return "has characters that others can be taken for"
    if any(reserved(part) for part in parts if not part.startswith("__")):
        return "has a reserved name"
    if len(parts) > 2 * DEEPEST or len(path.encode("utf-8", "replace")) > LONGEST:
        return f"is over {2 * DEEPEST} folders deep, or over {LONGEST} bytes long"
    if kind not in (0, stat.S_IFDIR if name.endswith("/") else stat.S_IFREG):
        return "is a link, a device or the like"
    if entry.flag_bits & FLAGS:
        return "is encrypted"
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "is compressed in a way that Python cannot import from"
    if fold(path).endswith(COMPILED):
        return "is compiled code: send its source"
    return ""


class Paths:
    """The paths of a package, as a file system may see them that knows no case."""

    def __init__(self) -> None:
        self.entries: set[str] = set()
        self.spelled: dict[str, str] = {}

    def clash(self, name: str) -> str:
        """Add a path; what is wrong with it beside those before it, or "" when nothing is.

        :param name: with a ``/`` at the end when it is a folder
        """
        if name in self.entries:
            return "is there twice"
        self.entries.add(name)
        for text in (name, *(f"{folder}/" for folder in PurePosixPath(name).parents if folder.name)):
            known = self.spelled.setdefault(fold(text.removesuffix("/")), text)
            if known != text:
                return f"is there twice, also as {known!r}"
        return ""


def _data(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, content: bytes, left: int) -> bytes:
    """What an entry unpacks to.

    :param left: bytes that it may have
    """
    archive.open(entry).close()  # sees that both of its headers have the same name
    name, extra = LOCAL.unpack_from(content, entry.header_offset)
    begin = entry.header_offset + LOCAL.size + name + extra
    raw = content[begin : begin + entry.compress_size]
    whole = len(raw) == entry.compress_size
    if entry.compress_type == zipfile.ZIP_DEFLATED:
        inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        data = inflate.decompress(raw, left + 1)
        whole = whole and inflate.eof and not inflate.unused_data
    else:
        data = raw
    if len(data) > left:
        raise BadArguments(
            "'dag_file': the package unpacks to more than is allowed ([rest_api_plugin] max_unpacked_bytes)"
        )
    if not whole or len(data) != entry.file_size or zlib.crc32(data) != entry.CRC:
        raise BadArguments(f"'dag_file': the package's entry {entry.filename!r} is not what its header says")
    return data


def _line(text: str) -> str:
    return " ".join(text.split())[:200]
