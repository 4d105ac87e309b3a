"""What is known of the rows that a SELECT reads and gives."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from sqlglot import exp

Place = tuple[str, str]  # alias, column; casefolded


@dataclass(frozen=True)
class Fact:
    """What is known of a column."""

    type: str = ""  # PostgreSQL's name; "" = unknown
    nullable: bool = False
    null_fraction: float | None = None
    text_date: bool = False  # text that holds dates in no order of text
    average: bool = False  # computed by AVG
    repeated: bool = False  # the statistics show many rows with one value
    window: bool = False  # computed over a window: a condition on it chooses rows


@dataclass
class Relation:
    """A view, a subquery or a common table expression."""

    name: str
    columns: dict[str, Fact] = field(default_factory=dict)  # casefolded
    keys: list[frozenset[str]] = field(default_factory=list)  # each identifies a row


def of_view(view: dict[str, Any]) -> Relation:
    """Make the relation of a view of the run."""
    relation = Relation(str(view["name"]))
    for c in view["columns"]:
        share = c.get("null_fraction")
        relation.columns[str(c["name"]).casefold()] = Fact(
            type=str(c["type"]),
            nullable=bool(c["nullable"]),
            null_fraction=None if share is None else float(share),
            text_date=bool(c.get("text_date")),
            repeated=bool(c.get("repeated")),
        )
    relation.keys = [frozenset(str(n).casefold() for n in key) for key in view["keys"]]
    return relation


class Select:
    """One SELECT with what its names mean."""

    def __init__(self, node: exp.Select, views: dict[str, Relation]) -> None:
        self.node = node
        self.views = views
        self.sources: dict[str, Relation] = {}
        self.equal: list[tuple[Place, Place]] = []
        self.pinned: set[Place] = set()  # equal to one value
        self.chosen: set[str] = set()  # aliases with perhaps fewer rows than their keys tell
        self.outer: set[str] = set()  # aliases that a join may leave without a row
        self.joins: list[exp.Join] = []
        start = node.args.get("from_") or node.args.get("from")
        if start is not None:
            self._add(start.this)
        for join in node.args.get("joins") or []:
            if str(join.kind).upper() in ("SEMI", "ANTI"):
                continue
            alias = self._add(join.this)
            self._joined(join, alias)
        where = node.args.get("where")
        if where is not None:
            self._equalities(where.this)
            self._choices(where.this)

    # --- what it reads ---

    def _add(self, source: exp.Expr) -> str:
        alias = (source.alias_or_name or f"#{len(self.sources)}").casefold()
        self.sources[alias] = self._relation(source)
        return alias

    def _relation(self, source: exp.Expr) -> Relation:
        if isinstance(source, exp.Table):
            name = source.name.casefold()
            cte = _cte(source, name)
            if cte is not None:
                return given(cte.this, self.views, source.name)
            return self.views.get(name, Relation(source.name))
        if isinstance(source, exp.Subquery):
            return given(source.this, self.views, source.alias)
        return Relation(source.alias_or_name)

    def _joined(self, join: exp.Join, alias: str) -> None:
        self.joins.append(join)
        side = str(join.side).upper()
        if side in ("LEFT", "FULL"):
            self.outer.add(alias)
        if side in ("RIGHT", "FULL"):
            self.outer.update(a for a in self.sources if a != alias)
        for column in join.args.get("using") or []:
            name = column.name.casefold()
            for other, relation in self.sources.items():
                if other != alias and name in relation.columns:
                    self.equal.append(((other, name), (alias, name)))
                    break
        on = join.args.get("on")
        if on is not None:
            self._equalities(on)
            self._choices(on)

    def _equalities(self, condition: exp.Expr) -> None:
        for part in conjuncts(condition):
            if isinstance(part, exp.EQ):
                left, right = self.place(part.this), self.place(part.expression)
                if left and right and left[0] != right[0]:
                    self.equal.append((left, right))
                for place, value in ((left, part.expression), (right, part.this)):
                    if place and isinstance(value, exp.Literal):
                        self.pinned.add(place)

    def _choices(self, condition: exp.Expr) -> None:
        """Note what takes the first row of a group, or rows that a join found nothing for."""
        if condition.find(exp.Window):
            self.chosen.update(self.sources)
        for part in conjuncts(condition):
            for place in map(self.place, part.find_all(exp.Column)):
                fact = self.sources[place[0]].columns.get(place[1]) if place else None
                missing = isinstance(part, exp.Is) and place is not None and place[0] in self.outer
                if place is not None and (missing or (fact is not None and fact.window)):
                    self.chosen.add(place[0])

    # --- what names mean ---

    def place(self, node: exp.Expr | None) -> Place | None:
        """Find the source of a plain column; None when it is not certain."""
        if not isinstance(node, exp.Column):
            return None
        name = node.name.casefold()
        if node.table:
            alias = node.table.casefold()
            return (alias, name) if alias in self.sources else None
        owners = [a for a, r in self.sources.items() if name in r.columns]
        return (owners[0], name) if len(owners) == 1 else None

    def fact(self, node: exp.Expr | None) -> Fact | None:
        """Return what is known of a plain column."""
        place = self.place(node)
        return self.sources[place[0]].columns.get(place[1]) if place else None

    def own(self, *kinds: type[exp.Expr]) -> Iterator[exp.Expr]:
        """Yield the nodes of these kinds that are not of a query inside this one."""
        waiting: list[exp.Expr] = [self.node]
        while waiting:
            node = waiting.pop()
            if isinstance(node, kinds):
                yield node
            for child in node.iter_expressions():
                if not isinstance(child, (exp.Query, exp.With)):
                    waiting.append(child)

    def groups(self) -> list[exp.Expr]:
        """Return what is grouped by, ordinals and output names replaced."""
        group = self.node.args.get("group")
        out: list[exp.Expr] = []
        named = {e.alias.casefold(): e.this for e in self.node.selects if isinstance(e, exp.Alias)}
        for e in group.expressions if group is not None else []:
            if isinstance(e, exp.Literal) and not e.is_string:
                at = int(e.name) - 1
                e = self.node.selects[at] if at < len(self.node.selects) else e
                e = e.this if isinstance(e, exp.Alias) else e
            elif isinstance(e, exp.Column) and self.place(e) is None:
                e = named.get(e.name.casefold(), e)
            out.append(e)
        return out


def conjuncts(condition: exp.Expr) -> Iterator[exp.Expr]:
    """Yield the parts of a condition that all must hold."""
    if isinstance(condition, exp.Paren):
        yield from conjuncts(condition.this)
    elif isinstance(condition, exp.And):
        yield from conjuncts(condition.this)
        yield from conjuncts(condition.expression)
    else:
        yield condition


def given(query: exp.Expr, views: dict[str, Relation], name: str) -> Relation:
    """Describe the rows that a query gives."""
    while isinstance(query, exp.Subquery):
        query = query.this
    if not isinstance(query, exp.Select):
        return Relation(name)
    inner = Select(query, views)
    out = _given(query, inner, name)
    if not inner.chosen and not query.args.get("qualify"):
        return out
    columns = {n: replace(f, repeated=False) for n, f in out.columns.items()}
    return Relation(out.name, columns, [] if not query.args.get("group") else out.keys)


def _given(query: exp.Select, inner: Select, name: str) -> Relation:
    out = Relation(name)
    names: dict[str, exp.Expr] = {}
    for e in query.selects:
        if isinstance(e, exp.Star):
            if len(inner.sources) != 1:
                return out
            ((alias, source),) = inner.sources.items()
            if len(query.selects) == 1:
                return source
            names.update((c, exp.column(c, table=alias)) for c in source.columns)
            continue
        names[e.alias_or_name.casefold()] = e.this if isinstance(e, exp.Alias) else e
    for label, e in names.items():
        fact = inner.fact(e) or Fact(nullable=False)
        if isinstance(e, exp.Avg) or (isinstance(e, exp.Round) and isinstance(e.this, exp.Avg)):
            fact = Fact(average=True)
        elif e.find(exp.Window):
            fact = Fact(window=True)
        out.columns[label] = fact
    groups = inner.groups()
    if groups:
        shown = {e.sql(): label for label, e in names.items()}
        if all(g.sql() in shown for g in groups):
            out.keys.append(frozenset(shown[g.sql()] for g in groups))
    elif any(n.find_ancestor(exp.Window) is None for n in inner.own(exp.AggFunc)):
        out.keys.append(frozenset())  # one row
    elif query.args.get("distinct"):
        out.keys.append(frozenset(names))
    elif len(inner.sources) == 1:
        (alias, source), shown = next(iter(inner.sources.items())), {}
        for label, e in names.items():
            place = inner.place(e)
            if place and place[0] == alias:
                shown[place[1]] = label
        out.keys.extend(
            frozenset(shown[c] for c in key) for key in source.keys if all(c in shown for c in key)
        )
    return out


def _cte(table: exp.Table, name: str) -> exp.CTE | None:
    node: exp.Expr | None = table.parent
    while node is not None:
        with_ = node.args.get("with_") or node.args.get("with")
        if isinstance(with_, exp.With):
            for cte in with_.expressions:
                inside = table.find_ancestor(exp.CTE) is cte
                if cte.alias.casefold() == name and isinstance(cte, exp.CTE) and not inside:
                    return cte
        node = node.parent
    return None
