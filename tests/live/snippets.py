"""Read the fenced blocks of the deployment guides for the tests that run them."""

from __future__ import annotations

import re
import textwrap
from configparser import ConfigParser
from dataclasses import dataclass
from pathlib import Path

from airflow_remote_server.config.dag_files import DagFileLimits
from airflow_remote_server.config.options import SECTION, options_of
from airflow_remote_server.config.settings import Settings
from live.harness import ROOT

FOLDER = ROOT / "docs" / "how-to" / "deployment"
FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)
TOKEN_VARIABLE = "AIRFLOW__WEBSERVER__REST_API_PLUGIN_EXPECTED_HTTP_TOKEN"
STATE_VARIABLE = "AIRFLOW__REST_API_PLUGIN__STATE_DIR"
UNITS = {"2.11": "ExecStart=/opt/airflow/venv/bin/airflow webserver", "3.3": "airflow api-server --host"}
"""A text that only the systemd unit of a version contains, by version."""
TOKEN_KEY = "rest_api_plugin_expected_http_token"
"""The option that may also be in ``[webserver]``."""


@dataclass(frozen=True)
class Snippet:
    """One fenced block.

    :param page: the name of its file
    :param line: the number of its first line
    :param language: the language of its fence
    :param text: its content, without the indentation of a list
    """

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def read_pages() -> dict[str, str]:
    """Return the text of each page by name."""
    return {path.name: path.read_text("utf-8") for path in sorted(FOLDER.glob("*.md"))}


def find_snippets(language: str, page: str = "", holding: str = "") -> list[Snippet]:
    """Return the blocks of a language in their order.

    :param page: only blocks of this page
    :param holding: only blocks that contain this text
    """
    blocks = []
    for name, text in read_pages().items():
        for match in FENCE.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            blocks.append(Snippet(name, line, match["language"], textwrap.dedent(match["text"])))
    return [
        snippet
        for snippet in blocks
        if snippet.language == language and page in ("", snippet.page) and holding in snippet.text
    ]


def find_snippet(language: str, page: str, holding: str) -> str:
    """Return the text of the only block that contains a text."""
    matches = find_snippets(language, page, holding)
    assert len(matches) == 1, f"{len(matches)} blocks of {language} in {page} hold {holding!r}"
    return matches[0].text


def find_languages() -> set[str]:
    """Return the languages of all blocks."""
    return {match["language"] for text in read_pages().values() for match in FENCE.finditer(text)}


def parse_ini(text: str) -> ConfigParser:
    """Parse an airflow.cfg or a systemd unit; the last value of a repeated key wins."""
    parser = ConfigParser(interpolation=None, strict=False, delimiters=("=",))
    parser.optionxform = str  # type: ignore[method-assign,assignment]
    parser.read_string(text)
    return parser


def is_unit(text: str) -> bool:
    """Return whether a block is a systemd unit."""
    return "[Service]" in text


def unit_variables(unit: str) -> dict[str, str]:
    """Return the variables that the ``Environment=`` lines of a unit set."""
    values = re.findall(r"^Environment=(.*)$", unit, re.MULTILINE)
    return dict(value.strip('"').split("=", 1) for value in values)


def known_keys() -> set[str]:
    """Return the keys of ``[rest_api_plugin]`` that the server side reads."""
    options = [option for settings in (Settings, DagFileLimits) for _, option in options_of(settings)]
    return {option.key for option in options if option.section == SECTION} | {TOKEN_KEY}


def mentioned_keys() -> dict[str, str]:
    """Return the keys of ``[rest_api_plugin]`` in the pages, each with one page that mentions it."""
    mentions = {}
    for name, text in read_pages().items():
        for key in re.findall(r"\[rest_api_plugin\] (\w+)", text):
            mentions[key] = name
        for key in re.findall(r"AIRFLOW__REST_API_PLUGIN__(\w+)", text):
            mentions[key.lower()] = name
    for snippet in find_snippets("ini"):
        parser = parse_ini(snippet.text)
        if parser.has_section("rest_api_plugin"):
            mentions.update(dict.fromkeys(parser["rest_api_plugin"], str(snippet)))
    return mentions


def heading_anchors(path: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub derives them."""
    text = FENCE.sub("", path.read_text("utf-8"))
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
