"""Code of an operator that runs in every cold process."""

from __future__ import annotations

LOITER = """
import os, signal, subprocess, time
how = os.environ.pop("LOITER", "")
if how.startswith("until "):
    # Like a scheduler: after SIGTERM, it waits for its task. A second SIGTERM would hurry it.
    received = []
    signal.signal(signal.SIGTERM, lambda *_: received.append(1))
    script = "until [ -e '%s' ]; do sleep 0.05; done" % how.removeprefix("until ")
    task = subprocess.Popen(["/bin/sh", "-c", script])
    apart = subprocess.Popen(["/bin/sh", "-c", "trap '' TERM; sleep 600"], start_new_session=True)
    os.write(2, b"%d %d\\n" % (task.pid, apart.pid))
    while not received:
        time.sleep(0.01)
    code = task.wait()
    os.write(2, b"the task ended with %d after %d SIGTERM\\n" % (code, len(received)))
    raise SystemExit(0)
if how.startswith("needs "):
    os.write(1, b"%d\\n" % os.getpid())
    if not os.path.exists(how.removeprefix("needs ")):
        os.write(2, b"something is missing\\n")
        raise SystemExit(3)
if how.startswith("fail with "):
    from airflow.exceptions import AirflowException
    os.write(2, b"first line\\nsecond line\\n")
    if how.endswith("SIGKILL"):
        os.kill(os.getpid(), signal.SIGKILL)
    if how.endswith("exit"):
        raise SystemExit(3)
    try:
        raise OSError("the port 8793 is in use")
    except OSError:
        raise AirflowException("Airflow gave up")
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
