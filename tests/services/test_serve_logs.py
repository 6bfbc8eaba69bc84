"""The server of task logs."""

from __future__ import annotations

from live.concurrency import on_both_versions
from live.curl import fetch_text
from live.harness import Server

from services.running import listens, start_by_curl

SIGNED_REQUEST = """
from airflow.utils.log.file_task_handler import _fetch_logs_from_service
response = _fetch_logs_from_service({url!r}, {path!r})
print(response.status_code, response.text)
"""


@on_both_versions
def test_a_signed_request_gets_a_log_and_an_unsigned_one_does_not(server: Server) -> None:
    path = "dag_id=hello_remote/run_id=logged/task_id=hello/attempt=1.log"
    log = server.home / "logs" / path
    log.parent.mkdir(parents=True)
    log.write_text("the log of a task")
    port = server.ports["worker_log_server"]
    service = start_by_curl(server, "serve_logs")
    service.wait_until("it listens", lambda: listens(port))

    url = f"http://127.0.0.1:{port}/log/{path}"
    assert server.run_python(SIGNED_REQUEST.format(url=url, path=path)) == "200 the log of a task\n"
    status, text = fetch_text(url)
    assert (status, "the log of a task" in text) == (403, False)
    service.stop()
    assert not listens(port)
