"""Trying an analysis on empty tables, with Spark's own analyzer.

The analysis is executed in this process against a fresh session whose views
have the right columns and no rows; then the plan of ``result`` is analyzed on
the server. No data is read: the session knows no other relation. The code is
expected to have passed the policy.
"""

import ast
import contextlib
import io
import re
import sys
import types
import warnings
from collections.abc import Iterator
from typing import Any

import grpc
from pyspark.errors import PySparkException
from pyspark.errors.exceptions.connect import SparkConnectGrpcException
from pyspark.sql.connect.dataframe import DataFrame
from pyspark.sql.connect.plan import LocalRelation, LogicalPlan
from pyspark.sql.connect.session import SparkSession
from pyspark.sql.types import StructType

from sparkwright_client import remote as sessions
from sparkwright_client.names import ACTIONS

FILENAME = "<analysis>"
_RELEASE_SECONDS = 1.0
_UNAVAILABLE = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAUTHENTICATED}
_MAX_PROBES = 40
_SQL_METHODS = {"sql", "expr", "selectExpr", "filter", "where"}

Fault = dict[str, Any]
Schema = list[dict[str, str]]


class ActionNotAllowedError(Exception):
    """The analysis asked for rows; it only describes them."""


def dry_run(code: str, remote: str, views: list[dict[str, Any]]) -> tuple[Schema, Fault | None]:
    """Return the result's schema, or an empty one and the fault found."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(code, FILENAME)
            program = compile(tree, FILENAME, "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = error.lineno if isinstance(error, SyntaxError) else 0
        message = error.msg if isinstance(error, SyntaxError) else str(error)
        return [], fault(type(error).__name__, message, line or 0)
    session = None
    try:
        session = sessions.connect(sessions.without_session_id(remote))
        for view in _mentioned(tree, views):
            _create_empty_view(session, view)
        return _resolve(session, tree, program)
    except BaseException as error:
        return [], fault_of(error, tree)
    finally:
        if session is not None:
            sessions.release(session, _RELEASE_SECONDS)


def explain(code: str, prologue: str, remote: str) -> tuple[str, Fault | None]:
    """Return Spark's formatted plan of the result over the run's real views.

    The prologue makes the views in a session of its own; no rows are read.
    """
    session = None
    tree = ast.parse(code, FILENAME)
    try:
        session = sessions.connect(sessions.without_session_id(remote))
        exec(compile(prologue, "<views>", "exec"), {"__name__": "__main__", "spark": session})
        scope: dict[str, Any] = {"__name__": "__main__", "spark": session}
        sink = _Discard()
        with (
            _actions_denied(),
            contextlib.redirect_stdout(sink),
            contextlib.redirect_stderr(sink),
        ):
            exec(compile(tree, FILENAME, "exec"), scope)
        return scope["result"]._explain_string(mode="formatted"), None
    except BaseException as error:
        return "", fault_of(error, tree)
    finally:
        if session is not None:
            sessions.release(session, _RELEASE_SECONDS)


def _resolve(
    session: SparkSession, tree: ast.Module, program: types.CodeType
) -> tuple[Schema, Fault | None]:
    scope: dict[str, Any] = {"__name__": "__main__", "spark": session}
    sink = _Discard()
    with (
        _actions_denied(),
        contextlib.redirect_stdout(sink),
        contextlib.redirect_stderr(sink),
    ):
        made = _Lineage()
        with made.recording():
            exec(program, scope)
    if "result" not in scope:
        return [], fault("RESULT_MISSING", "the analysis never assigns a DataFrame to `result`", 0)
    result = scope["result"]
    if not isinstance(result, DataFrame):
        message = f"`result` is a {type(result).__name__}, but must be a DataFrame"
        return [], fault("RESULT_NOT_DATAFRAME", message, _result_line(tree))
    # Not result.schema: the client may answer that from a cached parent schema
    # without asking the analyzer.
    try:
        resolved = _analyze(result)
    except PySparkException as error:
        found = fault_of(error, tree)
        found["line"] = found["line"] or _sql_position(tree, made.first_broken(result), error)
        return [], found
    return [{"name": f.name, "type": f.dataType.simpleString()} for f in resolved.fields], None


def _analyze(frame: DataFrame) -> StructType:
    client = frame.sparkSession.client
    return client.schema(frame._plan.to_proto(client))


class _Lineage:
    """Which line of the analysis made which DataFrame."""

    def __init__(self) -> None:
        self._made: list[tuple[DataFrame, int]] = []

    @contextlib.contextmanager
    def recording(self) -> Iterator[None]:
        """Note every DataFrame that the analysis makes."""
        original = DataFrame.__init__
        made = self._made

        def noting(self: DataFrame, *args: Any, **kwargs: Any) -> None:
            original(self, *args, **kwargs)
            made.append((self, _analysis_line(sys._getframe(1))))

        DataFrame.__init__ = noting  # type: ignore[method-assign]
        try:
            yield
        finally:
            DataFrame.__init__ = original  # type: ignore[method-assign]

    def first_broken(self, result: DataFrame) -> int:
        """Return the line that made the first DataFrame the analyzer refuses."""
        needed = _plans_under(result._plan)
        candidates = [(f, line) for f, line in self._made if line and id(f._plan) in needed]
        for frame, line in candidates[-_MAX_PROBES:]:
            try:
                _analyze(frame)
            except PySparkException:
                return line
        return 0


def _analysis_line(frame: types.FrameType | None) -> int:
    while frame is not None:
        if frame.f_code.co_filename == FILENAME:
            return frame.f_lineno
        frame = frame.f_back
    return 0


def _plans_under(plan: LogicalPlan) -> set[int]:
    """Return the identities of a plan and everything it is made of."""
    seen: set[int] = set()
    waiting: list[Any] = [plan]
    while waiting:
        item = waiting.pop()
        if isinstance(item, (list, tuple)):
            waiting.extend(item)
        elif isinstance(item, LogicalPlan) and id(item) not in seen:
            seen.add(id(item))
            waiting.extend(vars(item).values())
    return seen


class _Discard(io.TextIOBase):
    """Swallows what the analysis prints while it is only tried."""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        return len(text)


@contextlib.contextmanager
def _actions_denied() -> Iterator[None]:
    """Make every action of a DataFrame raise while the analysis is tried."""
    kept = {name: DataFrame.__dict__[name] for name in ACTIONS if name in DataFrame.__dict__}
    for name in kept:
        setattr(DataFrame, name, _denial(name))
    try:
        yield
    finally:
        for name, value in kept.items():
            setattr(DataFrame, name, value)


def _denial(name: str) -> property:
    def deny(_: DataFrame) -> None:
        raise ActionNotAllowedError(
            f"DataFrame.{name} is not allowed: describe the rows in `result` "
            "and leave their evaluation to the job"
        )

    return property(deny)


# --- empty views -----------------------------------------------------------


def _mentioned(tree: ast.Module, views: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Keep the views whose name occurs in a string of the code."""
    texts = [
        node.value.casefold()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]

    def used(view: dict[str, Any]) -> bool:
        name = str(view["name"]).casefold()
        return any(name in text or name.replace("`", "``") in text for text in texts)

    return [view for view in views if used(view)]


