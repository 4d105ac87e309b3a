"""Reads the DataFrames of an analysis: statement after statement, nothing runs.

A name is what it was last assigned at the top level; what is bound in a branch,
a loop or a function is not known, nor is any frame that a method which is not
read here has had to do with.
"""

import ast
from collections import Counter

import sqlglot
from sqlglot import exp

from sparkwright_client import lint_columns as columns
from sparkwright_client import lint_rules
from sparkwright_client.lint_columns import Const
from sparkwright_client.lint_frame import Frame, NotUnderstoodError, subquery, table
from sparkwright_client.lint_methods import Grouped, Methods
from sparkwright_client.lint_relations import Relation, Select, given
from sparkwright_client.policy_bindings import Bindings

# Modules whose calls give no columns.
_VALUES = ("datetime", "decimal", "pyspark.sql.window", "pyspark.sql.Window")
_TEMP_VIEWS = frozenset(("createTempView", "createOrReplaceTempView"))


class Frames:
    """The frames of one program, and what the rules find in them."""

    def __init__(self, tree: ast.Module, bindings: Bindings, views: dict[str, Relation]) -> None:
        self._bindings = bindings
        self._values: dict[str, object] = {}
        once = _temp_views(tree, bindings)
        self._methods = Methods(self._value, self._try, dict(views), once)
        self.views = self._methods.views  # and the temporary ones
        self.limits = self._methods.limits  # calls of limit that are judged
        self.found = self._methods.found
        for statement in tree.body:
            self._statement(statement)
        selects = list(self._methods.closed)
        result = self._values.get("result")
        self.result = result if isinstance(result, Frame) else None
        if self.result is not None:
            selects.append(self.result.select())
        for select in selects:
            self._judge(select)

    def _judge(self, select: exp.Select) -> None:
        try:
            self.found.update(lint_rules.select(Select(select, self.views)))
        except RecursionError:
            return

    def _statement(self, node: ast.stmt) -> None:
        if isinstance(node, ast.Expr):
            self._try(node.value)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            value = self._try(node.value)
            self._forget(node)
            for target in targets:
                if isinstance(target, ast.Name) and value is not None:
                    self._values[target.id] = self._named(value, target.id)
        else:
            self._forget(node)

    def _forget(self, node: ast.stmt) -> None:
        for inner in ast.walk(node):
            if isinstance(inner, ast.Name) and not isinstance(inner.ctx, ast.Load):
                self._values.pop(inner.id, None)
            name = getattr(inner, "name", None)
            if isinstance(name, str):
                self._values.pop(name, None)

    def _try(self, node: ast.expr) -> object:
        try:
            return self._value(node)
        except Exception:  # whatever it is, it is not one of the forms that are read here
            return None

    def _named(self, value: object, name: str) -> object:
        """Call a subquery by the name of the variable, for the messages."""
        if isinstance(value, Frame) and not value.joins and value.first.alias.startswith("frame"):
            return value.renamed({value.first.alias: self._methods.new_alias(name)})
        return value

    # --- expressions ---

    def _value(self, node: ast.expr) -> object:
        """Return the Frame, Grouped, Column, literal or list that an expression is."""
        if isinstance(node, ast.Constant):
            return Const(node.value, node)
        if isinstance(node, ast.Name) and node.id in self._values:
            return self._values[node.id]
        if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
            return [self._value(e) for e in node.elts]
        if isinstance(node, ast.Call):
            return self._call(node)
        if self._of_module(node):
            return exp.Var(this="?")
        if isinstance(node, ast.Attribute):
            return self._frame(node.value).direct(node.attr, node.end_lineno or node.lineno)
        if isinstance(node, ast.Subscript):
            name = columns.text(self._value(node.slice))
            return self._frame(node.value).direct(name, node.end_lineno or node.lineno)
        return columns.operation(node, self._value)

    def _of_module(self, node: ast.expr) -> bool:
        while isinstance(node, (ast.Attribute, ast.Call)):
            node = node.func if isinstance(node, ast.Call) else node.value
        origin = self._bindings.imports.get(node.id, "") if isinstance(node, ast.Name) else ""
        return origin.startswith(_VALUES)

    def _frame(self, node: ast.expr) -> Frame:
        value = self._value(node)
        if not isinstance(value, Frame):
            raise NotUnderstoodError
        return value

    def _call(self, call: ast.Call) -> object:
        func, line = call.func, call.func.end_lineno or call.lineno
        if self._of_module(func):
            return exp.Var(this="?")
        name = columns.function_name(func, self._bindings)
        if name:
            return self._function(name, call, line)
        if not isinstance(func, ast.Attribute):
            raise NotUnderstoodError
        if isinstance(func.value, ast.Name) and func.value.id == "spark":
            return self._read(func.attr, call)
        name, base = func.attr, func.value
        if isinstance(base, ast.Attribute) and base.attr == "na":
            name, base = {"drop": "dropna", "fill": "fillna"}.get(name, name), base.value
        of = self._value(base)
        if isinstance(of, Frame):
            return self._methods.call(of, name, call)
        if isinstance(of, Grouped):
            return self._methods.aggregated(of, name, call)
        return columns.method(columns.column(of), name, self._methods.arguments(call), line)

    def _function(self, name: str, call: ast.Call, line: int) -> object:
        if name == "broadcast":
            return self._value(call.args[0])
        e = columns.function(name, self._methods.arguments(call), line)
        e.meta.setdefault("line", line)
        return e

    def _read(self, name: str, call: ast.Call) -> Frame:
        (argument,) = self._methods.arguments(call, "sqlQuery")
        sql = columns.text(argument)
        if name == "sql":
            query = sqlglot.parse_one(sql, read="spark")
            if not isinstance(query, exp.Select):
                raise NotUnderstoodError
            alias = self._methods.new_alias("frame")
            relation = given(query, self.views, alias)
            frame = Frame(
                first=subquery(query, alias),
                shown=[(c, exp.column(c, table=alias)) for c in relation.columns],
                ordered=bool(query.args.get("order")),
                one_row=frozenset() in relation.keys,
            )
            if relation.columns:
                return frame
        view = self.views.get(sql.strip("`").casefold())
        if name != "table" or view is None or not view.columns:
            raise NotUnderstoodError
        return table(view.name, view.columns, self._methods.new_alias(view.name))


def _temp_views(tree: ast.Module, bindings: Bindings) -> frozenset[str]:
    """Return the names under which only one temporary view is made."""
    names: Counter[str] = Counter()
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
            text = bindings.text(call.args[0]) if call.args else None
            if call.func.attr in _TEMP_VIEWS and text is not None:
                names[str(text.value).casefold()] += 1
    return frozenset(n for n, count in names.items() if count == 1)
