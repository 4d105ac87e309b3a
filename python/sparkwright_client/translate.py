"""An analysis as one statement of PostgreSQL, where both mean the same.

Only an analysis that is a single ``spark.sql("...")`` of parts with the same
meaning in Spark and PostgreSQL is translated. Everything else is declined with
a reason: a translation that is nearly right would accuse right answers.
"""

import ast
from typing import Any

import sqlglot
from sqlglot import exp

_KINDS = (
    exp.Select, exp.From, exp.Join, exp.Where, exp.Group, exp.Having, exp.Order, exp.Ordered,
    exp.Limit, exp.Table, exp.TableAlias, exp.Alias, exp.Column, exp.Identifier, exp.Literal,
    exp.Count, exp.Sum, exp.Avg, exp.Min, exp.Max, exp.Distinct, exp.Star, exp.And, exp.Or,
    exp.Not, exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Is, exp.Null, exp.In,
    exp.Between, exp.Paren, exp.Add, exp.Sub, exp.Mul, exp.Neg, exp.Case, exp.If, exp.Coalesce,
    exp.Boolean, exp.TimestampTrunc, exp.DateTrunc, exp.Var, exp.Tuple,
)  # fmt: skip
_ORDERED = (exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between, exp.Min, exp.Max)
_WHOLE = ("tinyint", "smallint", "int", "bigint")
_CAST = (exp.DataType.Type.DATE, exp.DataType.Type.DOUBLE)
_AGGREGATES = (exp.Count, exp.Sum, exp.Avg, exp.Min, exp.Max)

Reply = dict[str, Any]


class DeclinedError(Exception):
    """The analysis is not translated; the text says why."""


def translate(code: str, views: list[dict[str, Any]]) -> Reply:
    """Return sql, loose and key, or why there is none.

    A view has name, schema, table and columns with name and Spark type, "" where
    PostgreSQL takes other values for the same. loose:
    averages may differ in their last digit. key: the column by which rows were
    chosen, the only one whose total is certain.
    """
    try:
        return _translate(statement(code), views)
    except DeclinedError as reason:
        return {"why": str(reason)}
    except Exception as error:  # sqlglot meets what it cannot parse
        return {"why": f"it cannot be translated ({type(error).__name__})"}


def statement(code: str) -> str:
    """Return the text of the one statement that an analysis is."""
    body = ast.parse(code).body
    if len(body) == 1 and isinstance(body[0], ast.Assign):
        call, target = body[0].value, body[0].targets[0]
        if (
            isinstance(target, ast.Name)
            and target.id == "result"
            and isinstance(call, ast.Call)
            and ast.unparse(call.func) == "spark.sql"
            and len(call.args) == 1
            and not call.keywords
            and isinstance(call.args[0], ast.Constant)
            and isinstance(call.args[0].value, str)
        ):
            return call.args[0].value
    raise DeclinedError("the analysis is more than one SQL statement")


def _translate(sql: str, views: list[dict[str, Any]]) -> Reply:
    tree = sqlglot.parse_one(sql, read="spark")
    if not isinstance(tree, exp.Select) or tree.find(exp.Subquery, exp.CTE, exp.Window):
        raise DeclinedError("it is not one plain SELECT")
    if not tree.find(*_AGGREGATES):
        raise DeclinedError("it has no aggregate")
    for node in tree.walk():
        _same_meaning(node)
    known = {str(v["name"]).casefold(): v for v in views}
    types = _name_tables(tree, known)
    aliases = {e.alias.casefold(): e.alias for e in tree.selects if e.alias}
    for column in list(tree.find_all(exp.Column)):
        _name_column(column, types, aliases)
    _refuse_order_of_text(tree, types)
    _refuse_doubles(tree)
    key = _key(tree)
    for e in tree.selects:
        if isinstance(e, exp.Alias):
            e.args["alias"].set("quoted", True)
    loose = tree.find(exp.Avg) is not None
    return {"sql": tree.sql(dialect="postgres"), "loose": loose, "key": key}


def _same_meaning(node: Any) -> None:
    if isinstance(node, exp.DataType) and node.this in _CAST:
        return
    if isinstance(node, exp.Cast) and isinstance(node.args.get("to"), exp.DataType):
        return  # the type itself is looked at in its turn
    if not isinstance(node, _KINDS):
        raise DeclinedError(f"{node.key} may mean another thing in PostgreSQL")


def _name_tables(tree: exp.Expression, known: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Replace views by their tables; return the columns under each alias."""
    types: dict[str, dict[str, Any]] = {}
    for table in list(tree.find_all(exp.Table)):
        view = known.get(table.name.casefold())
        if view is None or table.db or not view.get("table"):
            raise DeclinedError(f"{table.name} is not a PostgreSQL table of the run")
        alias = table.alias or table.name
        types[alias.casefold()] = {str(c["name"]).casefold(): c for c in view["columns"]}
        table.replace(
            exp.alias_(
                exp.table_(view["table"], db=view["schema"], quoted=True),
                alias.casefold(),
                table=True,
                quoted=True,
            )
        )
    return types


def _name_column(column: exp.Column, types: dict[str, Any], aliases: dict[str, str]) -> None:
    name, table = column.name.casefold(), column.table.casefold()
    if not table and name in aliases and column.find_ancestor(exp.Order):
        column.set("this", exp.to_identifier(aliases[name], quoted=True))
        return  # in ORDER BY an output column comes first
    places = [t for t, columns in types.items() if name in columns and table in ("", t)]
    if len(places) == 1:
        found = types[places[0]][name]
        column.set("this", exp.to_identifier(found["name"], quoted=True))
        column.set("table", exp.to_identifier(places[0], quoted=True))
        column.meta["spark_type"] = str(found["type"])
        if not found["type"]:
            raise DeclinedError(f"PostgreSQL takes other values of {found['name']} for the same")
        if str(found["type"]) == "float":
            raise DeclinedError("sums of real depend on the order of the rows")
    elif not places and not table and name in aliases:
        column.set("this", exp.to_identifier(aliases[name], quoted=True))
    else:
        raise DeclinedError(f"it is not plain which column {column.sql()} is")


def _refuse_order_of_text(tree: exp.Expression, types: dict[str, Any]) -> None:
    del types
    for node in tree.find_all(*_ORDERED):
        for column in node.find_all(exp.Column):
            if column.meta.get("spark_type") == "string":
                raise DeclinedError("text is ordered differently in PostgreSQL")


def _refuse_doubles(tree: exp.Expression) -> None:
    """Refuse to make doubles of anything but whole numbers."""
    for node in tree.find_all(exp.Cast):
        if node.to.this == exp.DataType.Type.DOUBLE and (
            not isinstance(node.this, exp.Column) or node.this.meta.get("spark_type") not in _WHOLE
        ):
            raise DeclinedError("cast may mean another thing in PostgreSQL")


def _key(tree: exp.Select) -> str:
    """Return the output column by whose value a LIMIT chose rows; "" without one."""
    if not tree.args.get("limit"):
        return ""
    order = tree.args.get("order")
    first = order.expressions[0].this if order else None
    for e in tree.selects:
        shown = e.this if isinstance(e, exp.Alias) else e
        by_name = isinstance(first, exp.Column) and first.name == e.alias_or_name
        if first is not None and (shown == first or by_name):
            texts = [c for c in shown.find_all(exp.Column) if c.meta.get("spark_type") == "string"]
            if texts and not isinstance(shown, exp.Count):
                break
            return e.alias_or_name
    raise DeclinedError("it shows some of the rows, chosen by what it does not show")
