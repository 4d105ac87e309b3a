"""What the policy finds."""

import ast
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, order=True)
class Violation:
    """One finding: where it is, which rule, and what to do instead."""

    line: int  # from 1
    column: int  # from 1
    rule: str
    message: str

    def as_json(self) -> dict[str, Any]:
        """Return the wire form."""
        return {
            "rule": self.rule,
            "line": self.line,
            "column": self.column,
            "message": self.message,
        }


def at(node: ast.expr | ast.stmt, rule: str, message: str) -> Violation:
    """Make a finding at the beginning of a node."""
    return Violation(node.lineno, node.col_offset + 1, rule, message)


def at_attribute(node: ast.Attribute, rule: str, message: str) -> Violation:
    """Make a finding at the name after the dot, which may be lines further down."""
    line = node.end_lineno or node.lineno
    column = (node.end_col_offset or len(node.attr)) - len(node.attr) + 1
    return Violation(line, column, rule, message)
