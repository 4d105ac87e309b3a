"""The policy on an analysis: what its Python may say. It never executes code.

An analysis describes one DataFrame, ``result``, from the views it was given.
Only what that needs is allowed: listed imports, listed methods, plain control
flow. Everything else is a Violation with a rule, a place and a remedy.

Decisions
- ``result`` is assigned exactly once, at the top level, and nothing can leave
  the program before it (no while, try, raise, assert, with, class, async).
- Functions and lambdas are allowed; decorators, global and nonlocal are not.
- ``df.name`` is a column when no reachable object has an attribute of that
  name; names of methods outside the list are refused.
- ``createOrReplaceTempView("x")`` is allowed for a literal name that is not one
  of the run's views; SQL may then read it.
- ``count()`` is an action unless it follows groupBy, rollup, cube or pivot.
- Names of the job script around the analysis, builtins and names with a leading
  underscore are not bound anew; "_" itself is free.
- SQL is a string literal, or a name bound once to one; see policy_sql.py.
- cache and persist are refused: Spark shares cached plans between sessions.

Rules: syntax, too-large, too-deep, statement, import, underscore, builtin,
unknown-name, shadowing, attribute, action, write, spark, python-function, read,
temp-view, sql-*, result-missing, result-once, result-top-level.
"""

import ast
import warnings
from collections.abc import Iterable

from sparkwright_client.policy_bindings import Bindings
from sparkwright_client.policy_calls import CallRules
from sparkwright_client.policy_names import NameRules
from sparkwright_client.violation import Violation

MAX_CODE_BYTES = 100_000
MAX_DEPTH = 100
MAX_VIOLATIONS = 50

_STATEMENTS: dict[type[ast.AST], str] = {
    ast.While: "use a DataFrame operation or a for loop over a list instead of while",
    ast.Try: "remove try: an error must reach the person who asked",
    ast.TryStar: "remove try: an error must reach the person who asked",
    ast.Raise: "remove raise: return rows that show the problem instead",
    ast.Assert: "remove assert: the analysis only describes a DataFrame",
    ast.With: "remove with: there is nothing to open or close",
    ast.AsyncWith: "remove async code",
    ast.AsyncFor: "remove async code",
    ast.AsyncFunctionDef: "remove async code",
    ast.Await: "remove async code",
    ast.Yield: "return a list instead of yielding",
    ast.YieldFrom: "return a list instead of yielding",
    ast.ClassDef: "use functions instead of a class",
    ast.Global: "pass values as arguments instead of global",
    ast.Nonlocal: "pass values as arguments instead of nonlocal",
    ast.Delete: "remove del: it is not needed",
    ast.NamedExpr: "assign on a line of its own instead of :=",
    ast.Match: "use if instead of match",
}


def check(code: str, views: Iterable[str]) -> list[Violation]:
    """Return what is wrong with the code, in order of lines; empty when nothing is."""
    if len(code.encode("utf-8", "surrogatepass")) > MAX_CODE_BYTES:
        message = f"the analysis is larger than {MAX_CODE_BYTES} bytes; make it shorter"
        return [Violation(1, 1, "too-large", message)]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(code)
    except SyntaxError as error:
        place = (max(error.lineno or 1, 1), max(error.offset or 1, 1))
        return [Violation(*place, "syntax", f"this is not Python: {error.msg}")]
    except (RecursionError, MemoryError):
        return [_too_deep()]
    except ValueError as error:
        return [Violation(1, 1, "syntax", f"this is not Python: {error}")]
    if _depth(tree) > MAX_DEPTH:
        return [_too_deep()]
    found = set(_statements(tree))
    bindings = Bindings.of(tree)
    found.update(_result(tree))
    found.update(NameRules(bindings).check(tree))
    found.update(CallRules(bindings, views).check(tree))
    return sorted(found)[:MAX_VIOLATIONS]


def _too_deep() -> Violation:
    return Violation(1, 1, "too-deep", "the code is nested too deeply; split it into steps")


def _depth(tree: ast.AST) -> int:
    deepest = 0
    waiting: list[tuple[ast.AST, int]] = [(tree, 1)]
    while waiting:
        node, depth = waiting.pop()
        deepest = max(deepest, depth)
        if depth <= MAX_DEPTH:
            waiting.extend((child, depth + 1) for child in ast.iter_child_nodes(node))
    return deepest


def _statements(tree: ast.Module) -> Iterable[Violation]:
    for node in ast.walk(tree):
        remedy = _STATEMENTS.get(type(node))
        if remedy is None and isinstance(node, (ast.FunctionDef, ast.Lambda)):
            decorated = isinstance(node, ast.FunctionDef) and node.decorator_list
            remedy = (
                "remove the decorator: Python functions cannot run in Spark" if decorated else None
            )
        if remedy is not None:
            line, column = getattr(node, "lineno", 1), getattr(node, "col_offset", 0)
            yield Violation(line, column + 1, "statement", remedy)


def _result(tree: ast.Module) -> Iterable[Violation]:
    """Require one assignment to `result`, at the top level."""
    stores = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and node.id == "result" and not isinstance(node.ctx, ast.Load)
    ]
    top = {id(t) for statement in tree.body for t in _plain_targets(statement)}
    if not stores:
        last = tree.body[-1].lineno if tree.body else 1
        yield Violation(last, 1, "result-missing", "end with `result = …`, a DataFrame")
    for store in stores:
        if id(store) not in top:
            message = "assign `result` at the top level, outside of if, for and functions"
            yield Violation(store.lineno, store.col_offset + 1, "result-top-level", message)
    for store in stores[1:]:
        message = "assign `result` once, at the end; use other names for the steps"
        yield Violation(store.lineno, store.col_offset + 1, "result-once", message)


def _plain_targets(statement: ast.stmt) -> list[ast.expr]:
    if isinstance(statement, ast.Assign):
        return statement.targets
    if isinstance(statement, ast.AnnAssign) and statement.value is not None:
        return [statement.target]
    return []
