"""Write the results of the matrix into docs/reference/compatibility.md, between its two marks.

Usage: ``table.py FILE``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "test-results" / "matrix"
BEGIN, END = "<!-- matrix: begin -->", "<!-- matrix: end -->"

FEATURES = {
    "test_install": "installs",
    "test_airflow_is_unharmed": "Airflow unharmed",
    "test_curl_line": "curl line",
    "test_ways_in": "plugin file, gunicorn config",
    "test_stores": "variables, connections, pools",
    "test_dags": "DAGs, runs, tasks",
    "test_refresh": "refresh",
    "test_client": "client",
    "test_catalog": "catalog",
    "test_deploy": "deploy with `wait`",
    "test_broken_deploy": "broken deploy",
    "test_page": "page",
    "test_menu": "menu link",
    "test_jobs": "jobs",
    "test_services": "services",
    "test_fork_server": "fork server",
}
"""The tests of a release, in the order of the table, and their titles in it."""


def table(results: dict[str, dict[str, str]]) -> str:
    """Return the table as Markdown, a row for each feature and a column for each release.

    :param results: the outcome of each test, by release
    """
    releases = sorted(results, key=lambda release: [int(part) for part in release.split(".")])
    lines = [f"| | {' | '.join(releases)} |", f"|---|{'---|' * len(releases)}"]
    for test, title in FEATURES.items():
        cells = [results[release].get(test, "not run") for release in releases]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main(path: Path) -> None:
    """Replace the table of a page.

    :param path: the page
    :raises SystemExit: if it has no marks, or if there are no results
    """
    results = {file.stem: json.loads(file.read_text()) for file in RESULTS.glob("*.json")}
    text = path.read_text("utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (results and begin and end):
        raise SystemExit(f"{path} has no marks for the table, or the matrix was not run")
    path.write_text(f"{before}{BEGIN}\n{table(results)}\n{END}{after}", "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
