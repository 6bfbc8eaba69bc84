"""Names on the server for files that a client names."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_remote_server.jobs.transfers import LONGEST_NAME, safe_name


@given(st.text(st.sampled_from("./\\-_~ a\0\n*é变Z0")))
@example("a" + "." * 80 + "-")
@example("a." + "-" * 100)
@example("/" * 5)
def test_safe_name_is_neither_a_path_nor_stdout(path: str) -> None:
    name = safe_name(path)
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name)
    assert len(name) <= LONGEST_NAME


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("out.json", "out.json"),
        ("../my vars.v2.json", "my_vars.v2.json"),
        ("C:\\dumps\\pools.yaml", "pools.yaml"),
        (".env", "file.env"),
        ("变量.json", "file.json"),
        ("größe.yml", "groe.yml"),
        ("-.json", "file.json"),
        (" - ", "file"),
        ("no suffix", "no_suffix"),
        ("x" * 200 + ".json", "x" * 75 + ".json"),
        ("", "file"),
    ],
)
def test_safe_name_keeps_the_suffix(path: str, name: str) -> None:
    """Airflow derives a file's format from its suffix."""
    assert safe_name(path) == name
