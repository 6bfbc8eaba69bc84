from __future__ import annotations

import atexit
import subprocess
import sys
import threading

PROGRAM = """
import atexit, os, sys, threading
from concurrent.futures import ThreadPoolExecutor
from airflow_remote_server.execution.command_process import run_exit_handlers

pool = ThreadPoolExecutor()
pool.submit(print, "the pool has run")
atexit.register(print, "the exit handler has run")
run_exit_handlers()
os._exit(threading.active_count() - 1)
"""


def test_cpython_has_the_functions_that_exit_handlers_need() -> None:
    assert callable(getattr(threading, "_shutdown", None))
    assert callable(getattr(atexit, "_run_exitfuncs", None))


def test_exit_handlers_run_and_idle_pools_end_before_the_process_exits() -> None:
    completed = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60)
    assert completed.returncode == 0, completed.stderr
    assert completed.stdout == "the pool has run\nthe exit handler has run\n"
