"""Configuration of the documentation site, which ``make docs`` builds."""

from __future__ import annotations

import sys
from pathlib import Path

from airflow_remote import __version__

sys.path.insert(0, str(Path(__file__).parent / "extensions"))

project = "airflow-remote"
author = "the airflow-remote contributors"
copyright = author
release = version = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx_click",
    "architecture_check",
    "cli_reference",
    "generated_pages",
]
exclude_patterns = ["_build", "reference/generated/options.md"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}

myst_enable_extensions = ["colon_fence", "deflist", "attrs_block", "attrs_inline"]
myst_heading_anchors = 3  # the depth of headings that links can name

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
autodoc_default_options = {"members": True}

nitpicky = True
# The site has no pages for the standard library, for other packages, or for private types in signatures.
nitpick_ignore_regex = [("py:.*", r"(?!airflow_remote(_server)?\.(client|errors|models|asgi)\.).*")]

html_theme = "furo"
html_title = f"airflow-remote {__version__}"
html_theme_options = {
    "source_repository": "https://github.com/airflow-remote/airflow-remote",
    "source_branch": "main",
    "source_directory": "docs/",
}
html_static_path: list[str] = []
html_copy_source = False
