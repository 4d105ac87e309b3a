"""Spark's types of expressions, as far as PostgreSQL computes the same values.

Decimals are exact here: where Spark would have to round, since a result has
more than 38 digits, the expression is declined.
"""

import re

from sparkwright_client.translate import DeclinedError

INTEGERS = {"tinyint": 3, "smallint": 5, "int": 10, "bigint": 20}  # digits as a decimal
_ORDER = list(INTEGERS)
_MOST = 38
_DECIMAL = re.compile(r"decimal\((\d+),(\d+)\)")
_NUMBER = re.compile(r"(\d+)(?:\.(\d+))?")
_INT, _BIGINT = 2**31 - 1, 2**63 - 1


def _digits(kind: str) -> tuple[int, int] | None:
    """Return precision and scale of a number that is exact."""
    if kind in INTEGERS:
        return INTEGERS[kind], 0
    found = _DECIMAL.fullmatch(kind)
    return (int(found[1]), int(found[2])) if found else None


def _decimal(precision: int, scale: int) -> str:
    if precision > _MOST:
        raise DeclinedError("Spark would round a number of more than 38 digits")
    return f"decimal({precision},{scale})"


def _family(kind: str) -> str:
    if _digits(kind) or kind == "double":
        return "number"
    return "moment" if kind in ("date", "timestamp") else kind


def comparable(a: str, b: str) -> bool:
    """Report whether both compare values of these types in the same way."""
    return "null" in (a, b) or _family(a) == _family(b) != "float"


def literal(text: str) -> str:
    """Return the type of a number that is written out."""
    found = _NUMBER.fullmatch(text)
    if not found:
        raise DeclinedError(f"{text} may mean another thing in PostgreSQL")
    if found[2] is None:
        if int(text) > _BIGINT:
            raise DeclinedError("a number of it is too large")
        return "int" if int(text) <= _INT else "bigint"
    scale = len(found[2])
    return _decimal(max(len((found[1] + found[2]).lstrip("0")), scale), scale)


def widest(*kinds: str) -> str:
    """Return the type that all of these become together."""
    known = [k for k in kinds if k != "null"]
    if not known:
        return "null"
    out = known[0]
    for kind in known[1:]:
        a, b = _digits(out), _digits(kind)
        if out == kind:
            continue
        if not a or not b:
            raise DeclinedError(f"it mixes {out} with {kind}")
        if out in INTEGERS and kind in INTEGERS:
            out = max(out, kind, key=_ORDER.index)
        else:
            scale = max(a[1], b[1])
            out = _decimal(max(a[0] - a[1], b[0] - b[1]) + scale, scale)
    return out


def arithmetic(sign: str, a: str, b: str) -> str:
    """Return the type of a sum, difference, product or quotient."""
    numbers = _family(a) == _family(b) == "number"
    if numbers and ("double" in (a, b) or (sign == "/" and a in INTEGERS and b in INTEGERS)):
        return "double"
    x, y = _digits(a), _digits(b)
    if not x or not y or sign == "/":
        raise DeclinedError(f"{a} {sign} {b} may be another value in PostgreSQL")
    if a in INTEGERS and b in INTEGERS:
        return max(a, b, key=_ORDER.index)
    if sign == "*":
        return _decimal(x[0] + y[0] + 1, x[1] + y[1])
    scale = max(x[1], y[1])
    return _decimal(max(x[0] - x[1], y[0] - y[1]) + scale + 1, scale)


def total(kind: str) -> str:
    """Return the type of a sum over rows."""
    if kind in INTEGERS:
        return "bigint"
    found = _digits(kind)
    if not found:
        raise DeclinedError(f"sums of {kind} depend on the order of the rows")
    return f"decimal({min(_MOST, found[0] + 10)},{found[1]})"


def average(kind: str) -> tuple[str, int]:
    """Return the type of an average, and its scale."""
    found = _digits(kind)
    if kind in INTEGERS or not found:
        raise DeclinedError(f"averages of {kind} depend on how Spark adds them up")
    return _decimal(found[0] + 4, found[1] + 4), found[1] + 4
