"""The request loop.

Protocol: newline-delimited JSON, requests on descriptor 4, replies on 3.

==========================================  =========================================
request                                     reply
==========================================  =========================================
(start)                                     {"type":"ready","pid"}
{"op":"policy","id","code","views":[name]}  {"type":"policy","id","violations":[...]}
{"op":"dryrun","id","code","remote",        {"type":"dryrun","id","schema":[...],
 "views":[{"name","columns":[...]}]}         "fault":null|{...}}
{"op":"explain","id","code","prologue",     {"type":"explain","id","plan",
 "remote","env"}                             "fault":null|{...}}
{"op":"translate","id","code",              {"type":"translate","id","translation":
 "views":[{"name","schema","table",          {"sql","loose","key"} or {"why"}}
 "columns":[...]}]}
{"op":"direct","id","code",                 {"type":"direct","id","direct":
 "views":[{…,"columns":[{…,"how"}]}]}        {"sql","schema","limit"} or {"why"}}
{"op":"lint","id","code","views":[...]}     {"type":"lint","id","findings":[...]}
{"op":"run","id","script","remote",         {"type":"progress",...}*,
 "env","limits":{"memory_bytes"}}            {"type":"done","id","exit"}; process exits
anything else                               {"type":"error","id","message"}
==========================================  =========================================

Requests are handled one after the other. SIGTERM, and the end of descriptor 4
while a script runs, interrupt and end its session; the process then exits with 143
and sends no done. The end of descriptor 4 while nothing runs is a quiet exit with 0.
stdout and stderr belong to the script.
"""

import contextlib
import logging
import os
import signal
import sys
import threading
import warnings
from typing import TYPE_CHECKING, Any, NoReturn

from sparkwright_client.wire import Message, Wire

if TYPE_CHECKING:
    from sparkwright_client.run import Job

EXIT_TERMINATED = 143
_INTERRUPT_SECONDS = 2.0


def main() -> None:
    """Import everything, say ready, serve requests until the end."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # before any thread starts
    wire = Wire()
    os.environ["SPARK_CONNECT_MODE_ENABLED"] = "1"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sparkwright_client import dryrun, policy, remote, run

    remote.enable_call_sites()
    for name in ("SQLQueryContextLogger", "DataFrameQueryContextLogger"):
        logging.getLogger(name).disabled = True
    policy.check("result = spark.sql('SELECT 1 AS a FROM t')", ["t"])

    job = run.Job()
    _watch_signals(job)
    wire.send({"type": "ready", "pid": os.getpid()})
    while True:
        try:
            request = wire.receive()
        except ValueError as error:
            wire.send({"type": "error", "id": None, "message": str(error)})
            continue
        if request is None:
            _leave(0)
        if request.get("op") == "run":
            _watch_peer(wire, job)
            _leave(job.run(wire, request))
        wire.send(_answer(request, policy.check, dryrun.dry_run))


def _answer(request: Message, check: Any, dry_run: Any) -> Message:
    """Answer a policy or dryrun request; a malformed one gets an error reply."""
    op, number = request.get("op"), request.get("id")
    try:
        if op == "policy":
            found = check(str(request["code"]), [str(v) for v in request["views"]])
            return {"type": "policy", "id": number, "violations": [v.as_json() for v in found]}
        if op == "dryrun":
            schema, fault = dry_run(str(request["code"]), str(request["remote"]), request["views"])
            return {"type": "dryrun", "id": number, "schema": schema, "fault": fault}
        if op == "explain":
            from sparkwright_client.dryrun import explain

            os.environ.update({str(k): str(v) for k, v in request["env"].items()})
            plan, fault = explain(
                str(request["code"]), str(request["prologue"]), str(request["remote"])
            )
            return {"type": "explain", "id": number, "plan": plan, "fault": fault}
        if op == "translate":
            from sparkwright_client.translate import translate

            found_sql = translate(str(request["code"]), request["views"])
            return {"type": "translate", "id": number, "translation": found_sql}
        if op == "direct":
            from sparkwright_client.direct import direct

            found_direct = direct(str(request["code"]), request["views"])
            return {"type": "direct", "id": number, "direct": found_direct}
        if op == "lint":
            from sparkwright_client.lint import lint

            found_ways = lint(str(request["code"]), request["views"])
            return {"type": "lint", "id": number, "findings": found_ways}
    except Exception as error:
        return {"type": "error", "id": number, "message": f"{type(error).__name__}: {error}"}
    return {"type": "error", "id": number, "message": f"unknown op {op!r}"}


def _watch_signals(job: "Job") -> None:
    """Take SIGTERM in a thread of its own: the main one may be inside a call."""

    def wait() -> None:
        signal.sigwait({signal.SIGTERM})
        _terminate(job)

    threading.Thread(target=wait, name="signals", daemon=True).start()


def _watch_peer(wire: Wire, job: "Job") -> None:
    """Interrupt the run when the Go process has gone."""

    def wait() -> None:
        wire.wait_closed()
        _terminate(job)

    threading.Thread(target=wait, name="peer", daemon=True).start()


def _terminate(job: "Job") -> None:
    """Interrupt and exit, unless the run is over and the process about to exit."""
    if job.terminate(_INTERRUPT_SECONDS):
        _leave(EXIT_TERMINATED)


def _leave(code: int) -> NoReturn:
    """End the process at once, without the client's exit handlers."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(code)
