"""Columns of DataFrame code, as the expressions of SQL that they are."""

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass

import sqlglot
from sqlglot import exp

from sparkwright_client.lint_frame import NotUnderstoodError
from sparkwright_client.policy_bindings import Bindings
from sparkwright_client.policy_calls import function_of
from sparkwright_client.policy_sql import line_of


@dataclass(frozen=True)
class Const:
    """A literal of Python; at is where a text stands."""

    value: object
    at: ast.Constant


_NAME = re.compile(r"(?:(\w+)\.)?([^.`*]+|\*)")  # avg(fee) is one as well
# Arguments that are texts even where a column has that name.
_TEXTS = {
    "date_trunc": 0, "extract": 0, "date_part": 0, "datepart": 0, "trunc": 1, "to_date": 1,
    "to_timestamp": 1, "date_format": 1,
}  # fmt: skip
_RENAMED = {"mean": "avg", "char_length": "length", "sort_array": "array_sort"}
_DISTINCT = frozenset(("countDistinct", "count_distinct"))
_ORDERS = frozenset(
    ["asc", "desc", "asc_nulls_first", "asc_nulls_last", "desc_nulls_first", "desc_nulls_last"]
)
# Several rows for one, or one for many in a way that the rules do not know.
_OTHER_ROWS = re.compile(
    r"explode|inline|stack|json_tuple|udtf?$|grouping|percentile|mode$|median|kurtosis|skewness"
    r"|^(any|some|every|first|last|bit|bool|regr|collect|hll|kll|theta|count_min|bitmap|histogram)_"
    r"|_agg$|^(some|every|product|listagg|string_agg)|_by$|_distinct$|Distinct$"
)
_COMPARE: dict[type[ast.cmpop], type[exp.Binary]] = {
    ast.Eq: exp.EQ, ast.NotEq: exp.NEQ, ast.Lt: exp.LT, ast.LtE: exp.LTE, ast.Gt: exp.GT,
    ast.GtE: exp.GTE,
}  # fmt: skip
_BINARY: dict[type[ast.operator], type[exp.Binary]] = {
    ast.BitAnd: exp.And, ast.BitOr: exp.Or, ast.Add: exp.Add, ast.Sub: exp.Sub, ast.Mult: exp.Mul,
    ast.Div: exp.Div, ast.Mod: exp.Mod,
}  # fmt: skip
_PLAIN_METHODS = frozenset(
    ["like", "rlike", "ilike", "startswith", "endswith", "contains", "substr", "try_cast", "isNaN"]
)


