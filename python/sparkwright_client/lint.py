"""Ways in which an answer may be silently wrong, found before it runs.

The policy asks whether an analysis may run; this asks whether it means what it
seems to. It knows the keys, the types and the shares of NULL of the views, and
reads the SQL of an analysis with them, and its DataFrames, as the SELECT that
each is. What it is not sure of it does not say.

A finding with repair goes back to whoever wrote the code; the others are told
with the answer.
"""

import ast
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import sqlglot
from sqlglot import exp

from sparkwright_client import lint_rules
from sparkwright_client.lint_frames import Frames
from sparkwright_client.lint_relations import Relation, Select, of_view
from sparkwright_client.policy_bindings import Bindings
from sparkwright_client.policy_calls import placed
from sparkwright_client.violation import Violation

MAX_FINDINGS = 20
_ORDERS = frozenset(("orderBy", "sort", "sortWithinPartitions"))
_MAX_FOLLOWED = 20

Finding = dict[str, Any]


def lint(code: str, views: Iterable[dict[str, Any]]) -> list[Finding]:
    """Return the findings on an analysis, in order of lines.

    A view has name, keys (lists of column names) and columns with name, type
    (PostgreSQL's), nullable, null_fraction (or null), text_date and repeated. Code that is
    not understood has no findings: the policy and the dry run speak of it.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    bindings = Bindings.of(tree)
    frames = Frames(tree, bindings, {str(v["name"]).casefold(): of_view(v) for v in views})
    found = {(line, rule, message) for rule, line, message in frames.found}
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
            for v in _call(call, call.func, bindings, frames):
                found.add((v.line, v.rule, v.message))
    return [
        {"rule": rule, "line": line, "message": message, "repair": rule in lint_rules.REPAIR}
        for line, rule, message in sorted(found)[:MAX_FINDINGS]
    ]


def _call(
    call: ast.Call, function: ast.Attribute, bindings: Bindings, frames: Frames
) -> Iterator[Violation]:
    if function.attr == "sql" and isinstance(function.value, ast.Name) and call.args:
        text = bindings.text(call.args[0])
        if text is not None:
            yield from placed(text, check_sql(str(text.value), frames.views))
    elif function.attr != "limit" or id(call) in frames.limits:
        return
    elif not _ordered(function.value, bindings, 0):
        line = function.end_lineno or function.lineno
        yield Violation(line, 1, lint_rules.LIMIT, lint_rules.LIMIT_MESSAGE)


def _ordered(node: ast.expr | None, bindings: Bindings, followed: int) -> bool:
    """Tell whether rows have an order, or whether that cannot be seen."""
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr in _ORDERS:
            return True
        if node.func.attr == "sql" and node.args:
            text = bindings.text(node.args[0])
            return text is None or "order by" in str(text.value).casefold()
        node = node.func.value
    if isinstance(node, ast.Name) and node.id != "spark" and followed < _MAX_FOLLOWED:
        values = bindings.values.get(node.id, [])
        return len(values) != 1 or _ordered(values[0], bindings, followed + 1)
    return not isinstance(node, ast.Name)


def check_sql(text: str, relations: dict[str, Relation]) -> list[tuple[str, int, str]]:
    """Return rule, line inside the text and message of every finding in one SQL text."""
    try:
        root = sqlglot.parse_one(text, read="spark")
        if not isinstance(root, exp.Query):
            return []
        return list(_query(root, relations))
    except Exception:  # the parser has faults of its own, and no run fails for its lint
        return []


def _query(root: exp.Expr, relations: dict[str, Relation]) -> Iterator[tuple[str, int, str]]:
    for node in root.walk():
        if isinstance(node, exp.Query) and not isinstance(node, exp.Subquery):
            yield from lint_rules.limit(node)
        if isinstance(node, exp.Select):
            yield from lint_rules.select(Select(node, relations))
