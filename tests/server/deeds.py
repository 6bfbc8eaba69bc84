"""Commands that do what a test needs: a DAG file does it, while ``airflow tasks list -- DEED`` reads it, or
``airflow tasks test -- DEED TASK``.

A deed is ``VERB.NAME`` or ``VERB.NAME.MORE``, which is a valid DAG id. The name is of one test only, so that
tests can share a warm host: it stands for a file that says how often the deed was done, and one that lets
those go on that wait.
"""

from __future__ import annotations

import uuid
from pathlib import Path

SOURCE = """# airflow DAG
import builtins, json, logging, os, random, signal, subprocess, sys, threading, time
from pathlib import Path

try:
    from airflow.sdk import DAG
except ImportError:
    from airflow import DAG

FOLDER = Path(os.environ["AIRFLOW_HOME"], "deeds")
UMASK = os.umask(0o077)


def say(text, stream=1):
    os.write(stream, text.encode() + b"\\n")


def wait_quietly(name):
    while not (FOLDER / f"{name}.go").exists():
        time.sleep(0.01)


def wait(name):
    say("begun")
    wait_quietly(name)
    say("done")


def daemon():
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
    say("daemon " + os.read(reading, 20).decode())


def here():
    return os.path.dirname(os.path.realpath("/proc/self/fd/1")) == os.getcwd()


def state():
    links = [os.path.realpath("/proc/self/fd/" + fd) for fd in os.listdir("/proc/self/fd")]
    return {
        "umask": UMASK, "env": os.environ.get("STICKY"), "path": "/sticky" in sys.path,
        "modules": "sticky_module" in sys.modules, "cwd": here(),
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


def stick():
    os.environ["STICKY"] = "1"
    sys.modules["sticky_module"] = sys
    sys.path.append("/sticky")
    logging.getLogger("sticky").setLevel(50)
    signal.signal(15, signal.SIG_IGN)
    os.chdir("/")


def do(verb, name, *more):
    if verb == "say":
        say(" ".join(more))
    elif verb == "both":
        say("to stdout")
        say("to stderr", 2)
    elif verb == "wait":
        wait(name)
    elif verb == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        wait(name)
    elif verb == "flood":
        while True:
            os.write(1, b"x" * 65536)
    elif verb == "chatter":
        while not (FOLDER / f"{name}.go").exists():
            say("chatter")
    elif verb == "burst":
        os.write(1, b"x" * int(more[0]))
    elif verb == "half":
        os.write(1, bytes([0x61, 0xC3]))
        wait_quietly(name)
        os.write(1, bytes([0xA9]))
    elif verb == "child":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        say(f"child {child.pid}")
    elif verb == "childwait":
        do("child", name)
        wait(name)
    elif verb == "daemon":
        daemon()
    elif verb == "daemonwait":
        daemon()
        wait(name)
    elif verb == "stdin":
        say(f"read {sys.stdin.read()!r}")
    elif verb == "kill":
        os.kill(os.getpid(), int(more[0]))
    elif verb == "exit":
        os._exit(int(more[0]))
    elif verb == "env":
        say(json.dumps({word: os.environ.get(word) for word in more}))
    elif verb == "stick":
        say(json.dumps([state(), random.random()]))
        stick()
    elif verb == "thread":
        threading.Timer(0.3, say, ["from a thread"]).start()


places = {("tasks", "list"): -1, ("tasks", "test"): -2}
asked = sys.argv[places[tuple(sys.argv[1:3])]] if tuple(sys.argv[1:3]) in places else ""
dag_id = asked if "." in asked else "deeds"
if asked == dag_id and not hasattr(builtins, "deed_is_done"):
    builtins.deed_is_done = True  # the file may be read twice
    with open(FOLDER / f"{dag_id.split('.')[1]}.log", "a") as log:
        log.write(f"{os.getpid()}\\n")
    do(*dag_id.split("."))
dag = DAG(dag_id, schedule=None)
"""


class Deed:
    """One deed of one test.

    :param home: AIRFLOW_HOME
    :param verb: what it does, as the DAG file has it
    :param more: its parameters
    """

    def __init__(self, home: Path, verb: str, *more: object) -> None:
        name = uuid.uuid4().hex[:12]
        self.path = home / "deeds" / name
        self.id = ".".join([verb, name, *map(str, more)])

    def go(self) -> None:
        """Let it go on."""
        self.path.with_suffix(".go").touch()

    @property
    def processes(self) -> list[int]:
        """The processes that did it."""
        try:
            return [int(line) for line in self.path.with_suffix(".log").read_text().split()]
        except FileNotFoundError:
            return []


def install(home: Path) -> None:
    """Put the DAG file into a home."""
    (home / "deeds").mkdir()
    (home / "dags" / "deeds.py").write_text(SOURCE)
