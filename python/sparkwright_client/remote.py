"""Sessions on a Spark Connect server that fail fast when it is lost."""

import contextlib
import sys
import threading

import pyspark.errors.utils
from pyspark.sql.connect.client import SparkConnectClient
from pyspark.sql.connect.client.retries import DefaultPolicy
from pyspark.sql.connect.session import SparkSession

# Waits of 100, 200, 400 and 800 ms: a hiccup is survived, a server that has
# gone is reported after a second and a half.
_MAX_RETRIES = 4
_FIRST_WAIT_MS = 100
_MAX_WAIT_MS = 800
_GIVE_UP_SECONDS = 2.0


def connect(remote: str) -> SparkSession:
    """Open a session that does not become the process's default one."""
    session = SparkSession(connection=remote)
    fail_fast(session)
    return session


def connect_default(remote: str) -> SparkSession:
    """Open the session that a script's own getOrCreate() will return."""
    session: SparkSession = SparkSession.builder.remote(remote).getOrCreate()
    fail_fast(session)
    return session


def fail_fast(session: SparkSession) -> None:
    """Replace the client's retry policy, which would try for ten minutes."""
    client: SparkConnectClient = session.client
    client.set_retry_policies(
        [
            DefaultPolicy(
                max_retries=_MAX_RETRIES,
                initial_backoff=_FIRST_WAIT_MS,
                backoff_multiplier=2.0,
                max_backoff=_MAX_WAIT_MS,
                jitter=0,
                max_server_retry_delay=_MAX_WAIT_MS,
            )
        ]
    )
    client._max_retry_exception_elapsed_time = _GIVE_UP_SECONDS


def enable_call_sites() -> None:
    """Have expressions carry the line that made them, without asking a server for it.

    PySpark decides this once per process, from the first session it meets, and
    looks for IPython at every expression; both are settled here.
    """
    setattr(pyspark.errors.utils, "_enable_debugging_cache", True)  # noqa: B010 (typed as None)
    sys.modules.setdefault("IPython", None)  # type: ignore[arg-type]


def without_session_id(remote: str) -> str:
    """Drop session_id from a URL: a released id cannot be used again."""
    parts = remote.split(";")
    return ";".join(p for p in parts if not p.startswith("session_id="))


def release(session: SparkSession, seconds: float) -> None:
    """End the session on the server, waiting at most so long."""
    session.client.set_retry_policies([])
    _bounded(session.stop, seconds)


def interrupt(session: SparkSession, seconds: float) -> None:
    """Stop what the session runs on the server, waiting at most so long."""
    session.client.set_retry_policies([])
    _bounded(session.interruptAll, seconds)


def _bounded(action: object, seconds: float) -> None:
    def call() -> None:
        with contextlib.suppress(Exception):
            if callable(action):
                action()

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(seconds)
