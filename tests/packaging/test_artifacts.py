"""The sdist and the wheel: complete, valid for PyPI, and installable."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGING = ROOT / ".venv" / "package" / "bin" / "python"
PROBE = """
import airflow_remote, airflow_remote_server
print(airflow_remote.__version__, airflow_remote_server.__version__)
"""


def run(*command: str | Path) -> str:
    """Run a program outside the checkout and return its output."""
    return subprocess.run(
        [str(word) for word in command], cwd="/", capture_output=True, text=True, timeout=280, check=True
    ).stdout


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Build both artifacts as a release does: the wheel from the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    run(PACKAGING, "-m", "build", "--no-isolation", "--outdir", folder, ROOT)
    return sorted(folder.iterdir())


def source_files() -> set[str]:
    """Return the files of both packages that Git tracks, by their path in the wheel."""
    tracked = run(
        "git", "-C", ROOT, "ls-files", "client/airflow_remote", "middleware/airflow_remote_server"
    ).split()
    return {path.partition("/")[2] for path in tracked}


def test_there_are_an_sdist_and_a_wheel(artifacts: list[Path]) -> None:
    assert [path.name.rpartition(".")[2] for path in artifacts] == ["whl", "gz"]


def test_pypi_accepts_the_metadata_and_renders_the_readme(artifacts: list[Path]) -> None:
    assert run(PACKAGING, "-m", "twine", "check", "--strict", *artifacts).count("PASSED") == 2


def test_the_wheel_has_every_file_of_both_packages(artifacts: list[Path]) -> None:
    with zipfile.ZipFile(artifacts[0]) as wheel:
        packaged = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert packaged == source_files()


def test_the_sdist_has_what_its_tests_need(artifacts: list[Path]) -> None:
    with tarfile.open(artifacts[1]) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert {
        "Makefile",
        "README.md",
        "LICENSE",
        "plugins/rest_api_plugin.py",
        "requirements/client.txt",
    } <= names
    assert any(name.startswith("tests/server/") for name in names)


@pytest.mark.parametrize("kind", ["whl", "gz"])
def test_an_artifact_installs_and_runs(artifacts: list[Path], kind: str, tmp_path: Path) -> None:
    [artifact] = [path for path in artifacts if path.suffix == f".{kind}"]
    run(sys.executable, "-m", "venv", "--without-pip", tmp_path)
    python = tmp_path / "bin" / "python"
    run(PACKAGING, "-m", "pip", "--python", python, "install", "-q", "--disable-pip-version-check", artifact)
    version = run(tmp_path / "bin" / "airflow-remote", "--version").split()[-1]
    assert run(tmp_path / "bin" / "airflow-remote-server", "--version").split()[-1] == version
    assert run(python, "-c", PROBE).split() == [version, version]
    assert f"-{version}" in artifact.name
