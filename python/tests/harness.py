"""A real Spark Connect server, and client processes as the Go executor starts them."""

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import pyspark

ROOT = Path(__file__).resolve().parent.parent
STARTUP_SECONDS = 90.0

Message = dict[str, Any]


class Server:
    """One Spark Connect server in its own process group."""

    def __init__(self, directory: Path) -> None:
        self.token = secrets.token_hex(16)
        self.port = _free_port()
        self._log = (directory / "server.log").open("wb")
        home = Path(pyspark.__file__).parent
        confs = {
            "spark.ui.enabled": "false",
            "spark.connect.grpc.binding.address": "localhost",
            "spark.connect.grpc.binding.port": str(self.port),
            "spark.connect.progress.reportInterval": "100ms",
            "spark.sql.shuffle.partitions": "2",
            "spark.sql.warehouse.dir": str(directory / "warehouse"),
            "spark.local.dir": str(directory / "local"),
        }
        command = [str(home / "bin" / "spark-submit"), "--master", "local[2]"]
        command += ["--driver-memory", "1g"]
        for key, value in confs.items():
            command += ["--conf", f"{key}={value}"]
        command += ["--class", "org.apache.spark.sql.connect.service.SparkConnectServer"]
        env = dict(os.environ, SPARK_HOME=str(home), PYSPARK_PYTHON=sys.executable)
        env["SPARK_CONNECT_AUTHENTICATE_TOKEN"] = self.token
        self._process = subprocess.Popen(
            [*command, "spark-internal"],
            cwd=directory,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._wait()

    def remote(self) -> str:
        """Return the URL of a new session."""
        session = uuid.uuid4()
        return f"sc://localhost:{self.port}/;user_id=sparkwright;session_id={session}"

    def kill(self) -> None:
        """End the server and everything it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._log.close()

    def _wait(self) -> None:
        until = time.monotonic() + STARTUP_SECONDS
        while time.monotonic() < until:
            if self._process.poll() is not None:
                break
            with contextlib.suppress(OSError), socket.create_connection(("localhost", self.port)):
                return
            time.sleep(0.1)
        self.kill()
        raise RuntimeError("the Spark Connect server did not start; see server.log")


class Worker:
    """One client process with its two pipes."""

    def __init__(self, token: str) -> None:
        reply_read, reply_write = os.pipe()
        request_read, request_write = os.pipe()
        # A shell moves the inherited pipes to the numbers the protocol names.
        moves = f"exec 3>&{reply_write} 4<&{request_read}; exec "
        self.process = subprocess.Popen(
            [
                "/bin/bash",
                "-c",
                moves + '"$@"',
                "-",
                sys.executable,
                "-P",
                "-m",
                "sparkwright_client",
            ],
            env=dict(os.environ, SPARK_CONNECT_AUTHENTICATE_TOKEN=token, PYTHONPATH=str(ROOT)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=(reply_write, request_read),
            start_new_session=True,
        )
        os.close(reply_write)
        os.close(request_read)
        self._replies = os.fdopen(reply_read, "rb")
        self._requests = request_write

    def send(self, **request: Any) -> None:
        """Write one request."""
        self.send_line(json.dumps(request).encode())

    def send_line(self, line: bytes) -> None:
        """Write any line."""
        os.write(self._requests, line + b"\n")

    def receive(self) -> Message | None:
        """Return the next reply, or None when the process has gone."""
        line = self._replies.readline()
        if not line:
            return None
        message: Message = json.loads(line)
        return message

    def ask(self, **request: Any) -> Message:
        """Send a request and return its reply."""
        self.send(**request)
        reply = self.receive()
        assert reply is not None, self.finish()
        return reply

    def close_requests(self) -> None:
        """Go away, as the Go process would."""
        if self._requests >= 0:
            os.close(self._requests)
            self._requests = -1

    def finish(self) -> tuple[int, str, str]:
        """Wait for the end: exit code, stdout, stderr."""
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out.decode(), err.decode()

    def kill(self) -> None:
        """End the process and its group, and close the pipes."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.close_requests()
        for stream in (self._replies, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
