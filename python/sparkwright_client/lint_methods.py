"""What the methods of DataFrames make of a frame, each from its call."""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import ClassVar

from sqlglot import exp

from sparkwright_client import lint_columns as columns
from sparkwright_client import lint_rules
from sparkwright_client.lint_columns import Const
from sparkwright_client.lint_frame import Frame, NotUnderstoodError, Shown, subquery
from sparkwright_client.lint_relations import Relation, given

_MAX_NODES = 60_000  # of all that is judged


@dataclass(frozen=True)
class Grouped:
    """What groupBy gives."""

    frame: Frame
    keys: Shown


@dataclass
class Methods:
    """Calls of methods; value and attempt read their arguments."""

    value: Callable[[ast.expr], object]
    attempt: Callable[[ast.expr], object]  # None where value does not understand
    views: dict[str, Relation]  # and the temporary ones
    once: frozenset[str]  # names that one temporary view has
    found: set[tuple[str, int, str]] = field(default_factory=set)
    limits: set[int] = field(default_factory=set)  # calls of limit that are judged
    closed: list[exp.Select] = field(default_factory=list)
    aliases: set[str] = field(default_factory=set)
    spent: int = 0

    def new_alias(self, stem: str) -> str:
        """Return an alias that nothing else has."""
        alias, n = stem.casefold(), 1
        while alias in self.aliases:
            n += 1
            alias = f"{stem.casefold()}_{n}"
        self.aliases.add(alias)
        return alias

    def _keep(self, select: exp.Select) -> None:
        self.spent += sum(1 for _ in select.walk())
        if self.spent > _MAX_NODES:
            raise NotUnderstoodError
        self.closed.append(select)

    def arguments(self, call: ast.Call, *names: str) -> list[object]:
        """Return the arguments; those given by name in their places."""
        out = [self.value(a) for a in call.args]
        by_name = {k.arg: k.value for k in call.keywords}
        for name in names[len(out) :]:
            if name in by_name:
                out.append(self.value(by_name.pop(name)))
        if by_name:
            raise NotUnderstoodError
        return [self._as_query(v) if isinstance(v, Frame) else v for v in out]

    def _as_query(self, frame: Frame) -> exp.Subquery:
        return subquery(frame.select(), self.new_alias("frame"))

    def call(self, f: Frame, name: str, call: ast.Call) -> object:
        """Return what a method of a frame gives."""
        handler = self.known.get(name)
        if handler is None:
            raise NotUnderstoodError
        return handler(self, f, call, call.func.end_lineno or call.lineno)

    def same(self, f: Frame, _call: ast.Call, _line: int) -> Frame:
        """Rows and columns stay."""
        return f

    def order(self, f: Frame, _call: ast.Call, _line: int) -> Frame:
        """Only the order changes."""
        return replace(f, ordered=True)

    def where(self, f: Frame, call: ast.Call, line: int) -> Frame:
        """Filter."""
        (condition,) = self.arguments(call, "condition")
        e = columns.expression(condition) if isinstance(condition, Const) else condition
        return f.filtered(_at(columns.column(e), line))

    def alias(self, f: Frame, call: ast.Call, _line: int) -> Frame:
        """Name the frame."""
        return f.aliased(columns.text(*self.arguments(call, "alias")))

    def limit(self, f: Frame, call: ast.Call, line: int) -> Frame:
        """Take some rows."""
        self.limits.add(id(call))
        if not f.ordered and not f.one_row:
            self.found.add((lint_rules.LIMIT, line, lint_rules.LIMIT_MESSAGE))
        count = columns.column(*self.arguments(call, "num"))
        return self._close(f, lambda s: s.set("limit", exp.Limit(expression=count)), f.ordered)

    def distinct(self, f: Frame, call: ast.Call, _line: int) -> Frame:
        """Take each row once."""
        names = [columns.text(n) for n in _flat(self.arguments(call, "subset"))]
        if not names:
            return self._close(f, lambda s: s.set("distinct", exp.Distinct()))
        keys = [f.resolve(columns.unresolved(n, call.lineno)) for n in names]
        texts = {k.sql() for k in keys}
        shown = [(n, e if e.sql() in texts else exp.AnyValue(this=e.copy())) for n, e in f.shown]
        return self._grouped(f, keys, shown)

    def select(self, f: Frame, call: ast.Call, line: int) -> Frame:
        """Choose columns."""
        made = [columns.named(v) for v in _flat(self.arguments(call))]
        return self._selected(f, made, line)

    def select_expr(self, f: Frame, call: ast.Call, line: int) -> Frame:
        """Choose columns, written in SQL."""
        made = [columns.expression(v) for v in _flat(self.arguments(call))]
        return self._selected(f, made, line)

    def _selected(self, f: Frame, made: list[exp.Expr], line: int) -> Frame:
        shown: Shown = []
        for e in made:
            if isinstance(e, exp.Star) or (
                isinstance(e, exp.Column) and isinstance(e.this, exp.Star)
            ):
                of = e.args.get("table")
                shown.extend(f.names[of.name.casefold()] if of else f.shown)
            else:
                shown.append((columns.label(e), f.resolve(_at(e.unalias(), line))))
        if any(_aggregates(e) for _, e in shown):
            return self._grouped(f, [], shown)
        return f.showing(shown)

    def with_column(self, f: Frame, call: ast.Call, line: int) -> Frame:
        """Add or replace a column."""
        name, of = self.arguments(call, "colName", "col")
        return self._with(f, [(columns.text(name), of)], line)

    def with_columns(self, f: Frame, call: ast.Call, line: int) -> Frame:
        """Add or replace columns."""
        return self._with(f, self._pairs(call), line)

    def _pairs(self, call: ast.Call) -> list[tuple[str, object]]:
        (of,) = call.args
        if not isinstance(of, ast.Dict) or call.keywords:
            raise NotUnderstoodError
        pairs = zip(of.keys, of.values, strict=True)
        return [(columns.text(self.value(k)), self.value(v)) for k, v in pairs if k is not None]

    def _with(self, f: Frame, pairs: list[tuple[str, object]], line: int) -> Frame:
        shown = list(f.shown)
        for name, of in pairs:
            e = f.resolve(_at(columns.column(of), line))
            here = [i for i, (n, _) in enumerate(shown) if n == name.casefold()]
            for i in here:
                shown[i] = (name.casefold(), e)
            if not here:
                shown.append((name.casefold(), e))
        return f.showing(shown)

    def rename(self, f: Frame, call: ast.Call, _line: int) -> Frame:
        """Rename a column."""
        old, new = (columns.text(v).casefold() for v in self.arguments(call, "existing", "new"))
        return f.showing([(new if n == old else n, e) for n, e in f.shown])

    def renames(self, f: Frame, call: ast.Call, _line: int) -> Frame:
        """Rename columns."""
        new = {k.casefold(): columns.text(v).casefold() for k, v in self._pairs(call)}
        return f.showing([(new.get(n, n), e) for n, e in f.shown])

    def all_renamed(self, f: Frame, call: ast.Call, _line: int) -> Frame:
        """Rename every column."""
        names = [columns.text(v).casefold() for v in self.arguments(call)]
        if len(names) != len(f.shown):
            raise NotUnderstoodError
        return f.showing([(n, e) for n, (_, e) in zip(names, f.shown, strict=True)])

    def drop(self, f: Frame, call: ast.Call, _line: int) -> Frame:
        """Leave columns out."""
        names: set[str] = set()
        texts: set[str] = set()
        for v in self.arguments(call):
            if isinstance(v, Const):
                names.add(columns.text(v).casefold())
            else:
                texts.add(f.resolve(columns.column(v)).sql())
        return f.showing([(n, e) for n, e in f.shown if n not in names and e.sql() not in texts])

    def dropna(self, f: Frame, call: ast.Call, line: int) -> Frame:
        """Leave out rows with NULL."""
        if call.args:
            raise NotUnderstoodError
        names = [columns.text(v) for v in _flat(self.arguments(call, "subset"))]
        for name in names or [n for n, _ in f.shown]:
            column = columns.unresolved(name, line)
            f = f.filtered(columns.method(column, "isNotNull", [], line))
        return f

    def fillna(self, f: Frame, call: ast.Call, _line: int) -> Frame:
        """Put something for NULL."""
        args = self.arguments(call, "value", "subset") if not _dict(call) else []
        names = {columns.text(v).casefold() for v in _flat(args[1:])}
        names |= {n.casefold() for n, _ in self._pairs(call)} if _dict(call) else set()
        other = exp.Var(this="?")
        return f.showing(
            [
                (n, e if names and n not in names else exp.Coalesce(this=e, expressions=[other]))
                for n, e in f.shown
            ]
        )

    def join(self, f: Frame, call: ast.Call, line: int) -> Frame:
        """Join another frame."""
        named = {k.arg: k.value for k in call.keywords}
        places = dict(zip(("other", "on", "how"), call.args, strict=False)) | named
        if set(places) - {"other", "on", "how"} or len(call.args) > 3:
            raise NotUnderstoodError
        other = _frame(self.value(places["other"]))
        how = columns.text(self.value(places["how"])) if "how" in places else "inner"
        on = self.value(places["on"]) if "on" in places else None
        return self._join(f, other, on, how, line)

    def cross(self, f: Frame, call: ast.Call, line: int) -> Frame:
        """Combine every row with every row."""
        return self._join(f, _frame(self.value(call.args[0])), None, "cross", line)

    def _join(self, f: Frame, other: Frame, on: object, how: str, line: int) -> Frame:
        clash = f.aliases() & other.aliases()
        if clash:  # a frame with itself: df.column may be of either
            f = f.renamed({a: self.new_alias(a) for a in clash})
            other = other.renamed({a: self.new_alias(a) for a in clash})
        listed = on if isinstance(on, list) else [] if on is None else [on]
        if any(isinstance(v, Const) for v in listed):
            return f.joined(other, [columns.text(v) for v in listed], how, line)
        conditions = [columns.column(v) for v in listed]
        condition = exp.and_(*conditions, copy=False) if conditions else None
        return f.joined(other, condition, how, line)

    # --- groups ---

    def group(self, f: Frame, call: ast.Call, line: int) -> Grouped:
        """Group."""
        keys: Shown = []
        for v in _flat(self.arguments(call)):
            e = columns.named(v)
            if isinstance(e, (exp.Star, exp.Literal)):
                raise NotUnderstoodError
            keys.append((columns.label(e), f.resolve(_at(e.unalias(), line))))
        return Grouped(f, keys)

    def agg(self, f: Frame, call: ast.Call, _line: int) -> Frame:
        """Make one row of all."""
        return self.aggregated(Grouped(f, []), "agg", call)

    def aggregated(self, g: Grouped, name: str, call: ast.Call) -> Frame:
        """Return what a method of groups gives."""
        line = call.func.end_lineno or call.lineno
        made: list[exp.Expr] = []
        if name == "agg" and _dict(call):
            for of, how in self._pairs(call):
                column = columns.Const(of, ast.Constant(of, lineno=line))
                made.append(columns.function(columns.text(how), [column], line))
        elif name == "agg":
            for argument in call.args:
                e = self.attempt(argument)  # what is not understood has no name to ask for it
                made.append(e.copy() if isinstance(e, exp.Expr) else exp.Var(this="?"))
        elif name == "count":
            made.append(exp.alias_(exp.Count(this=exp.Star()), "count"))
        elif name in ("sum", "avg", "mean", "min", "max") and call.args:
            values = _flat(self.arguments(call))
            made.extend(columns.function(name, [v], line) for v in values)
        else:
            raise NotUnderstoodError
        shown = list(g.keys)
        for e in made:
            try:
                shown.append((columns.label(e), g.frame.resolve(_at(e.unalias(), line))))
            except NotUnderstoodError:
                shown.append(("#?", exp.Var(this="?")))
        return self._grouped(g.frame, [e for _, e in g.keys], shown)

    def _grouped(self, f: Frame, keys: list[exp.Expr], shown: Shown) -> Frame:
        for _, e in shown:
            for node in e.find_all(exp.Count):
                if isinstance(node.this, exp.Column) and node.this.sql() in f.merged:
                    node.set("this", exp.Star())  # the column is of both: any row is meant

        def finish(select: exp.Select) -> None:
            if keys:
                select.set("group", exp.Group(expressions=[k.copy() for k in keys]))

        out, select = f.closed(self.new_alias("frame"), finish, shown)
        self._keep(select)
        return replace(out, one_row=not keys)

    def _close(
        self, f: Frame, finish: Callable[[exp.Select], None], ordered: bool = False
    ) -> Frame:
        out, select = f.closed(self.new_alias("frame"), finish, ordered=ordered)
        self._keep(select)
        return replace(out, one_row=f.one_row)

    def temp_view(self, f: Frame, call: ast.Call, _line: int) -> None:
        """Name a frame for SQL."""
        name = columns.text(*self.arguments(call, "name"))
        select = f.select()
        self._keep(select)
        if name.casefold() in self.once:
            self.views[name.casefold()] = given(select, self.views, name)

    known: ClassVar[dict[str, Callable[["Methods", Frame, ast.Call, int], object]]] = {
        "agg": agg,
        "alias": alias,
        "coalesce": same,
        "createOrReplaceTempView": temp_view,
        "createTempView": temp_view,
        "crossJoin": cross,
        "distinct": distinct,
        "drop": drop,
        "dropDuplicates": distinct,
        "drop_duplicates": distinct,
        "dropna": dropna,
        "fillna": fillna,
        "filter": where,
        "groupBy": group,
        "groupby": group,
        "hint": same,
        "join": join,
        "limit": limit,
        "orderBy": order,
        "repartition": same,
        "repartitionByRange": same,
        "select": select,
        "selectExpr": select_expr,
        "sort": order,
        "sortWithinPartitions": order,
        "toDF": all_renamed,
        "where": where,
        "withColumn": with_column,
        "withColumnRenamed": rename,
        "withColumns": with_columns,
        "withColumnsRenamed": renames,
    }


def _frame(value: object) -> Frame:
    if not isinstance(value, Frame):
        raise NotUnderstoodError
    return value


def _dict(call: ast.Call) -> bool:
    return bool(call.args) and isinstance(call.args[0], ast.Dict)


def _flat(values: list[object]) -> Iterator[object]:
    for v in values:
        if isinstance(v, list):
            yield from v
        else:
            yield v


def _at(e: exp.Expr, line: int) -> exp.Expr:
    """Give an expression a line, where no part of it has one."""
    if not any(n.meta.get("line") for n in e.walk()):
        e.meta["line"] = line
    return e


def _aggregates(e: exp.Expr) -> bool:
    return any(n.find_ancestor(exp.Window, exp.Query) is None for n in e.find_all(exp.AggFunc))
