"""The rules of the lint, one function each."""

from collections.abc import Iterator

from sqlglot import exp

from sparkwright_client.lint_relations import Place, Select, conjuncts
from sparkwright_client.policy_sql import line_of

Found = tuple[str, int, str]

FAN_OUT = "fan-out-join"
AVERAGES = "average-of-averages"
NOT_IN = "null-in-not-in"
NULL_LOST = "null-compared"
TIME_ZONE = "time-zone-cut"
DIVISION = "integer-division"
TEXT_DATE = "date-as-text"
DROPPED = "rows-dropped"
LIMIT = "limit-without-order"

# What goes back to whoever wrote the code; the others are told with the answer.
REPAIR = frozenset((FAN_OUT, AVERAGES, NOT_IN, TEXT_DATE, LIMIT))

LIMIT_MESSAGE = (
    "a limit without an order takes any rows: sort by what makes them the first, then by a key"
)
_WHOLE = frozenset(("int2", "int4", "int8"))
_NOTICEABLE = 0.005  # share of NULL below which dropped rows are not told of
_SHORT = frozenset(("HOUR", "MINUTE", "SECOND", "MILLISECOND", "MICROSECOND"))
_COMPARED = (exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between)
_CUTS = (
    exp.TimestampTrunc,
    exp.DateTrunc,
    exp.TsOrDsToDate,
    exp.Date,
    exp.Year,
    exp.Month,
    exp.Day,
    exp.Quarter,
    exp.DayOfWeek,
    exp.DayOfMonth,
    exp.DayOfYear,
    exp.WeekOfYear,
    exp.Extract,
    exp.TimeToStr,
)


def select(s: Select) -> Iterator[Found]:
    """Yield the findings on one SELECT."""
    yield from _fan_out(s)
    yield from _averages(s)
    yield from _not_in(s)
    yield from _null_compared(s)
    yield from _time_zone(s)
    yield from _division(s)
    yield from _text_date(s)
    yield from _dropped(s)


def limit(query: exp.Query) -> Iterator[Found]:
    """Find a limit that takes any rows, not the first of an order."""
    node = query.args.get("limit")
    if node is None or query.args.get("order") or isinstance(query.parent, exp.Exists):
        return
    one_row = (
        isinstance(query, exp.Select)
        and not query.args.get("group")
        and any(e.find(exp.AggFunc) for e in query.selects)
    )
    if not one_row:
        yield (LIMIT, line_of(node), LIMIT_MESSAGE)


def _fan_out(s: Select) -> Iterator[Found]:
    groups = [p for p in (s.place(g) for g in s.groups()) if p]
    for node in s.own(exp.Sum, exp.Avg, exp.Count):
        if isinstance(node.parent, exp.Window) or isinstance(node.this, exp.Distinct):
            continue
        places = [s.place(c) for c in node.find_all(exp.Column)]
        if not places or None in places:
            continue
        rows = {p[0] for p in places if p}
        other = _multiplied(s, rows, groups)
        if other is not None:
            yield (
                FAN_OUT,
                line_of(node),
                f"{node.sql(dialect='spark')[:80]} counts a row of {_named(s, rows)} once for "
                f"every row of {s.sources[other].name} joined to it: aggregate before joining",
            )


def _named(s: Select, aliases: set[str]) -> str:
    return " and ".join(sorted({s.sources[a].name for a in aliases}))


def _multiplied(s: Select, rows: set[str], groups: list[Place]) -> str | None:
    """Find a source with several rows for one combination of rows and groups."""
    known: set[Place] = set(groups) | s.pinned
    fixed = set(rows)
    while True:
        before = (len(known), len(fixed))
        for a, b in s.equal:
            for x, y in ((a, b), (b, a)):
                if x in known or x[0] in fixed:
                    known.add(y)
        for alias, relation in s.sources.items():
            if alias not in fixed and any(
                all((alias, c) in known for c in key) for key in relation.keys
            ):
                fixed.add(alias)
        if (len(known), len(fixed)) == before:
            break
    for a, b in s.equal:
        for x, y in ((a, b), (b, a)):
            relation = s.sources[y[0]]
            fact = relation.columns.get(y[1])
            certain = bool(relation.keys) or (fact is not None and fact.repeated)
            if x[0] in fixed and y[0] not in fixed | s.chosen and certain:
                return y[0]
    return None


def _averages(s: Select) -> Iterator[Found]:
    for node in s.own(exp.Avg):
        fact = s.fact(node.this)
        if (fact is not None and fact.average) or isinstance(node.this, exp.Avg):
            yield (
                AVERAGES,
                line_of(node),
                "an average of averages gives small groups the weight of large ones: "
                "divide the sum of all by their number",
            )