def _create_empty_view(session: SparkSession, view: dict[str, Any]) -> None:
    ddl = ", ".join(
        f"{quote(str(c['name']))} {spark_type(str(c['type']))}" for c in view["columns"]
    )
    empty = DataFrame(LocalRelation(None, schema=ddl), session)
    empty.createOrReplaceTempView(quote(str(view["name"])))


def quote(name: str) -> str:
    """Quote an identifier for Spark SQL."""
    return "`" + name.replace("`", "``") + "`"


_TYPE_PARTS = re.compile(r"`(?:[^`]|``)*`|\b(?:var)?char\s*\(\s*\d+\s*\)", re.IGNORECASE)


def spark_type(ddl: str) -> str:
    """Turn char(n) and varchar(n) into string, as Spark itself does on reading."""
    return _TYPE_PARTS.sub(lambda m: m[0] if m[0].startswith("`") else "string", ddl)


# --- faults ----------------------------------------------------------------


def fault(class_: str, message: str, line: int, state: str = "", kind: str = "code") -> Fault:
    """Build the wire form of a fault."""
    return {"kind": kind, "class": class_, "sql_state": state, "message": message, "line": line}


def fault_of(error: BaseException, tree: ast.Module) -> Fault:
    """Describe an exception of the analysis or of the server."""
    line = _line_of(error, tree)
    if isinstance(error, ActionNotAllowedError):
        return fault("ACTION_NOT_ALLOWED", str(error), line)
    if isinstance(error, grpc.RpcError) or _server_gone(error):
        return fault("SPARK_SERVER_UNAVAILABLE", _first_part(str(error)), 0, "", "infrastructure")
    if isinstance(error, PySparkException):
        class_ = error.getCondition() or type(error).__name__
        message = _clean(_first_part(str(error)), class_)
        return fault(class_, message, line, error.getSqlState() or "")
    return fault(type(error).__name__, str(error), line)


