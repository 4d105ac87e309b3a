"""An analysis as one statement of PostgreSQL that gives Spark's very answer.

Stricter than ``translate``, whose statement is only compared with Spark's
totals: each expression's type in Spark is worked out here and no value may be
rounded on the way; text is ordered by its bytes; a LIMIT must not choose
between equal rows. What is not certain is declined with a reason.
"""

import re
from typing import Any, NamedTuple

import sqlglot
from sqlglot import exp

from sparkwright_client.direct_types import (
    INTEGERS,
    arithmetic,
    average,
    comparable,
    literal,
    total,
    widest,
)
from sparkwright_client.translate import DeclinedError, Reply, statement

_CLAUSES = [
    "expressions",
    "distinct",
    "from_",
    "joins",
    "where",
    "group",
    "having",
    "order",
    "limit",
]
# What a node may have; with anything else it would mean another thing.
_PLAIN = ["this", "expression"]
_PARTS_OF: dict[type, list[str]] = {
    exp.Select: _CLAUSES,
    exp.Table: ["this", "alias"],
    exp.TableAlias: ["this"],
    exp.Join: ["this", "on", "side", "kind"],
    exp.Group: ["expressions"],
    exp.Order: ["expressions"],
    exp.Ordered: ["this", "desc", "nulls_first"],
    exp.Limit: ["expression"],
    exp.Column: ["this", "table"],
    exp.Literal: ["this", "is_string"],
    exp.In: ["this", "expressions"],
    exp.Between: ["this", "low", "high"],
    exp.Case: ["ifs", "default"],
    exp.If: ["this", "true"],
    exp.Coalesce: ["this", "expressions"],
    exp.Cast: ["this", "to", "_type"],
    exp.TryCast: ["this", "to", "_type"],
    exp.TimestampTrunc: ["this", "unit"],
    exp.Count: ["this", "big_int"],
    exp.Distinct: ["expressions"],
    exp.Div: ["this", "expression", "typed", "safe"],
}
_COMPARE = {exp.EQ: "=", exp.NEQ: "<>", exp.GT: ">", exp.GTE: ">=", exp.LT: "<", exp.LTE: "<="}
_ARITHMETIC = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/"}
_PARTS = {
    exp.Year: "YEAR",
    exp.Quarter: "QUARTER",
    exp.Month: "MONTH",
    exp.Day: "DAY",
    exp.Hour: "HOUR",
}
_TRUNCATED = {"YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "HOUR"}
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
# An average of n rows is certain with more digits than n has.
_SPARE = 20


class Typed(NamedTuple):
    """An expression as PostgreSQL has it, and its type in Spark."""

    sql: str
    type: str


def direct(code: str, views: list[dict[str, Any]]) -> Reply:
    """Return sql, the schema of its rows and limit, or why there is none.

    A column of a view has name, type and how its values are the same in both:
    "plain", "bytes" (text, compared by its bytes), "text" (by its text's bytes),
    "" (they are not). More rows than limit say that the last ones are not certain.
    """
    try:
        return _Direct(statement(code), views).reply()
    except DeclinedError as reason:
        return {"why": str(reason)}
    except Exception as error:  # sqlglot meets what it cannot parse
        return {"why": f"it cannot be translated ({type(error).__name__})"}


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _whole(node: Any) -> None:
    """Decline a node with a part that is not looked at here."""
    parts = {k for k, v in node.args.items() if v} - set(_PARTS_OF.get(type(node), _PLAIN))
    if parts:
        what = "it is not one plain SELECT" if isinstance(node, exp.Select) else f"{node.key} of it"
        raise DeclinedError(f"{what} may mean another thing in PostgreSQL ({min(parts)})")


class _Direct:
    def __init__(self, sql: str, views: list[dict[str, Any]]) -> None:
        tree = sqlglot.parse_one(sql, read="spark")
        if not isinstance(tree, exp.Select):
            raise DeclinedError("it is not one plain SELECT")
        _whole(tree)
        self.tree = tree
        self.views = {str(v["name"]).casefold(): v for v in views}
        self.tables: dict[str, dict[str, dict[str, Any]]] = {}  # columns by alias
        self.named: dict[str, Any] = {}  # what is shown, by its name

    def reply(self) -> Reply:
        """Write the clauses in the order in which names become known."""
        args = self.tree.args
        if not args.get("from_"):
            raise DeclinedError("it reads no table")
        source = self._table(args["from_"].this)
        joins = [self._join(j) for j in args.get("joins") or []]
        shown = []
        for e in self.tree.selects:
            inner = e.this if isinstance(e, exp.Alias) else e
            if not isinstance(e, (exp.Alias, exp.Column)) or isinstance(inner, exp.Star):
                raise DeclinedError("a column of its answer has no name")
            shown.append((e.alias_or_name, self.expr(inner)))
            if isinstance(e, exp.Alias):
                self.named[e.alias.casefold()] = inner
        select = "SELECT DISTINCT " if self._distinct() else "SELECT "
        columns = ", ".join(f"{t.sql} AS {_quote(n)}" for n, t in shown)
        parts = [select + columns, "FROM " + source, *joins]
        if args.get("where"):
            parts.append("WHERE " + self._condition(args["where"].this))
        if args.get("group"):
            groups = [self.expr(self._meant(g)).sql for g in self._groups()]
            parts.append("GROUP BY " + ", ".join(groups))
        if args.get("having"):
            parts.append("HAVING " + self._condition(args["having"].this))
        if args.get("order"):
            _whole(args["order"])
            keys = [self._ordered(o) for o in args["order"].expressions]
            parts.append("ORDER BY " + ", ".join(keys))
        limit = self._limit()
        if limit:
            parts.append(f"FETCH FIRST {limit} ROWS WITH TIES")
        if any(t.type == "null" for _, t in shown):
            raise DeclinedError("a column of its answer has no type")
        schema = [{"name": n, "type": t.type} for n, t in shown]
        return {"sql": " ".join(parts), "schema": schema, "limit": limit}

    def _distinct(self) -> bool:
        distinct = self.tree.args.get("distinct")
        if distinct and distinct.args.get("on"):
            raise DeclinedError("it is not one plain SELECT")
        return bool(distinct)

    def _groups(self) -> list[Any]:
        group = self.tree.args["group"]
        _whole(group)
        if any(isinstance(g, (exp.Rollup, exp.Cube, exp.GroupingSets)) for g in group.expressions):
            raise DeclinedError("it groups in several ways")
        return list(group.expressions)

    def _limit(self) -> int:
        limit = self.tree.args.get("limit")
        if not limit:
            return 0
        if not self.tree.args.get("order"):
            raise DeclinedError("it shows some of the rows, and does not say which")
        _whole(limit)
        return int(limit.expression.name)

    def _table(self, table: Any) -> str:
        view = self.views.get(table.name.casefold()) if isinstance(table, exp.Table) else None
        if view is None or table.db or not view.get("table"):
            raise DeclinedError("it does not read tables of PostgreSQL alone")
        _whole(table)
        if table.args.get("alias"):
            _whole(table.args["alias"])
        alias = (table.alias or table.name).casefold()
        if alias in self.tables:
            raise DeclinedError("two tables have one name")
        self.tables[alias] = {str(c["name"]).casefold(): c for c in view["columns"]}
        return f"{_quote(view['schema'])}.{_quote(view['table'])} AS {_quote(alias)}"

    def _join(self, join: exp.Join) -> str:
        _whole(join)
        if not join.args.get("on"):
            raise DeclinedError("a join of it may mean another thing in PostgreSQL")
        side, kind = join.side.upper(), join.kind.upper()
        if side not in ("", "LEFT", "RIGHT", "FULL") or kind not in ("", "INNER", "OUTER"):
            raise DeclinedError("a join of it may mean another thing in PostgreSQL")
        table = self._table(join.this)
        return f"{side} JOIN {table} ON {self._condition(join.args['on'])}".strip()

    def _ordered(self, node: Any) -> str:
        _whole(node)
        key = self.expr(self._meant(node.this))
        direction = "DESC" if node.args.get("desc") else "ASC"
        return f"{key.sql} {direction} NULLS {'FIRST' if node.args.get('nulls_first') else 'LAST'}"

    def _meant(self, node: Any) -> Any:
        """Return what a number or the name of a shown column stands for."""
        if isinstance(node, exp.Literal) and not node.is_string:
            e = self.tree.selects[int(node.name) - 1]
            return e.this if isinstance(e, exp.Alias) else e
        if isinstance(node, exp.Column) and not node.table:
            of_table = any(node.name.casefold() in c for c in self.tables.values())
            name = node.name.casefold()
            # Before the tables' columns in ORDER BY, behind them elsewhere.
            if name in self.named and (node.find_ancestor(exp.Order) or not of_table):
                return self.named[name]
        return node

    def _condition(self, node: Any) -> str:
        found = self.expr(node)
        if found.type != "boolean":
            raise DeclinedError("a condition of it is none in PostgreSQL")
        return found.sql

    def expr(self, node: Any) -> Typed:
        """Write an expression; decline what is not known to be the same."""
        kind = type(node)
        _whole(node)
        if kind in _COMPARE:
            a, b = self.expr(node.this), self.expr(node.expression)
            self._same(a, b)
            return Typed(f"({a.sql} {_COMPARE[kind]} {b.sql})", "boolean")
        if kind in _ARITHMETIC:
            return self._arithmetic(_ARITHMETIC[kind], node)
        if kind in _PARTS or kind is exp.DayOfWeek:
            return self._part(node)
        write = getattr(self, "_" + kind.__name__.lower(), None)
        if write is None:
            raise DeclinedError(f"{node.key} may mean another thing in PostgreSQL")
        out: Typed = write(node)
        return out

    def _same(self, *sides: Typed) -> None:
        for other in sides[1:]:
            if not comparable(sides[0].type, other.type):
                raise DeclinedError(f"it compares {sides[0].type} with {other.type}")

    def _column(self, node: exp.Column) -> Typed:
        name, table = node.name.casefold(), node.table.casefold()
        places = [t for t, columns in self.tables.items() if name in columns and table in ("", t)]
        if not places and not table and name in self.named and node.find_ancestor(exp.Having):
            return self.expr(self.named[name])
        if len(places) != 1:
            raise DeclinedError(f"it is not plain which column {node.sql()} is")
        c = self.tables[places[0]][name]
        sql = f"{_quote(places[0])}.{_quote(str(c['name']))}"
        match c.get("how"):
            case "plain":
                return Typed(sql, str(c["type"]))
            case "bytes":
                return Typed(f'{sql} COLLATE "C"', "string")
            case "text":
                return Typed(f'CAST({sql} AS text) COLLATE "C"', "string")
        raise DeclinedError(f"Spark reads {c['name']} in a form of its own")

    def _literal(self, node: exp.Literal) -> Typed:
        if not node.is_string:
            return Typed(node.name, literal(node.name))
        if any(c in node.name for c in "\0\\'"):
            raise DeclinedError("a text of it is not plain")
        return Typed(f"'{node.name}'", "string")

    def _boolean(self, node: exp.Boolean) -> Typed:
        return Typed("true" if node.this else "false", "boolean")

    def _null(self, _: exp.Null) -> Typed:
        return Typed("NULL", "null")

    def _paren(self, node: exp.Paren) -> Typed:
        return self.expr(node.this)

    def _neg(self, node: exp.Neg) -> Typed:
        a = self.expr(node.this)
        if a.type not in INTEGERS and not a.type.startswith("decimal") and a.type != "double":
            raise DeclinedError(f"it takes the negative of {a.type}")
        return Typed(f"(- {a.sql})", a.type)

    def _and(self, node: exp.And) -> Typed:
        a, b = self._condition(node.this), self._condition(node.expression)
        return Typed(f"({a} AND {b})", "boolean")

    def _or(self, node: exp.Or) -> Typed:
        a, b = self._condition(node.this), self._condition(node.expression)
        return Typed(f"({a} OR {b})", "boolean")

    def _not(self, node: exp.Not) -> Typed:
        return Typed(f"(NOT {self._condition(node.this)})", "boolean")

    def _is(self, node: exp.Is) -> Typed:
        if not isinstance(node.expression, (exp.Null, exp.Boolean)):
            raise DeclinedError("is may mean another thing in PostgreSQL")
        return Typed(f"({self.expr(node.this).sql} IS {self.expr(node.expression).sql})", "boolean")

    def _in(self, node: exp.In) -> Typed:
        a, list_ = self.expr(node.this), [self.expr(e) for e in node.expressions]
        self._same(a, *list_)
        return Typed(f"({a.sql} IN ({', '.join(t.sql for t in list_)}))", "boolean")

    def _between(self, node: exp.Between) -> Typed:
        a, low, high = (self.expr(node.args[k]) for k in ("this", "low", "high"))
        self._same(a, low, high)
        return Typed(f"({a.sql} BETWEEN {low.sql} AND {high.sql})", "boolean")

    def _like(self, node: exp.Like) -> Typed:
        a, pattern = self.expr(node.this), self.expr(node.expression)
        if a.type != "string" or not isinstance(node.expression, exp.Literal):
            raise DeclinedError("like may mean another thing in PostgreSQL")
        return Typed(f"({a.sql} LIKE {pattern.sql})", "boolean")

    def _case(self, node: exp.Case) -> Typed:
        for i in node.args["ifs"]:
            _whole(i)
        whens = [(self._condition(i.this), self.expr(i.args["true"])) for i in node.args["ifs"]]
        rest = self.expr(node.args.get("default") or exp.Null())
        kind = widest(*(t.type for _, t in whens), rest.type)
        text = " ".join(f"WHEN {c} THEN {t.sql}" for c, t in whens)
        return Typed(f"CASE {text} ELSE {rest.sql} END", kind)

    def _coalesce(self, node: exp.Coalesce) -> Typed:
        list_ = [self.expr(e) for e in [node.this, *node.expressions]]
        text = ", ".join(t.sql for t in list_)
        return Typed(f"COALESCE({text})", widest(*(t.type for t in list_)))

    def _nullif(self, node: exp.Nullif) -> Typed:
        a, b = self.expr(node.this), self.expr(node.expression)
        self._same(a, b)
        return Typed(f"NULLIF({a.sql}, {b.sql})", a.type)

    def _arithmetic(self, sign: str, node: Any) -> Typed:
        a, b = self.expr(node.this), self.expr(node.expression)
        # Beside a decimal, a whole number that is written out has the digits it shows.
        kinds = [a.type, b.type]
        for i, side in enumerate((node.this, node.expression)):
            if isinstance(side, exp.Literal) and kinds[i] == "int" and "decimal" in kinds[1 - i]:
                kinds[i] = f"decimal({len(side.name)},0)"
        kind = arithmetic(sign, *kinds)
        if kind == "double":
            a, b = (Typed(f"CAST({t.sql} AS double precision)", "double") for t in (a, b))
        return Typed(f"({a.sql} {sign} {b.sql})", kind)

    def _cast(self, node: exp.Cast) -> Typed:
        to = node.to.this
        if isinstance(node.this, exp.Literal) and node.this.is_string:
            if to != exp.DataType.Type.DATE or not _DAY.fullmatch(node.this.name):
                raise DeclinedError("cast may mean another thing in PostgreSQL")
            return Typed(f"CAST('{node.this.name}' AS date)", "date")
        a = self.expr(node.this)
        if to == exp.DataType.Type.DATE and a.type in ("date", "timestamp"):
            return Typed(f"CAST({a.sql} AS date)", "date")
        if to == exp.DataType.Type.DOUBLE and (a.type in INTEGERS or a.type.startswith("decimal")):
            return Typed(f"CAST({a.sql} AS double precision)", "double")
        raise DeclinedError("cast may mean another thing in PostgreSQL")

    _trycast = _cast

    def _timestamptrunc(self, node: exp.TimestampTrunc) -> Typed:
        a, unit = self._moment(node.this), node.text("unit").upper()
        if unit not in _TRUNCATED:
            raise DeclinedError("date_trunc may mean another thing in PostgreSQL")
        return Typed(f"date_trunc('{unit.lower()}', {a.sql})", "timestamp")

    def _part(self, node: Any) -> Typed:
        a = self._moment(node.this)
        if isinstance(node, exp.DayOfWeek):
            return Typed(f"CAST(EXTRACT(DOW FROM {a.sql}) + 1 AS integer)", "int")
        return Typed(f"CAST(EXTRACT({_PARTS[type(node)]} FROM {a.sql}) AS integer)", "int")

    def _moment(self, node: Any) -> Typed:
        a = self.expr(node.this if isinstance(node, exp.TsOrDsToDate) else node)
        if a.type not in ("date", "timestamp"):
            raise DeclinedError(f"it takes the date of {a.type}")
        return a

    def _count(self, node: exp.Count) -> Typed:
        if isinstance(node.this, exp.Tuple):
            raise DeclinedError("it counts several columns together")
        if isinstance(node.this, exp.Star):
            return Typed("COUNT(*)", "bigint")
        return Typed(f"COUNT({self._argument(node).sql})", "bigint")

    def _sum(self, node: exp.Sum) -> Typed:
        a = self._argument(node)
        return Typed(f"SUM({a.sql})", total(a.type))

    def _avg(self, node: exp.Avg) -> Typed:
        if isinstance(node.this, exp.Distinct):
            raise DeclinedError("avg may mean another thing in PostgreSQL")
        a = self.expr(node.this)
        kind, scale = average(a.type)
        zero = "0." + "0" * (scale + _SPARE)
        return Typed(f"ROUND((SUM({a.sql}) + {zero}) / COUNT({a.sql}), {scale})", kind)

    def _min(self, node: Any) -> Typed:
        a = self._argument(node)
        if a.type == "boolean":
            raise DeclinedError(f"{node.key} may mean another thing in PostgreSQL")
        return Typed(f"{node.key.upper()}({a.sql})", a.type)

    _max = _min

    def _argument(self, node: Any) -> Typed:
        if not isinstance(node.this, exp.Distinct):
            return self.expr(node.this)
        _whole(node.this)
        if len(node.this.expressions) != 1:
            raise DeclinedError("it counts several columns together")
        a = self.expr(node.this.expressions[0])
        return Typed("DISTINCT " + a.sql, a.type)