def unresolved(name: str, line: int) -> exp.Expr:
    """Return the column of a name, before it is known of which frame."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise NotUnderstoodError
    if match[2] == "*":
        return exp.Column(this=exp.Star(), table=match[1] and exp.to_identifier(match[1]))
    column = exp.column(match[2], table=match[1])
    column.meta["line"] = line
    return column


def column(value: object) -> exp.Expr:
    """Return what a value is where a Column or a literal is taken."""
    if isinstance(value, exp.Expr):
        return value.copy()
    if not isinstance(value, Const):
        raise NotUnderstoodError
    of = value.value
    if isinstance(of, bool):
        return exp.Boolean(this=of)
    if of is None:
        return exp.Null()
    if isinstance(of, (int, float)):
        return exp.Literal.number(of)
    if isinstance(of, str):
        return exp.Literal.string(of)
    raise NotUnderstoodError


def named(value: object) -> exp.Expr:
    """Return what a value is where a Column or its name is taken."""
    if isinstance(value, Const) and isinstance(value.value, str):
        return unresolved(value.value, value.at.lineno)
    return column(value)


def text(value: object) -> str:
    """Return the text that a value is."""
    if isinstance(value, Const) and isinstance(value.value, str):
        return value.value
    raise NotUnderstoodError


def expression(value: object) -> exp.Expr:
    """Return the SQL expression of a text, its lines those of the program."""
    sql = text(value)
    assert isinstance(value, Const)  # noqa: S101 # text has seen it
    select = sqlglot.parse_one("SELECT " + sql, read="spark")
    if not isinstance(select, exp.Select) or len(select.selects) != 1 or select.args.get("from_"):
        raise NotUnderstoodError
    out: exp.Expr = select.selects[0]
    exact = (value.at.end_lineno or value.at.lineno) - value.at.lineno == sql.count("\n")
    for node in out.walk():
        line = node.meta.get("line")
        if line:
            node.meta["line"] = value.at.lineno + (int(line) - 1 if exact else 0)
    for node in out.find_all(exp.Column):
        node.meta["line"] = line_of(node)
    for node in out.find_all(exp.Func):
        if _OTHER_ROWS.search(node.sql_name().casefold() or node.name.casefold()):
            raise NotUnderstoodError
    out.pop()
    return out


def function(name: str, values: list[object], line: int) -> exp.Expr:
    """Return a call of a function of pyspark.sql.functions."""
    if name in ("col", "column"):
        return unresolved(text(values[0]), line)
    if name == "lit":
        return column(values[0])
    if name == "expr":
        return expression(values[0])
    if name in _ORDERS:
        return named(values[0])
    if name == "when":
        branch = exp.If(this=column(values[0]), true=column(values[1]))
        return exp.Case(ifs=[branch])
    if name in _DISTINCT:
        return exp.Count(this=exp.Distinct(expressions=[named(v) for v in values]))
    if _OTHER_ROWS.search(name):
        raise NotUnderstoodError
    if name == "count":
        of = named(values[0])
        return exp.Count(this=exp.Star() if _all(of) else of)
    arguments = [_argument(name, i, v) for i, v in enumerate(values)]
    try:
        return exp.func(_RENAMED.get(name, name), *arguments, dialect="spark")
    except (ValueError, TypeError):
        return exp.Anonymous(this=name, expressions=arguments)


def _all(e: exp.Expr) -> bool:
    return isinstance(e, (exp.Literal, exp.Star)) or isinstance(e.this, exp.Star)


def _argument(function_name: str, position: int, value: object) -> exp.Expr:
    if not isinstance(value, Const) or not isinstance(value.value, str):
        return column(value)
    if _TEXTS.get(function_name) == position or not _NAME.fullmatch(value.value):
        return column(value)
    out = unresolved(value.value, value.at.lineno)
    out.meta["maybe"] = True
    return out


def method(this: exp.Expr, name: str, values: list[object], line: int) -> exp.Expr:
    """Return a call of a method of a Column."""
    if name in ("alias", "name"):
        return exp.alias_(this, text(values[0]), quoted=True)
    if name in ("cast", "astype"):
        return exp.cast(this, text(values[0]), dialect="spark")
    if name in _ORDERS:
        return this
    if name == "isNull":
        return exp.Is(this=this, expression=exp.Null())
    if name == "isNotNull":
        return exp.Not(this=exp.Is(this=this, expression=exp.Null()))
    if name == "between":
        return exp.Between(this=this, low=column(values[0]), high=column(values[1]))
    if name == "eqNullSafe":
        return exp.NullSafeEQ(this=this, expression=column(values[0]))
    if name == "isin":
        listed = values[0] if len(values) == 1 and isinstance(values[0], list) else values
        if len(values) == 1 and isinstance(values[0], exp.Subquery):
            return exp.In(this=this, query=values[0].copy())
        return exp.In(this=this, expressions=[column(v) for v in listed])
    if name == "over":
        return exp.Window(this=this)
    if name == "when" and isinstance(this, exp.Case):
        return this.when(column(values[0]), column(values[1]))
    if name == "otherwise" and isinstance(this, exp.Case):
        return this.else_(column(values[0]))
    if name in _PLAIN_METHODS:
        return exp.Anonymous(this=name, expressions=[this, *(column(v) for v in values)])
    raise NotUnderstoodError


def operation(node: ast.expr, value: Callable[[ast.expr], object]) -> exp.Expr:
    """Return what an operator makes of Columns."""
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        kind = _COMPARE.get(type(node.ops[0]))
        if kind is not None:
            left, right = value(node.left), value(node.comparators[0])
            return kind(this=column(left), expression=column(right))
    elif isinstance(node, ast.BinOp):
        binary = _BINARY.get(type(node.op))
        if binary is not None:
            left, right = value(node.left), value(node.right)
            return binary(this=column(left), expression=column(right))
    elif isinstance(node, ast.UnaryOp):
        this = column(value(node.operand))
        if isinstance(node.op, ast.Invert):
            return exp.Not(this=this)
        if isinstance(node.op, ast.USub):
            return exp.Neg(this=this)
    raise NotUnderstoodError


def label(e: exp.Expr) -> str:
    """Return the name that a column gets; one that nobody asks for where that is not certain."""
    if isinstance(e, exp.Alias):
        return str(e.alias).casefold()
    if isinstance(e, exp.Column):
        return e.name.casefold()
    if isinstance(e, exp.Count) and isinstance(e.this, exp.Star):
        return "count(1)"
    if isinstance(e, (exp.Sum, exp.Avg, exp.Min, exp.Max, exp.Count)):
        inner = e.this
        if isinstance(inner, exp.Column):
            return f"{e.key}({inner.name.casefold()})"
    return f"#{e.sql()}"


def function_name(node: ast.expr, bindings: Bindings) -> str:
    """Return the function of pyspark.sql.functions that is called, or an empty text."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return node.attr if bindings.functions_alias(node.value.id) else ""
    return function_of(node.id, bindings) if isinstance(node, ast.Name) else ""
