"""A Sphinx extension that checks the module names in the documentation."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from sphinx.util import logging

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.config import Config

log = logging.getLogger(__name__)

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "architecture.md"


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.connect("config-inited", check_architecture)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def check_architecture(app: Sphinx, config: Config) -> None:
    """Warn if docs/architecture.md does not list every module, or if a page names a missing one."""
    text = PAGE.read_text("utf-8")
    listed = {
        f"{heading}{name}"
        for heading, rows in re.findall(r"^### `([\w/]+/)`\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL)
        for name in re.findall(r"^\| `(\w+\.(?:py|js))` \|", rows, re.MULTILINE)
    }
    existing = {
        str(path.relative_to(ROOT / source))
        for source in ("middleware", "client")
        for path in (ROOT / source).rglob("*.[pj][ys]")
        if path.name not in ("__init__.py", "_version.py")
    }
    for page in (PAGE, *PAGE.parent.glob("*/*.md"), ROOT / "CONTRIBUTING.md"):
        for name in sorted(set(re.findall(r"`([\w/]+/\w+\.py)`", page.read_text("utf-8")))):
            if not (ROOT / name).exists() and not any(path.endswith(f"/{name}") for path in existing):
                log.warning("%s names a missing module: %s", page.name, name, type="architecture")
    for name in sorted(listed ^ existing):
        problem = "lists a module that does not exist" if name in listed else "does not list the module"
        log.warning("architecture.md %s: %s", problem, name, type="architecture")
