"""Each rule of the policy, left out alone, lets its own case pass unnoticed.

A wall is a place that reports a violation, a kind of statement, or a kind of
SQL that is refused. Without it one of the cases of its rule must fail: so no
rule is there for nothing, and none is covered by another only.
"""

import ast
import importlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest

from sparkwright_client.policy import MAX_CODE_BYTES
from tests.harness import ROOT
from tests.test_policy import FORBIDDEN, VIEWS

# In the order in which they import each other.
MODULES = ("policy_sql", "policy_names", "policy_calls", "policy")
_DEEP = "(" * 20_000 + "1" + ")" * 20_000
_LIMITS = [
    ("#" * (MAX_CODE_BYTES + 1), "too-large", 1),
    ("result = " + "-" * 150 + "1", "too-deep", 1),
    ("result = " + "-" * 50_000 + "1", "too-deep", 1),
    (f"result = spark.sql('SELECT {_DEEP}')", "sql-parse", 1),
    ("result = spark.sql('SELECT " + "a, " * 20_000 + "b FROM orders')", "sql-too-large", 1),
]
_CASES = FORBIDDEN + _LIMITS


@dataclass(frozen=True)
class Wall:
    """A place in a module that refuses something."""

    module: str
    line: int
    rule: str  # "" = told by what is called there
    entry: int = -1  # of a table

    def __str__(self) -> str:
        return f"{self.module}:{self.line}:{self.rule}"


def _tree(module: str) -> ast.Module:
    return ast.parse((ROOT / "sparkwright_client" / f"{module}.py").read_text(encoding="utf-8"))


def _reported(node: ast.AST) -> ast.expr | None:
    """Return what a statement reports as a violation; None when it reports none."""
    value: ast.expr | None = None
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Yield):
        value = node.value.value
    elif isinstance(node, ast.Return) and isinstance(node.value, ast.List) and node.value.elts:
        value = node.value.elts[0]
    made = isinstance(value, ast.Call) and isinstance(value.func, ast.Name)
    found = isinstance(value, ast.Tuple) or (isinstance(value, ast.Name) and value.id == "odd")
    return value if made or found else None


def _rule(value: ast.expr) -> str:
    given = value.args if isinstance(value, ast.Call) else getattr(value, "elts", [])
    texts = [a.value for a in given if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    return str(texts[0]) if texts else ""


def _entries(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        if node.target.id == "_STATEMENTS" and isinstance(node.value, ast.Dict):
            return [key for key in node.value.keys if key is not None]
        if node.target.id == "_FORBIDDEN_NODES" and isinstance(node.value, ast.Tuple):
            return node.value.elts
    return []


def _walls() -> Iterator[Wall]:
    for module in MODULES:
        for node in ast.walk(_tree(module)):
            value = _reported(node)
            if value is not None:
                yield Wall(module, value.lineno, _rule(value))
            rule = "statement" if module == "policy" else "sql-not-select"
            for entry, kind in enumerate(_entries(node)):
                yield Wall(module, kind.lineno, rule, entry)


def _without(wall: Wall) -> ast.Module:
    """Return the module's tree without the wall."""
    tree = _tree(wall.module)
    for parent in ast.walk(tree):
        for name, body in ast.iter_fields(parent):
            if not isinstance(body, list):
                continue
            for position, node in enumerate(body):
                value = _reported(node) if isinstance(node, ast.stmt) else None
                if value is not None and value.lineno == wall.line and wall.entry < 0:
                    nothing: ast.stmt = ast.parse("yield from ()").body[0]
                    if isinstance(node, ast.Return):
                        nothing = ast.parse("pass").body[0]
                    getattr(parent, name)[position] = ast.copy_location(nothing, node)
                    return ast.fix_missing_locations(tree)
                if wall.entry >= 0 and _entries(node):
                    table = node.value
                    if isinstance(table, ast.Dict):
                        del table.keys[wall.entry], table.values[wall.entry]
                    else:
                        del table.elts[wall.entry]
                    return tree
    raise AssertionError(f"{wall} is not found again")


def _checker(wall: Wall | None, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
    """Load the policy anew, without the wall."""
    package = importlib.import_module("sparkwright_client")
    for name in MODULES:
        full = f"sparkwright_client.{name}"
        module = ModuleType(full)
        tree = _without(wall) if wall is not None and wall.module == name else _tree(name)
        monkeypatch.setitem(sys.modules, full, module)
        monkeypatch.setattr(package, name, module, raising=False)
        exec(compile(tree, full, "exec"), module.__dict__)  # noqa: S102
    check: Callable[..., list[Any]] = sys.modules["sparkwright_client.policy"].check
    return check


def _refused(check: Callable[..., list[Any]], code: str, rule: str, line: int) -> bool:
    try:
        return (rule, line) in [(v.rule, v.line) for v in check(code, VIEWS)]
    except Exception:  # what the wall kept out
        return False


def test_all_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    check = _checker(None, monkeypatch)
    assert [c for c in _CASES if not _refused(check, *c)] == []


@pytest.mark.parametrize("wall", list(_walls()), ids=str)
def test_left_out(wall: Wall, monkeypatch: pytest.MonkeyPatch) -> None:
    check = _checker(wall, monkeypatch)
    own = [c for c in _CASES if wall.rule in ("", c[1])]
    assert any(not _refused(check, *case) for case in own), f"no case needs {wall}"
