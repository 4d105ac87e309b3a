"""Carrying out one job script."""

import contextlib
import os
import runpy
import sys
import threading
import traceback
import types
from typing import Any

from pyspark.sql.connect.session import SparkSession

from sparkwright_client import remote
from sparkwright_client.limits import limit_memory
from sparkwright_client.progress import ProgressReporter
from sparkwright_client.wire import Message, Wire

_RELEASE_SECONDS = 1.0


class Job:
    """The one run of this process, and how it is interrupted."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._session: SparkSession | None = None
        self._finished = False  # the exit code is known and being reported
        self._terminating = False

    def terminate(self, seconds: float) -> bool:
        """Stop what the session runs, end it, and report whether there was time to.

        False when the run is over already and its exit code being reported.
        Afterwards the run does not go on; the caller ends the process.
        """
        with self._lock:
            if self._finished:
                return False
            self._terminating = True
            session = self._session
        if session is not None and not session.is_stopped:
            remote.interrupt(session, seconds)
            remote.release(session, _RELEASE_SECONDS)
        return True

    def _finish(self) -> None:
        """Claim the exit code; wait for the end when the run is being terminated."""
        with self._lock:
            self._finished = not self._terminating
        if not self._finished:
            threading.Event().wait()

    def run(self, wire: Wire, request: Message) -> int:
        """Run the script of the request; send progress and done; return the exit code."""
        code = 1
        reporter = ProgressReporter(wire.send)
        session: SparkSession | None = None
        try:
            url = str(request["remote"])
            _set_environment(request.get("env") or {}, url)
            session = remote.connect_default(url)
            with self._lock:
                self._session = session
            session.registerProgressHandler(reporter)
            limits = request.get("limits") or {}
            limit_memory(int(limits.get("memory_bytes") or 0))
            code = _run_script(str(request["script"]))
        except BaseException:
            _print_traceback()
        finally:
            _flush_output()
            reporter.flush()
            self._finish()
            wire.send({"type": "done", "id": request.get("id"), "exit": code})
            if session is not None and not session.is_stopped:
                remote.release(session, _RELEASE_SECONDS)
        return code


def _set_environment(env: dict[str, Any], url: str) -> None:
    os.environ.update({str(k): str(v) for k, v in env.items()})
    os.environ["SPARK_REMOTE"] = url


def _run_script(path: str) -> int:
    sys.argv = [path]
    try:
        runpy.run_path(path, run_name="__main__")
    except SystemExit as stop:
        if stop.code is None or stop.code == 0:
            return 0
        if not isinstance(stop.code, int):
            sys.stderr.write(f"{stop.code}\n")
        return 1
    except BaseException as error:
        # As the interpreter does at top level: a job's own hook keeps its fault.
        with contextlib.suppress(Exception):
            frames = _script_frames(error, path)
            sys.excepthook(type(error), error.with_traceback(frames), frames)
        return 1
    return 0


def _script_frames(error: BaseException, path: str) -> types.TracebackType | None:
    """Return the traceback from the script's first frame on, without our own."""
    frame = error.__traceback__
    while frame is not None and frame.tb_frame.f_code.co_filename != path:
        frame = frame.tb_next
    return frame or error.__traceback__


def _print_traceback() -> None:
    with contextlib.suppress(Exception):
        traceback.print_exc()


def _flush_output() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
