"""Code of an operator that runs in every cold process."""

from __future__ import annotations

LOITER = """
import os, time
how = os.environ.pop("LOITER", "")
if how.startswith("as a"):
    reading, writing = os.pipe()
    command = os.getpid()
    if os.fork():
        os.read(reading, 1)
        os._exit(0)
    if how == "as a daemon":
        os.setsid()
    if os.fork():
        while how == "as a slow daemon" and os.getppid() == command:
            time.sleep(0.001)
        os._exit(0)
    os.write(1, b"%d\\n" % os.getpid())
    os.write(writing, b"!")
while how:
    os.write(1, b"loitering\\n")
    time.sleep(0.001 if how == "and chatter" else 600)
"""
"""``airflow_local_settings.py``: Airflow's hook for an operator's code. Every cold process runs it."""
