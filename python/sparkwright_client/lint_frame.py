"""A DataFrame as the SELECT that it is.

Filters, columns and joins are gathered in one SELECT, as a person would write
it; what groups, or takes some of the rows, closes it, and the next one reads
from it as from a subquery.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from sqlglot import exp

Shown = list[tuple[str, exp.Expr]]  # casefolded name, what it is in terms of the sources

_SIDES = {
    "inner": "",
    "cross": "",
    "left": "LEFT",
    "leftouter": "LEFT",
    "right": "RIGHT",
    "rightouter": "RIGHT",
    "outer": "FULL",
    "full": "FULL",
    "fullouter": "FULL",
}
_ASK_ONLY = frozenset(("semi", "leftsemi", "anti", "leftanti"))


# A frame that is used twice in each statement doubles with it.
_MAX_JOINS = 50
_MAX_EXPRESSION = 2_000  # nodes
_MAX_QUERY = 10_000


class NotUnderstoodError(Exception):
    """The code may mean anything; there is nothing to say of it."""


@dataclass(frozen=True)
class Frame:
    """A DataFrame. Its expressions are never changed, only copied."""

    first: exp.Expr  # a table or a subquery, with an alias of its own
    shown: Shown
    joins: list[exp.Join] = field(default_factory=list)
    where: list[exp.Expr] = field(default_factory=list)
    names: dict[str, Shown] = field(default_factory=dict)  # as in F.col("name.column")
    merged: frozenset[str] = frozenset()  # columns that a join on names made of two
    before: dict[str, exp.Expr] = field(default_factory=dict)  # columns of frames it was made from
    ordered: bool = False
    one_row: bool = False

    def aliases(self) -> frozenset[str]:
        """Return the aliases of what it reads."""
        return frozenset((self.first.alias, *(j.this.alias for j in self.joins)))

    # --- columns ---

    def direct(self, name: str, line: int) -> exp.Expr:
        """Return the column that frame.name means, wherever it is used."""
        found = _one(self.shown, name)
        for column in found.find_all(exp.Column):
            column.meta["direct"] = True
        found.meta["line"] = line
        return found

    def resolve(self, e: exp.Expr) -> exp.Expr:
        """Return an expression in terms of what the frame reads."""
        return _small(e.transform(self._resolved), _MAX_EXPRESSION)

    def _resolved(self, node: exp.Expr) -> exp.Expr:
        if not isinstance(node, exp.Column) or node.find_ancestor(exp.Query):
            return node
        if node.meta.get("direct"):
            if node.table in self.aliases():
                return node
            if node.sql() not in self.before:
                raise NotUnderstoodError
            found = self.before[node.sql()].copy()
        else:
            shown = self.names.get(node.table.casefold(), []) if node.table else self.shown
            try:
                found = _one(shown, node.name)
            except NotUnderstoodError:
                if node.meta.get("maybe"):
                    return exp.Literal.string(node.name)
                raise
        if isinstance(found, exp.Column) and node.meta.get("line"):
            found.meta["line"] = node.meta["line"]
        return found

    # --- what makes another frame ---

    def filtered(self, condition: exp.Expr) -> "Frame":
        """Add a condition."""
        return replace(self, where=[*self.where, self.resolve(condition)])

    def showing(self, shown: Shown) -> "Frame":
        """Change the columns, which are resolved."""
        return replace(self, shown=shown)

    def aliased(self, name: str) -> "Frame":
        """Give the frame a name for F.col("name.column")."""
        return replace(self, names={name.casefold(): self.shown})

    def renamed(self, new: dict[str, str]) -> "Frame":
        """Change the aliases of what it reads."""

        def change(node: exp.Expr) -> exp.Expr:
            if node.find_ancestor(exp.Query):
                return node
            if isinstance(node, exp.Column) and node.table in new:
                node.set("table", exp.to_identifier(new[node.table]))
            elif isinstance(node, exp.Subquery | exp.Table) and node.alias in new:
                node.set("alias", exp.TableAlias(this=exp.to_identifier(new[node.alias])))
            return node

        def all_of(shown: Shown) -> Shown:
            return [(n, e.transform(change)) for n, e in shown]

        joins = [j.transform(change) for j in self.joins]
        return replace(
            self,
            first=self.first.transform(change),
            shown=all_of(self.shown),
            joins=[j for j in joins if isinstance(j, exp.Join)],
            where=[e.transform(change) for e in self.where],
            names={n: all_of(s) for n, s in self.names.items()},
            merged=frozenset(),
            before={k: e.transform(change) for k, e in self.before.items()},
        )

    def joined(
        self, other: "Frame", on: list[str] | exp.Expr | None, how: str, line: int
    ) -> "Frame":
        """Join another frame, whose aliases are others."""
        how = how.casefold().replace("_", "")
        if how not in _SIDES and how not in _ASK_ONLY:
            raise NotUnderstoodError
        condition, shown, merged = on, self.shown + other.shown, self.merged | other.merged
        if isinstance(on, list):
            same = [n.casefold() for n in on]
            pairs = [(_one(self.shown, n), _one(other.shown, n)) for n in same]
            condition = exp.and_(*(exp.EQ(this=a, expression=b) for a, b in pairs), copy=False)
            kept = [b if _SIDES.get(how) == "RIGHT" else a for a, b in pairs]
            if _SIDES.get(how) == "FULL":
                kept = [exp.Coalesce(this=a.copy(), expressions=[b.copy()]) for a, b in pairs]
            rest = [(n, e) for n, e in shown if n not in same]
            shown = list(zip(same, kept, strict=True)) + rest
            merged |= {e.sql() for pair in pairs for e in pair}
        if len(self.joins) + len(other.joins) > _MAX_JOINS:
            raise NotUnderstoodError
        if how in _ASK_ONLY:
            return replace(self, ordered=False)
        side = _SIDES[how]
        joins = [exp.Join(this=other.first.copy(), side=side)]
        for j in other.joins:
            inner = j.copy()
            if side in ("LEFT", "FULL"):
                inner.set("side", "LEFT")
            joins.append(inner)
        for j in joins:
            j.meta["line"] = line
        out = replace(
            self,
            shown=shown,
            joins=self.joins + joins,
            where=self.where + other.where,
            names={**self.names, **other.names}
            if not self.names.keys() & other.names.keys()
            else {},
            merged=merged,
            before={**self.before, **other.before},
            ordered=False,
            one_row=self.one_row and other.one_row,
        )
        if isinstance(condition, exp.Expr):
            condition = condition if isinstance(on, list) else out.resolve(condition)
            last = joins[-1]
            old = last.args.get("on")
            last.set("on", condition if old is None else exp.and_(old, condition))
        return out

    # --- what closes it ---

    def select(self, shown: Shown | None = None) -> exp.Select:
        """Return the SELECT."""
        pairs = _labelled(self.shown if shown is None else shown)
        out = exp.Select(expressions=[exp.alias_(e, n, quoted=True) for n, e in pairs])
        out.set("from_", exp.From(this=self.first.copy()))
        out.set("joins", [j.copy() for j in self.joins])
        if self.where:
            condition = self.where[0].copy()
            for e in self.where[1:]:
                condition = exp.And(this=condition, expression=e.copy())
            out.set("where", exp.Where(this=condition))
        return out

    def closed(
        self,
        alias: str,
        finish: Callable[[exp.Select], None],
        shown: Shown | None = None,
        *,
        ordered: bool = False,
    ) -> tuple["Frame", exp.Select]:
        """Read from this frame as from a subquery; finish completes its SELECT."""
        shown = self.shown if shown is None else shown
        select = self.select(shown)
        finish(select)
        labels = [n for n, _ in _labelled(shown)]
        columns = [exp.column(n, table=alias) for n in labels]
        before: dict[str, exp.Expr] = {}
        for (_, e), column in zip(shown, columns, strict=True):
            if isinstance(e, exp.Column):
                before.setdefault(e.sql(), column)
        for key, e in self.before.items():
            if e.sql() in before:
                before[key] = before[e.sql()]
        out = Frame(
            first=subquery(select, alias),
            shown=[(n, c) for (n, _), c in zip(shown, columns, strict=True)],
            before=before,
            ordered=ordered,
        )
        return out, select


def subquery(select: exp.Expr, alias: str) -> exp.Subquery:
    """Return a query as something to read from."""
    return exp.Subquery(
        this=_small(select, _MAX_QUERY).copy(),
        alias=exp.TableAlias(this=exp.to_identifier(alias, quoted=True)),
    )


def table(name: str, columns: Iterable[str], alias: str) -> Frame:
    """Return the frame of a view."""
    source = exp.Table(
        this=exp.to_identifier(name, quoted=True),
        alias=exp.TableAlias(this=exp.to_identifier(alias, quoted=True)),
    )
    shown: Shown = [(c, exp.column(c, table=alias)) for c in columns]
    return Frame(first=source, shown=shown, names={name.casefold(): shown})


def _labelled(shown: Shown) -> Shown:
    """Make the names of columns unique: of two only the first can be asked for."""
    seen: dict[str, int] = {}
    out: Shown = []
    for name, e in shown:
        seen[name] = seen.get(name, 0) + 1
        out.append((name if seen[name] == 1 else f"{name}#{seen[name]}", e.copy()))
    return out


def _one(shown: Shown, name: str) -> exp.Expr:
    found = [e for n, e in shown if n == name.casefold()]
    if len(found) != 1:
        raise NotUnderstoodError
    return found[0].copy()


def _small(e: exp.Expr, most: int) -> exp.Expr:
    for n, _ in enumerate(e.walk()):
        if n >= most:
            raise NotUnderstoodError
    return e