def _server_gone(error: BaseException) -> bool:
    code = getattr(error, "getGrpcStatusCode", lambda: None)()
    return isinstance(error, SparkConnectGrpcException) and code in _UNAVAILABLE


def _first_part(text: str) -> str:
    """Cut the plan and the server's stack trace off a message."""
    text = text.split("\n\nJVM stacktrace:")[0]
    return re.split(r";\n(?=['+ ]|\w+ \[|\w+ \()", text)[0].strip()


def _clean(message: str, class_: str) -> str:
    message = message.removeprefix(f"[{class_}]").strip()
    return re.sub(r"\s*SQLSTATE: \w{5}", "", message).strip()


def _line_of(error: BaseException, tree: ast.Module) -> int:
    """Find the line of the analysis: Spark's call site, else the traceback."""
    line = _context_line(error)
    if line:
        return line
    frame = error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code.co_filename == FILENAME:
            line = frame.tb_lineno
        frame = frame.tb_next
    return _sql_position(tree, line, error)


def _sql_position(tree: ast.Module, line: int, error: BaseException) -> int:
    """Move from the line of a call into the SQL text it was given."""
    inside = _sql_line(error)
    return _literal_start(tree, line) + inside - 1 if line and inside > 1 else line


def _context_line(error: BaseException) -> int:
    if not isinstance(error, PySparkException):
        return 0
    for context in error.getQueryContext() or []:
        with contextlib.suppress(Exception):
            found = re.search(re.escape(FILENAME) + r":(\d+)", context.callSite())
            if found:
                return int(found[1])
    return 0


def _sql_line(error: BaseException) -> int:
    """Return the line inside an SQL text that Spark complains of, 0 when unknown."""
    found = re.search(r"\(line (\d+), pos \d+\)|; line (\d+) pos \d+", str(error))
    return int(found[1] or found[2]) if found else 0


def _literal_start(tree: ast.Module, line: int) -> int:
    """Return the first line of the SQL literal in the call at the given line."""
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if node.func.attr not in _SQL_METHODS or not node.args:
            continue
        if not node.lineno <= line <= (node.end_lineno or node.lineno):
            continue
        text = node.args[0]
        if isinstance(text, ast.Constant) and isinstance(text.value, str):
            span = (text.end_lineno or text.lineno) - text.lineno
            if span == text.value.count("\n"):
                return text.lineno
    return line


def _result_line(tree: ast.Module) -> int:
    """Return the line of the last assignment to `result`."""
    lines = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and node.id == "result" and isinstance(node.ctx, ast.Store)
    ]
    return max(lines, default=0)
