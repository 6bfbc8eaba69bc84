"""Probe commands: ``airflow tasks list -- PROBE`` does what a test needs while it reads a DAG file.

``airflow tasks test -- PROBE TASK`` does so too. A probe is ``VERB.NAME`` or ``VERB.NAME.PARAMETERS``, which
is a valid DAG ID. ``tell`` and ``raise`` read a text, which need not be valid in an ID, from ``NAME.text``.
Each probe has a unique name, so tests can share a fork server. The file ``NAME.log`` records the processes
that ran the probe; ``NAME.released`` ends its wait.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

SOURCE = """# airflow DAG
import builtins, json, logging, os, random, signal, subprocess, sys, threading, time
from pathlib import Path

try:
    from airflow.sdk import DAG
except ImportError:
    from airflow import DAG

FOLDER = Path(os.environ["AIRFLOW_HOME"], "probes")
UMASK = os.umask(0o077)


def write_line(text, stream=1):
    os.write(stream, text.encode() + b"\\n")


def wait_for_release(name):
    while not (FOLDER / f"{name}.released").exists():
        time.sleep(0.01)


def print_and_wait(name):
    write_line("begun")
    wait_for_release(name)
    write_line("done")


def start_daemon():
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            os.chdir("/")
            os.write(writing, str(os.getpid()).encode())
            while True:
                time.sleep(60)
        os._exit(0)
    os.waitpid(child, 0)
    write_line("daemon " + os.read(reading, 20).decode())


def works_beside_stdout():
    return os.path.dirname(os.path.realpath("/proc/self/fd/1")) == os.getcwd()


def read_process_state():
    links = [os.path.realpath("/proc/self/fd/" + fd) for fd in os.listdir("/proc/self/fd")]
    return {
        "umask": UMASK, "env": os.environ.get("STICKY"), "path": "/sticky" in sys.path,
        "modules": "sticky_module" in sys.modules, "cwd": works_beside_stdout(),
        "handlers": [str(signal.getsignal(number)) for number in (2, 15, 17)],
        "level": logging.getLogger("sticky").level, "threads": threading.active_count(),
        "stdin": os.path.realpath("/proc/self/fd/0"),
        "locks": [link for link in links if link.endswith(".lock")],
        "files": [  # with their positions; Airflow may have connected to its database anew
            link for link in links
            if os.path.isfile(link) and os.path.dirname(link) != os.getcwd()
            and not link.endswith(".lock") and "airflow.db" not in link
        ],
        "sockets": [link for link in links if "socket:" in link],
        "session": os.getsid(0) == os.getpid() == os.getpgid(0),
    }


def change_process_state():
    os.environ["STICKY"] = "1"
    sys.modules["sticky_module"] = sys
    sys.path.append("/sticky")
    logging.getLogger("sticky").setLevel(50)
    signal.signal(15, signal.SIG_IGN)
    os.chdir("/")


def run_probe(verb, name, *more):
    if verb == "say":
        write_line(" ".join(more))
    elif verb == "both":
        write_line("to stdout")
        write_line("to stderr", 2)
    elif verb == "wait":
        print_and_wait(name)
    elif verb == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print_and_wait(name)
    elif verb == "flood":
        while True:
            os.write(1, b"x" * 65536)
    elif verb == "chatter":
        while not (FOLDER / f"{name}.released").exists():
            write_line("chatter")
    elif verb == "burst":
        os.write(1, b"x" * int(more[0]))
    elif verb == "tell":
        for stream, text in json.loads((FOLDER / f"{name}.text").read_text()):
            os.write(stream, text.encode())
        if more:
            run_probe(more[0], name, *more[1:])
    elif verb == "raise":
        raise RuntimeError((FOLDER / f"{name}.text").read_text())
    elif verb == "half":
        os.write(1, bytes([0x61, 0xC3]))
        wait_for_release(name)
        os.write(1, bytes([0xA9]))
    elif verb == "child":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        write_line(f"child {child.pid}")
    elif verb == "childwait":
        run_probe("child", name)
        print_and_wait(name)
    elif verb == "daemon":
        start_daemon()
    elif verb == "daemonwait":
        start_daemon()
        print_and_wait(name)
    elif verb == "stdin":
        write_line(f"read {sys.stdin.read()!r}")
    elif verb == "kill":
        os.kill(os.getpid(), int(more[0]))
    elif verb == "exit":
        os._exit(int(more[0]))
    elif verb == "env":
        write_line(json.dumps({word: os.environ.get(word) for word in more}))
    elif verb == "stick":
        write_line(json.dumps([read_process_state(), random.random()]))
        change_process_state()
    elif verb == "thread":
        threading.Timer(0.3, write_line, ["from a thread"]).start()


POSITIONS = {("tasks", "list"): -1, ("tasks", "test"): -2}
argument = sys.argv[POSITIONS[tuple(sys.argv[1:3])]] if tuple(sys.argv[1:3]) in POSITIONS else ""
dag_id = argument if "." in argument else "probes"
if argument == dag_id and not hasattr(builtins, "probe_has_run"):
    builtins.probe_has_run = True  # the file may be read twice
    with open(FOLDER / f"{dag_id.split('.')[1]}.log", "a") as log:
        log.write(f"{os.getpid()}\\n")
    run_probe(*dag_id.split("."))
dag = DAG(dag_id, schedule=None)
"""


class Probe:
    """A command that does what one test needs.

    :param home: AIRFLOW_HOME
    :param verb: what the command does: a verb of ``run_probe`` in the DAG file
    :param more: the parameters of the verb
    """

    def __init__(self, home: Path, verb: str, *more: object) -> None:
        name = uuid.uuid4().hex[:12]
        self.path = home / "probes" / name
        self.id = ".".join([verb, name, *map(str, more)])

    def release(self) -> None:
        """Let the command continue if it waits."""
        self.path.with_suffix(".released").touch()

    def write_text(self, text: str) -> None:
        """Write the text that the command reads."""
        self.path.with_suffix(".text").write_text(text)

    @property
    def processes(self) -> list[int]:
        """Return the IDs of the processes that ran the command."""
        try:
            return [int(line) for line in self.path.with_suffix(".log").read_text().split()]
        except FileNotFoundError:
            return []


MakeProbe = Callable[..., Probe]
"""The type of the fixture ``make_probe``, whose arguments are a verb and its parameters."""


def install(home: Path) -> None:
    """Write the DAG file into an AIRFLOW_HOME.

    :param home: AIRFLOW_HOME
    """
    (home / "probes").mkdir()
    (home / "dags" / "probes.py").write_text(SOURCE)
