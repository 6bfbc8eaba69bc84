"""Zipped packages of DAGs are rejected if the form of the archive is unsafe."""

from __future__ import annotations

import io
import stat
import struct
import unicodedata
import zipfile
import zlib
from pathlib import PurePosixPath
from typing import Any

import pytest
from dagfiles import packed
from hypothesis import given
from hypothesis import strategies as st

from airflow_remote_server.config.dag_files import DagFileLimits
from airflow_remote_server.deploy.package import check
from airflow_remote_server.errors import BadArguments

LIMITS = DagFileLimits(files=50, unpacked_bytes=100_000)
MODULE = {"main.py": b"x = 1\n"}


def refused(content: bytes, limits: DagFileLimits = LIMITS) -> str:
    """Return why a package is rejected."""
    with pytest.raises(BadArguments) as caught:
        check(content, limits)
    assert "\n" not in caught.value.message
    return caught.value.message


def entry(name: str, data: bytes = b"", mode: int = 0, **changes: Any) -> bytes:
    """Return a package with a valid module and one more entry."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("main.py", MODULE["main.py"])
        info = zipfile.ZipInfo(name.replace("\0", "%"))  # ZipInfo truncates a name at a NUL
        info.external_attr = mode << 16
        info.compress_type = changes.pop("compress_type", zipfile.ZIP_DEFLATED)
        for field, value in changes.items():
            setattr(info, field, value)
        archive.writestr(info, data)
    return content.getvalue().replace(name.replace("\0", "%").encode(), name.encode())


def test_python_modules_are_returned() -> None:
    files = {**MODULE, "lib/__init__.py": b"", "lib/sql/query 1.sql": b"select 1", "README.md": b"a" * 5000}
    assert check(packed(files), LIMITS) == {"main.py": b"x = 1\n", "lib/__init__.py": b""}


def test_folders_may_have_their_own_entries() -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.mkdir("lib") if hasattr(archive, "mkdir") else archive.writestr("lib/", b"")
        archive.writestr("lib/a.py", b"")
        archive.writestr("main.py", b"")
    assert set(check(content.getvalue(), LIMITS)) == {"main.py", "lib/a.py"}


PATHS = [
    *("../main.py", "../../etc/x", "lib/../../x", "/etc/x", "//x", "C:/x", "C:x", "lib\\x", "..\\x", "./x"),
    *("lib//x", "lib/./x", "x.", "lib./x", " x", "x ", "a\nb", "a\tb", "con", "lib/NUL.txt", "x" * 256),
    *("/".join("x" * 20), "\uff0e\uff0e/x", "\ufb01le", "e\u0301", "a\u202eb", "main.py\0.t.x", "main.pyc"),
    *("lib/X.PYC", "airflow_local_settings.py", "sitecustomize/x.py"),
]


@pytest.mark.parametrize("path", PATHS)
def test_invalid_paths_are_rejected(path: str) -> None:
    assert "entry" in refused(entry(path))


@pytest.mark.parametrize(
    "paths",
    [("a", "a"), ("a", "A"), ("lib/a", "LIB/b"), ("lib", "lib/a"), ("lib/a", "lib"), ("\u00df", "ss")],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_paths_that_collide_are_rejected(paths: tuple[str, str]) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for path in ("main.py", *paths):
            archive.writestr(path, b"")
    assert "exists twice" in refused(content.getvalue())


@pytest.mark.parametrize(
    "kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFDIR]
)
def test_links_and_devices_are_rejected(kind: int) -> None:
    assert "is neither a file nor a folder" in refused(entry("link", b"/etc/passwd", kind | 0o777))


@pytest.mark.parametrize("flag", [0x1, 0x20, 0x40, 0x2000])
def test_encrypted_entries_are_rejected(flag: int) -> None:
    content = bytearray(packed(MODULE))
    directory = content.index(b"PK\1\2")
    for offset in (6, directory + 8):
        [bits] = struct.unpack_from("<H", content, offset)
        struct.pack_into("<H", content, offset, bits | flag)
    assert "is encrypted" in refused(bytes(content))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_unsupported_compression_is_rejected(method: int) -> None:
    assert "cannot import from" in refused(entry("a.py", b"x = 1", compress_type=method))


def test_zip_bomb_is_rejected() -> None:
    assert "max_unpacked_bytes" in refused(packed({**MODULE, "zeros": bytes(50_000_000)}))
    assert "max_unpacked_bytes" in refused(packed({**MODULE, **{f"z{n}": bytes(10_000) for n in range(11)}}))
    assert "max_dag_files" in refused(packed({**MODULE, **{f"z{n}": b"" for n in range(50)}}))


def test_zip_bomb_with_a_false_size_is_rejected() -> None:
    """``zipimport`` inflates all data, whatever the headers say."""
    inflated = bytes(50_000_000)
    content = bytearray(packed({**MODULE, "bomb.py": inflated}))
    for signature, sizes in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
        at = content.rindex(signature)
        struct.pack_into("<I", content, at + sizes, 10)
        struct.pack_into("<I", content, at + sizes - 8, zlib.crc32(inflated[:10]))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.read("bomb.py") == bytes(10)  # Python's zipfile trusts the header
    assert "max_unpacked_bytes" in refused(bytes(content))


def test_contradictory_headers_are_rejected() -> None:
    content = packed({**MODULE, "other.py": b"y = 2"})
    assert "not a valid zip file; create it again" in refused(content.replace(b"other.py", b"evil!.py", 1))
    assert "does not match its header" in refused(
        content.replace(b"PK\1\2", b"PK\1\2", 1).replace(
            struct.pack("<I", zlib.crc32(b"y = 2")), struct.pack("<I", 7)
        )
    )


@pytest.mark.parametrize("name", ["os.py", "json.py", "airflow.py"])
def test_module_that_shadows_another_is_rejected(name: str) -> None:
    assert "would replace an installed module" in refused(packed({**MODULE, name: b""}))


def test_package_without_a_top_level_module_is_rejected() -> None:
    assert "top level" in refused(packed({"pkg/main.py": b""}))
    assert "top level" in refused(packed({}))


@pytest.mark.parametrize("content", [b"", b"PK", b"PK\5\6" + bytes(17), b"import airflow", b"PK\3\4" * 99])
def test_other_file_formats_are_rejected(content: bytes) -> None:
    refused(content)


PARTS = st.text(st.sampled_from("ab.A\u00e9\uff21 :\\\n~\u0301"), min_size=0, max_size=4)
MODES = st.sampled_from([0, 0o100644, 0o40755, 0o120777, 0o10644])
ENTRIES = st.lists(st.tuples(st.lists(PARTS, max_size=4).map("/".join), MODES), max_size=5)


@given(ENTRIES)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_accepted_package_could_be_unpacked_anywhere(entries: list[tuple[str, int]]) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("main.py", b"")
        for name, mode in entries:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, b"x" if not name.endswith("/") else b"")
    try:
        check(content.getvalue(), LIMITS)
    except BadArguments as error:
        assert "\n" not in error.message
        return
    names = ["main.py", *(name for name, _ in entries)]
    seen = [unicodedata.normalize("NFKC", name.rstrip("/")).casefold() for name in names]
    assert len(set(seen)) == len(names)
    for name in names:
        parts = PurePosixPath(name).parts
        assert "/".join(parts) == name.removesuffix("/")
        assert not {"..", ".", "/"}.intersection(parts)
    assert not {mode for _, mode in entries} - {0, 0o100644, 0o40755}


@given(st.data())
def test_damaged_package_is_rejected_or_complete(data: st.DataObject) -> None:
    content = bytearray(packed({"main.py": b"x = 1\n" * 20, "lib/a.py": b"y"}))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content))) :]
    try:
        modules = check(bytes(content), LIMITS)
    except BadArguments as error:
        assert "\n" not in error.message
    else:
        assert {len(source) for name, source in modules.items() if name == "main.py"} <= {120}
