"""Newline-delimited JSON between the Go executor and this process."""

import contextlib
import fcntl
import json
import os
import threading
from typing import Any, cast

REPLY_FD = 3
REQUEST_FD = 4
_PRIVATE_FD_FROM = 200
_MAX_REQUEST_BYTES = 64 << 20

Message = dict[str, Any]


class Wire:
    """The two pipes to the Go process.

    The inherited descriptors 3 and 4 are moved to high close-on-exec numbers at
    once, so that neither the analysis nor a child process finds them there.
    """

    def __init__(self, reply_fd: int = REPLY_FD, request_fd: int = REQUEST_FD) -> None:
        self._reply = _move(reply_fd)
        self._request = _move(request_fd)
        self._lock = threading.Lock()
        self._buffer = bytearray()

    def send(self, message: Message) -> None:
        """Write one message. A reader that has gone is not an error."""
        line = json.dumps(message, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"
        with self._lock, contextlib.suppress(BrokenPipeError):
            view = memoryview(line)
            while view:
                view = view[os.write(self._reply, view) :]

    def receive(self) -> Message | None:
        """Return the next request, waiting for it; None when the peer has gone.

        Raises ValueError on a line that is not a JSON object.
        """
        while True:
            end = self._buffer.find(b"\n")
            if end >= 0:
                line = bytes(self._buffer[:end])
                del self._buffer[: end + 1]
                return _decode(line)
            if len(self._buffer) > _MAX_REQUEST_BYTES:
                raise ValueError("request is too large")
            chunk = os.read(self._request, 1 << 16)
            if not chunk:
                return None
            self._buffer += chunk

    def wait_closed(self) -> None:
        """Return when the peer has closed its end; what it still sends is dropped."""
        while os.read(self._request, 1 << 16):
            pass


def _move(fd: int) -> int:
    moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _PRIVATE_FD_FROM)
    os.close(fd)
    return moved


def _decode(line: bytes) -> Message:
    message = json.loads(line)
    if not isinstance(message, dict):
        raise ValueError("request is not a JSON object")
    return cast(Message, message)
