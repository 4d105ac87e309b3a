"""Spark's own progress, thinned out for the wire."""

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from pyspark.sql.connect.shell.progress import ProgressHandler

from sparkwright_client.wire import Message

MIN_INTERVAL_SECONDS = 0.2


class ProgressReporter(ProgressHandler):
    """Progress handler of one session: reports the newest unfinished operation.

    Spark calls it from the thread that runs a query, once per progress message.
    Reports of an older operation are dropped while a newer one runs, so numbers
    of two queries never mix; ``operation`` in the message tells them apart. At
    most one message per interval is sent; the last state is kept for flush.
    """

    def __init__(
        self,
        send: Callable[[Message], None],
        clock: Callable[[], float] = time.monotonic,
        interval: float = MIN_INTERVAL_SECONDS,
    ) -> None:
        self._send = send
        self._clock = clock
        self._interval = interval
        self._lock = threading.Lock()
        self._open: dict[str, float] = {}  # operation id -> start, oldest first
        self._numbers: dict[str, int] = {}
        self._pending: Message | None = None
        self._sent_at = float("-inf")

    def __call__(
        self,
        stages: Iterable[Any] | None,
        inflight_tasks: int,
        operation_id: str | None,
        done: bool,
    ) -> None:
        """Take one progress report of Spark (pyspark's ProgressHandler)."""
        operation = operation_id or ""
        listed = list(stages or ())
        with self._lock:
            now = self._clock()
            if operation not in self._open:
                if not listed:
                    return
                self._open[operation] = now
                self._numbers[operation] = len(self._numbers) + 1
            newest = next(reversed(self._open))
            started = self._open[operation]
            if done:
                del self._open[operation]
            if operation != newest or not listed:
                return
            self._pending = _message(
                listed, inflight_tasks, self._numbers[operation], now - started
            )
            if now - self._sent_at >= self._interval:
                self._flush(now)

    def flush(self) -> None:
        """Send what was held back."""
        with self._lock:
            self._flush(self._clock())

    def _flush(self, now: float) -> None:
        if self._pending is not None:
            self._send(self._pending)
            self._pending = None
            self._sent_at = now


def _message(stages: list[Any], inflight: int, number: int, seconds: float) -> Message:
    return {
        "type": "progress",
        "operation": number,
        "stages": len(stages),
        "stages_done": sum(1 for s in stages if s.done),
        "tasks": sum(int(s.num_tasks) for s in stages),
        "tasks_done": sum(int(s.num_completed_tasks) for s in stages),
        "tasks_in_flight": int(inflight),
        "bytes_read": sum(int(s.num_bytes_read) for s in stages),
        "seconds": round(seconds, 3),
    }