def _not_in(s: Select) -> Iterator[Found]:
    for node in s.own(exp.Not):
        inside = node.this.unnest()
        if not isinstance(inside, exp.In):
            continue
        if any(isinstance(e, exp.Null) for e in inside.expressions):
            yield (NOT_IN, line_of(inside), "NOT IN with a NULL in the list is never true")
        query = inside.args.get("query")
        inner = query.unnest() if isinstance(query, exp.Subquery) else query
        if not isinstance(inner, exp.Select) or len(inner.selects) != 1:
            continue
        of = Select(inner, s.views)
        column = inner.selects[0].unalias()
        fact = of.fact(column)
        if fact is not None and fact.nullable and not _known(of, column):
            yield (
                NOT_IN,
                line_of(inside),
                f"NOT IN is never true once {column.sql(dialect='spark')} is NULL in one row: "
                "use NOT EXISTS, or leave NULL out of the subquery",
            )


def _known(s: Select, column: exp.Expr) -> bool:
    """Tell whether a condition leaves out the rows in which the column is NULL."""
    place = s.place(column)
    where = s.node.args.get("where")
    for part in conjuncts(where.this) if where is not None else ():
        inside = part.this if isinstance(part, exp.Not) else part
        if isinstance(inside, exp.Is) and not isinstance(part, exp.Not):
            continue
        if any(s.place(c) == place for c in inside.find_all(exp.Column)):
            return True
    return False


def _null_compared(s: Select) -> Iterator[Found]:
    where = s.node.args.get("where")
    for part in conjuncts(where.this) if where is not None else ():
        column: exp.Expr | None = None
        if isinstance(part, exp.NEQ) and not isinstance(part.expression, exp.Column):
            column = part.this
        elif isinstance(part, exp.Not) and isinstance(part.this.unnest(), exp.In):
            inside = part.this.unnest()
            column = inside.this if not inside.args.get("query") else None
        place, fact = s.place(column), s.fact(column)
        if place and fact is not None and fact.nullable and (fact.null_fraction or 0) > _NOTICEABLE:
            yield (
                NULL_LOST,
                line_of(part),
                f"rows in which {place[1]} is NULL ({_share(fact.null_fraction)} of "
                f"{s.sources[place[0]].name}) are neither equal nor different, and left out",
            )


def _share(fraction: float | None) -> str:
    return f"{100 * (fraction or 0):.1f} %"


def _time_zone(s: Select) -> Iterator[Found]:
    told = set()
    for node in s.own(*_CUTS, exp.Cast):
        if isinstance(node, exp.Cast) and not node.to.is_type("date"):
            continue
        if isinstance(node, exp.TimestampTrunc) and node.text("unit").upper() in _SHORT:
            continue
        for column in node.find_all(exp.Column):
            place, fact = s.place(column), s.fact(column)
            if place and fact is not None and fact.type == "timestamptz" and place not in told:
                told.add(place)
                yield (
                    TIME_ZONE,
                    line_of(node),
                    f"days and longer times of {place[1]} begin at midnight UTC",
                )


def _division(s: Select) -> Iterator[Found]:
    for node in s.own(exp.IntDiv):
        left, right = s.fact(node.this), s.fact(node.expression)
        whole = [f is None or f.type in _WHOLE for f in (left, right)]
        if all(whole):
            yield (DIVISION, line_of(node), "div drops what is behind the point; / keeps it")


def _text_date(s: Select) -> Iterator[Found]:
    for node in s.own(*_COMPARED, exp.Min, exp.Max):
        for column in node.find_all(exp.Column):
            fact, cast = s.fact(column), column.find_ancestor(exp.Cast, exp.Func)
            direct = cast is None or cast is node
            if fact is not None and fact.text_date and direct:
                yield (
                    TEXT_DATE,
                    line_of(node),
                    f"{column.name} is text, and its dates are not in the order of text: "
                    "turn it into a date first, with to_date and its format",
                )


def _dropped(s: Select) -> Iterator[Found]:
    told = set()
    for a, b in s.equal:
        for x, y in ((a, b), (b, a)):
            fact = s.sources[x[0]].columns.get(x[1])
            to_one = any(key == frozenset((y[1],)) for key in s.sources[y[0]].keys)
            if fact is None or not fact.nullable or not to_one or x in told:
                continue
            if {x[0], y[0]} & s.outer or (fact.null_fraction or 0) <= _NOTICEABLE:
                continue
            if _filtered(s, y[0]) or _known(s, exp.column(x[1], table=x[0])):
                continue
            told.add(x)
            yield (
                DROPPED,
                _line_of_join(s, y[0], x[0]),
                f"rows of {s.sources[x[0]].name} without {x[1]} "
                f"({_share(fact.null_fraction)}) have no row of {s.sources[y[0]].name}, "
                "and are not in the answer",
            )


def _filtered(s: Select, alias: str) -> bool:
    """Tell whether a condition asks for something of that source anyway."""
    where = s.node.args.get("where")
    if where is None:
        return False
    return any((s.place(c) or ("", ""))[0] == alias for c in where.find_all(exp.Column))


def _line_of_join(s: Select, *aliases: str) -> int:
    for alias in aliases:
        for join in s.joins:
            if join.this.alias_or_name.casefold() == alias:
                return line_of(join)
    return line_of(s.node)
