"""A secrets backend whose variables change the process of a command, so that a test sees what sticks.

``variables get change_PART`` changes a part of the process. Each variable is JSON with the process ID.
"""

from __future__ import annotations

SOURCE = """
import atexit, builtins, gc, json, logging, os, resource, signal, socket, sys, threading, time, types
import warnings

from airflow.secrets import BaseSecretsBackend

kept = []


def change_thread():
    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()


def change_child():
    if os.fork() == 0:
        time.sleep(600)
        os._exit(0)


def change_file():
    globals()["handle"] = open(os.devnull)


def change_environment():
    os.environ["STICKY"] = "1"


def change_umask():
    os.umask(0o002)


def change_signal():
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)


def change_timer():
    signal.setitimer(signal.ITIMER_REAL, 600)


def change_log_level():
    logging.getLogger("sticky").setLevel(7)


def change_log_handler():
    logging.getLogger().addHandler(logging.NullHandler())


def change_warnings():
    original = warnings.formatwarning
    warnings.formatwarning = lambda *words, **more: original(*words, **more)


def change_import_path():
    sys.path.append("/sticky")


def change_modules():
    sys.modules["sticky_module"] = types.ModuleType("sticky_module")


def change_builtins():
    builtins.sticky = 1


def change_stream():
    sys.stdin = open(os.devnull)


def change_excepthook():
    sys.excepthook = lambda *_: None


def change_exit_handler():
    atexit.register(print)


def change_limit():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft - 1, hard))


def change_socket_timeout():
    socket.setdefaulttimeout(600)


def change_collector():
    gc.disable()


def change_user_module():
    kept.append(1)


def change_airflow():
    from airflow import settings

    settings.STICKY = 1


def change_transaction():
    from airflow import settings
    from sqlalchemy import text

    settings.Session().execute(text("SELECT 1"))


def change_nothing():
    pass


class StickyBackend(BaseSecretsBackend):
    def get_variable(self, key, *_, **__):
        if key.startswith("change_"):
            globals()[key]()
        return json.dumps({"pid": os.getpid()})
"""
