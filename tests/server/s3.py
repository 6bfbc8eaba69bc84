"""Run a real S3 server on a loopback port: moto's, as a process of its own."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

from processes import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

BUCKET = "jobs-of-airflow"


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class S3:
    """An S3 server.

    :param port: its port
    """

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._argv = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def client(self) -> Any:
        """Return a client of boto3."""
        boto3: Any = import_module("boto3")
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def start(self) -> None:
        """Start the server, and create its bucket."""
        self._process = subprocess.Popen(self._argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def create() -> bool:
            try:
                self.client.create_bucket(Bucket=BUCKET)
            except Exception:  # noqa: BLE001 - it starts
                return False
            return True

        wait_for(create)

    def freeze(self) -> None:
        """Make the server answer no request."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Make the server answer again, also the requests that wait."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End the server. What it held is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def keys(self) -> list[str]:
        """Return the keys of all objects of jobs."""
        found = self.client.list_objects_v2(Bucket=BUCKET).get("Contents", [])
        return [entry["Key"] for entry in found if not entry["Key"].endswith("probe")]


@contextmanager
def s3_server() -> Iterator[S3]:
    """Yield a server that is not started yet."""
    server = S3(free_port())
    try:
        yield server
    finally:
        server.stop()
