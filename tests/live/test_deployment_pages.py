"""The deployment guides: links, settings, quoted messages and the syntax of blocks."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import tomllib
import yaml  # type: ignore[import-untyped]

from live.harness import ROOT
from live.snippets import (
    FOLDER,
    Snippet,
    find_languages,
    find_snippets,
    heading_anchors,
    is_unit,
    known_keys,
    mentioned_keys,
    parse_ini,
    read_pages,
)

PAGES = {
    "index.md",
    "celery-workers.md",
    "systemd.md",
    "docker.md",
    "helm.md",
    "nginx.md",
    "upgrade-and-removal.md",
    "verify.md",
}
LANGUAGES = {"bash", "ini", "yaml", "dockerfile", "nginx", "json"}


class TestPages:
    def test_they_are_all_there(self) -> None:
        assert set(read_pages()) == PAGES
        assert find_languages() == LANGUAGES

    @pytest.mark.parametrize("page", sorted(PAGES))
    def test_links_have_targets(self, page: str) -> None:
        path = FOLDER / page
        for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text("utf-8")):
            if not target.startswith("http"):
                name, _, anchor = target.partition("#")
                file = (path.parent / name).resolve() if name else path
                assert file.is_file(), target
                assert not anchor or anchor in heading_anchors(file), target

    def test_every_mentioned_key_exists(self) -> None:
        assert {"state_dir", "jobs_url", "tokens_file", "max_wait", "max_body_bytes"} <= set(mentioned_keys())
        assert mentioned_keys().keys() - known_keys() == set()

    @pytest.mark.parametrize(
        ("message", "source"),
        [
            ("Token Authentication Failed", "errors.py"),
            ("Refused: without a token", "auth/authenticator.py"),
            ("ask the webserver there", "jobs"),
            ("cannot write to", "jobs"),
            ("must be a directory with mode 0700 that belongs to this user", "util/private_dirs.py"),
            ("the job store cannot be used", "jobs/store.py"),
            ("The REST API's configuration cannot be used; the webserver's log says why", "http"),
            ("The REST API answers 503", "http"),
            ("No fork server", "execution"),
            ("pip install 'airflow-remote[server]'", "missing_extra.py"),
        ],
    )
    def test_messages_are_quoted_as_they_are(self, message: str, source: str) -> None:
        """Each message occurs on a page and in a module or package of the source."""
        path = ROOT / "middleware" / "airflow_remote_server" / source
        modules = sorted(path.glob("*.py")) if path.is_dir() else [path]
        assert any(message in text.replace("\n  ", " ") for text in read_pages().values())
        assert any(message in module.read_text("utf-8") for module in modules)

    def test_the_extra_is_described_as_it_is(self) -> None:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
        extra = project["optional-dependencies"]["server"]
        expected = dict(re.findall(r"^(\w+)>=([\d.]+)", "\n".join(extra), re.MULTILINE))
        table = {
            name.lower(): version
            for name, version in re.findall(
                r"^\| (\w+) ([\d.]+) or later", read_pages()["index.md"], re.MULTILINE
            )
        }
        assert expected.pop("tomli")
        assert table == expected


class TestBlocks:
    @pytest.mark.parametrize("snippet", find_snippets("bash"), ids=str)
    def test_bash_is_valid(self, snippet: Snippet) -> None:
        done = subprocess.run(["bash", "-n"], input=snippet.text, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr

    @pytest.mark.parametrize(
        "snippet", [one for one in find_snippets("ini") if not is_unit(one.text)], ids=str
    )
    def test_settings_are_valid(self, snippet: Snippet) -> None:
        parser = parse_ini(snippet.text)
        assert parser.sections() == ["rest_api_plugin"]
        assert set(parser["rest_api_plugin"]) <= known_keys()

    @pytest.mark.parametrize("snippet", [one for one in find_snippets("ini") if is_unit(one.text)], ids=str)
    def test_units_are_valid(self, snippet: Snippet, tmp_path: Path) -> None:
        unit = tmp_path / "unit.service"
        # A drop-in needs a unit to extend, and systemd checks that the program exists.
        text = snippet.text if "ExecStart=" in snippet.text else f"{snippet.text}ExecStart=/bin/true\n"
        unit.write_text(text.replace("/opt/airflow/venv/bin/airflow", "/bin/true"), "utf-8")
        done = subprocess.run(
            ["systemd-analyze", "--man=no", "verify", str(unit)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        complaints = [line for line in done.stderr.splitlines() if str(unit) in line or unit.name in line]
        assert (done.returncode, complaints) == (0, []), done.stderr

    @pytest.mark.parametrize("snippet", find_snippets("yaml"), ids=str)
    def test_yaml_is_valid(self, snippet: Snippet) -> None:
        assert isinstance(yaml.safe_load(snippet.text), dict)
