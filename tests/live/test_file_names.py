"""Files with any name that a command writes in its working directory."""

from __future__ import annotations

import os
from pathlib import Path

from live.concurrency import on_both_versions
from live.harness import PREFIX, Server
from live.jobs import check_no_leftovers
from live.program import run_client

NAME, SHOWN = b"bad\xff\nname", "bad%FF%0Aname"


@on_both_versions
def test_a_file_whose_name_is_no_text_is_listed_and_downloaded(server: Server) -> None:
    date = "execution_date" if server.major == 2 else "logical_date"
    arguments = {"dag_id": "live_files", date: "2024-01-01", "save_dagrun": "run.svg"}
    reply = server.post("commands/dags/test", data=arguments)
    assert reply.status in (200, 422), reply.text  # 422: graphviz, which draws the run, is not installed
    job_id = reply["job"]["id"]
    [file] = [file for file in reply["files"] if file["name"] == SHOWN]
    assert server.get(f"jobs/{job_id}")["files"] == reply["files"]
    assert server.request(file["url"].removeprefix(PREFIX)).text == "content"
    folder = server.home / "downloaded"
    done = run_client(server, "job", "download", job_id, "--to", str(folder))
    assert done.returncode == 0, done.stderr
    assert SHOWN in done.stdout.splitlines()
    assert (folder / SHOWN).read_text() == "content"
    written = Path(server.home, "rest_api", "jobs", job_id, "files", os.fsdecode(NAME))
    assert written.read_text() == "content"
    assert written.parent.stat().st_mode & 0o777 == 0o700, "so nobody else reads what commands write"
    check_no_leftovers(server)
