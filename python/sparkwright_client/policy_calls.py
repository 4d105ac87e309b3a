"""Policy rules on calls: views, SQL texts, actions that look like others."""

import ast
from collections.abc import Iterable, Iterator

from sparkwright_client import policy_sql
from sparkwright_client.names import FUNCTIONS
from sparkwright_client.policy_bindings import FUNCTIONS_MODULE, Bindings
from sparkwright_client.violation import Violation, at, at_attribute

_TEMP_VIEWS = frozenset(("createTempView", "createOrReplaceTempView"))
_GROUPING = frozenset(("groupBy", "groupby", "rollup", "cube", "groupingSets", "pivot"))
_FILTERS = frozenset(("filter", "where"))
_COLUMN_METHODS = frozenset(
    """alias asc between bitwiseAND bitwiseOR bitwiseXOR cast desc endswith eqNullSafe getField getItem
    ilike isNaN isNotNull isNull isin like otherwise over rlike startswith substr when contains""".split()
)
_MAX_FOLLOWED = 20


class CallRules:
    """Checks the calls whose arguments matter."""

    def __init__(self, bindings: Bindings, views: Iterable[str]) -> None:
        self._bindings = bindings
        self._views = frozenset(view.casefold() for view in views)
        self._relations = self._views

    def check(self, tree: ast.Module) -> Iterable[Violation]:
        """Yield the violations of a program."""
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        own = set()
        for call in calls:
            name = self._temp_view(call)
            if name is not None:
                own.add(name.casefold())
        self._relations = self._views | own
        for call in calls:
            yield from self._call(call)
        yield from self._uncalled(tree, calls)

    def _call(self, call: ast.Call) -> Iterator[Violation]:
        function = call.func
        if isinstance(function, ast.Name):
            if self._function_name(function) == "expr":
                yield from self._expressions(call)
            return
        if not isinstance(function, ast.Attribute):
            return
        base, name = function.value, function.attr
        if isinstance(base, ast.Name) and base.id == "spark":
            yield from self._spark(call, name)
        elif self._is_functions(base):
            if name == "expr":
                yield from self._expressions(call)
        elif name in _TEMP_VIEWS:
            yield from self._created(call)
        elif name == "selectExpr":
            yield from self._expressions(call)
        elif name in _FILTERS:
            yield from self._filter(call)
        elif name == "count" and not self._grouped(base, 0):
            message = "count() runs a query; use agg(F.count('*')) and assign to `result`"
            yield at_attribute(function, "action", message)

    def _uncalled(self, tree: ast.Module, calls: list[ast.Call]) -> Iterator[Violation]:
        """Refuse expr, sql and their like passed around as values."""
        direct = {id(call.func) for call in calls}
        for node in ast.walk(tree):
            if id(node) in direct:
                continue
            watched = _FILTERS | _TEMP_VIEWS | {"selectExpr", "expr", "count"}
            if isinstance(node, ast.Attribute) and node.attr in watched:
                yield at_attribute(node, "attribute", f"call {node.attr}(…) directly")
            elif isinstance(node, ast.Name) and self._function_name(node) == "expr":
                yield at(node, "attribute", "call expr(…) directly")

    # --- spark.… and temp views ---

    def _spark(self, call: ast.Call, name: str) -> Iterator[Violation]:
        if name == "table":
            text = self._bindings.text(call.args[0]) if len(call.args) == 1 else None
            if text is None or call.keywords:
                yield at(call, "read", "give spark.table one view name as a string literal")
            elif _unquoted(str(text.value)).casefold() not in self._relations:
                known = ", ".join(sorted(self._views)[:10]) or "none"
                yield at(call, "read", f"{text.value!s} is not a view of this run (views: {known})")
        elif name == "sql":
            yield from self._sql(call)

    def _sql(self, call: ast.Call) -> Iterator[Violation]:
        named = {k.arg: k.value for k in call.keywords}
        if set(named) - {"sqlQuery", "args"} or any(isinstance(a, ast.Starred) for a in call.args):
            message = "do not format SQL with arguments; write the values into one literal"
            yield at(call, "sql-not-literal", message)
            return
        query = call.args[0] if call.args else named.get("sqlQuery")
        parameters = len(call.args) > 1 or "args" in named
        text = self._bindings.text(query) if query is not None else None
        if text is None:
            message = "give spark.sql one string literal: no f-string, format or concatenation"
            yield at(call, "sql-not-literal", message)
            return
        yield from placed(
            text, policy_sql.check_query(str(text.value), self._relations, parameters)
        )

    def _temp_view(self, call: ast.Call) -> str | None:
        function = call.func
        if isinstance(function, ast.Attribute) and function.attr in _TEMP_VIEWS and call.args:
            text = self._bindings.text(call.args[0])
            return str(text.value) if text is not None else None
        return None

    def _created(self, call: ast.Call) -> Iterator[Violation]:
        name = self._temp_view(call)
        if name is None:
            yield at(call, "temp-view", "name the view with a string literal")
        elif _unquoted(name).casefold() in self._views:
            yield at(call, "temp-view", f"{name} is a view of this run; choose another name")
        elif not name.isidentifier():
            yield at(call, "temp-view", "use letters, digits and underscores in a view name")

    # --- SQL expressions ---

    def _expressions(self, call: ast.Call) -> Iterator[Violation]:
        given = list(call.args) + [k.value for k in call.keywords]
        texts: list[ast.expr] = []
        for argument in given:
            texts.extend(
                argument.elts if isinstance(argument, (ast.List, ast.Tuple)) else [argument]
            )
        for argument in texts:
            text = self._bindings.text(argument)
            if text is None:
                message = "SQL expressions must be string literals; use Column functions instead"
                yield at(argument, "sql-not-literal", message)
            else:
                found = policy_sql.check_expression(str(text.value), self._relations)
                yield from placed(text, found)

    def _filter(self, call: ast.Call) -> Iterator[Violation]:
        given = list(call.args) + [k.value for k in call.keywords]
        for argument in given:
            text = self._bindings.text(argument)
            if text is not None:
                found = policy_sql.check_expression(str(text.value), self._relations)
                yield from placed(text, found)
            elif not self._is_column(argument, 0):
                message = "give a condition of Columns, or SQL as one string literal"
                yield at(argument, "sql-not-literal", message)

    def _is_column(self, node: ast.expr, followed: int) -> bool:
        """Report whether an expression cannot be a string at run time."""
        if followed > _MAX_FOLLOWED:
            return False
        if isinstance(node, ast.Compare):
            return True
        if isinstance(node, ast.UnaryOp):
            return True
        if isinstance(node, ast.BinOp):
            return isinstance(node.op, (ast.BitAnd, ast.BitOr, ast.BitXor))
        if isinstance(node, ast.Constant):
            return isinstance(node.value, bool)
        if isinstance(node, ast.Attribute):
            return isinstance(node.value, ast.Name) and not self._holds_text(node.value)
        if isinstance(node, ast.Subscript):
            return isinstance(node.value, ast.Name) and self._is_frame(node.value, followed + 1)
        if isinstance(node, ast.IfExp):
            return self._is_column(node.body, followed + 1) and self._is_column(
                node.orelse, followed + 1
            )
        if isinstance(node, ast.Call):
            return self._makes_column(node)
        if isinstance(node, ast.Name):
            values = self._bindings.values.get(node.id, [])
            return bool(values) and all(
                value is not None and self._is_column(value, followed + 5) for value in values
            )
        return False

    def _makes_column(self, call: ast.Call) -> bool:
        function = call.func
        if isinstance(function, ast.Name):
            return self._function_name(function) in FUNCTIONS
        if isinstance(function, ast.Attribute):
            return function.attr in _COLUMN_METHODS or self._is_functions(function.value)
        return False

    def _holds_text(self, node: ast.Name) -> bool:
        values = self._bindings.values.get(node.id, [])
        return any(isinstance(value, ast.Constant) for value in values)

    def _is_frame(self, node: ast.Name, followed: int) -> bool:
        """Report whether a name is only ever bound to results of method calls."""
        values = self._bindings.values.get(node.id, [])
        return bool(values) and followed <= _MAX_FOLLOWED and all(_call_chain(v) for v in values)

    # --- helpers ---

    def _function_name(self, node: ast.Name) -> str:
        return function_of(node.id, self._bindings)

    def _is_functions(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Name):
            return self._bindings.functions_alias(node.id)
        return (
            isinstance(node, ast.Attribute)
            and node.attr == "functions"
            and isinstance(node.value, ast.Name)
            and self._bindings.imports.get(node.value.id) == "pyspark.sql"
        )

    def _grouped(self, node: ast.expr, followed: int) -> bool:
        """Report whether an expression is a GroupedData."""
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            return node.func.attr in _GROUPING
        if isinstance(node, ast.Name) and followed < _MAX_FOLLOWED:
            values = self._bindings.values.get(node.id, [])
            return bool(values) and all(
                value is not None and self._grouped(value, followed + 1) for value in values
            )
        return False


def _call_chain(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)


def function_of(name: str, bindings: Bindings) -> str:
    """Return the Spark function that a bare name stands for, or an empty text."""
    origin = bindings.imports.get(name, "")
    if origin.startswith(FUNCTIONS_MODULE + "."):
        return origin.removeprefix(FUNCTIONS_MODULE + ".")
    if not origin and FUNCTIONS_MODULE in bindings.stars and name in FUNCTIONS:
        return name  # even where a parameter hides it: the star's one may be meant
    return ""


def _unquoted(name: str) -> str:
    if len(name) > 2 and name[0] == name[-1] == "`":
        return name[1:-1].replace("``", "`")
    return name


def placed(text: ast.Constant, found: Iterable[policy_sql.Finding]) -> Iterator[Violation]:
    """Move findings inside a literal to lines of the program."""
    span = (text.end_lineno or text.lineno) - text.lineno
    exact = span == str(text.value).count("\n")
    for rule, line, message in found:
        inside = line - 1 if exact else 0
        column = text.col_offset + 1 if inside == 0 else 1
        yield Violation(text.lineno + inside, column, rule, message)
