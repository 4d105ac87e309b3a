"""Policy rules on imports, names and attributes."""

import ast
import builtins
from collections.abc import Iterable, Iterator

from sparkwright_client.names import ACTIONS, FUNCTIONS, HIDDEN, METHODS, TYPES, WINDOW
from sparkwright_client.policy_bindings import FUNCTIONS_MODULE, Bindings
from sparkwright_client.violation import Violation, at, at_attribute

# What may be imported: module -> the members that may be used.
MODULES: dict[str, frozenset[str]] = {
    FUNCTIONS_MODULE: FUNCTIONS,
    "pyspark.sql.types": TYPES,
    "pyspark.sql.window": frozenset(("Window", "WindowSpec")),
    "pyspark.sql": frozenset(("functions", "types", "window", "Window", "DataFrame", "Column")),
    "pyspark.sql.dataframe": frozenset(("DataFrame",)),
    "pyspark.sql.column": frozenset(("Column",)),
    "datetime": frozenset(("date", "datetime", "time", "timedelta", "timezone", "UTC")),
    "decimal": frozenset(("Decimal", "ROUND_HALF_UP", "ROUND_HALF_EVEN", "ROUND_DOWN", "ROUND_UP")),
    "math": frozenset(
        """ceil comb copysign cos degrees e exp fabs floor fmod gcd hypot inf isclose isfinite isinf
        isnan lcm log log10 log1p log2 nan pi pow prod radians sin sqrt tan tau trunc""".split()
    ),
    "functools": frozenset(("reduce",)),
    "itertools": frozenset(("chain", "combinations", "permutations", "product", "accumulate")),
    "operator": frozenset(("add", "and_", "mul", "or_", "sub", "xor")),
    "calendar": frozenset(("monthrange", "isleap", "month_name", "month_abbr", "day_name")),
    "typing": frozenset(
        ("Any", "Callable", "Dict", "Iterable", "List", "Optional", "Tuple", "Union")
    ),
    "__future__": frozenset(("annotations",)),
}
_STARS = frozenset((FUNCTIONS_MODULE, "pyspark.sql.types"))
_CLASSES: dict[str, frozenset[str]] = {
    "pyspark.sql.Window": WINDOW,
    "pyspark.sql.window.Window": WINDOW,
}

BUILTINS = frozenset(
    """abs all any bool dict divmod enumerate filter float frozenset int isinstance len list map max
    min pow print range repr reversed round set slice sorted str sum tuple zip""".split()
)
_PYTHON_FUNCTIONS = frozenset(
    """udf pandas_udf arrow_udf udtf arrow_udtf pandas_udtf mapInPandas mapInArrow applyInPandas
    applyInArrow applyInPandasWithState transformWithState transformWithStateInPandas cogroup apply
    foreach foreachPartition call_udf register registerJavaFunction registerFunction""".split()
)
_WRITES = frozenset(
    """write writeTo writeStream mergeInto saveAsTable insertInto save parquet csv json orc
    createGlobalTempView createOrReplaceGlobalTempView registerTempTable""".split()
)
# Names of the job script; a leading underscore marks the rest of them.
_RESERVED = frozenset(
    """spark SparkSession RUN_ID ATTEMPT_ID LOCATION PREVIEW_ROWS ANALYSIS_LINES hashlib json logging
    os sys traceback""".split()
)
_SPARK = frozenset(("sql", "table", "range"))
_READS = frozenset(("read", "readStream", "createDataFrame", "tvf", "dataSource", "addArtifacts"))


class NameRules:
    """Checks that every name and attribute is on a list."""

    def __init__(self, bindings: Bindings) -> None:
        self._bindings = bindings
        self._bases: set[int] = set()  # names that are only looked into: F in F.col
        self._called: set[int] = set()

    def check(self, tree: ast.Module) -> Iterable[Violation]:
        """Yield the violations of a program."""
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute):
                self._bases.add(id(node.value))
            elif isinstance(node, ast.Call):
                self._called.add(id(node.func))
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                yield from self._import(node)
            elif isinstance(node, ast.ImportFrom):
                yield from self._import_from(node)
            elif isinstance(node, ast.Attribute):
                yield from self._attribute(node)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                yield from self._name(node)
        yield from self._shadowing()

    def _import(self, node: ast.Import) -> Iterator[Violation]:
        for alias in node.names:
            if alias.name not in MODULES:
                yield at(node, "import", _not_importable(alias.name))
            elif "." in alias.name and not alias.asname:
                hint = f"write `import {alias.name} as NAME`, or `from … import …`"
                yield at(node, "import", hint)

    def _import_from(self, node: ast.ImportFrom) -> Iterator[Violation]:
        module = node.module or ""
        if node.level or module not in MODULES:
            yield at(node, "import", _not_importable("." * node.level + module))
            return
        for alias in node.names:
            if alias.name == "*" and module in _STARS:
                continue
            if alias.name in _PYTHON_FUNCTIONS:
                yield at(node, "python-function", _no_python_functions(alias.name))
            elif alias.name not in MODULES[module]:
                yield at(
                    node, "import", f"{alias.name} of {module} is not available in an analysis"
                )

    def _attribute(self, node: ast.Attribute) -> Iterator[Violation]:
        name = node.attr
        if name.startswith("_") or name.endswith("__"):
            yield at_attribute(
                node, "underscore", f"{name}: names with a leading underscore are internal"
            )
        elif not isinstance(node.ctx, ast.Load):
            yield at_attribute(
                node, "attribute", "objects cannot be changed; use withColumn for new columns"
            )
        elif isinstance(node.value, ast.Name):
            yield from self._member(node, node.value.id)
        elif isinstance(node.value, ast.Attribute) and self._origin(node.value):
            yield from self._of_origin(node, self._origin(node.value))
        else:
            yield from self._method(node)

    def _member(self, node: ast.Attribute, base: str) -> Iterator[Violation]:
        if base == "spark":
            yield from self._spark(node)
        elif base in self._bindings.imports:
            yield from self._of_origin(node, self._bindings.imports[base])
        else:
            yield from self._method(node)

    def _of_origin(self, node: ast.Attribute, origin: str) -> Iterator[Violation]:
        allowed = MODULES.get(origin) or _CLASSES.get(origin)
        if allowed is None:
            yield from self._method(node)
        elif node.attr not in allowed:
            if node.attr in _PYTHON_FUNCTIONS:
                yield at_attribute(node, "python-function", _no_python_functions(node.attr))
            else:
                yield at_attribute(
                    node, "attribute", f"{node.attr} of {origin} is not available here"
                )

    def _origin(self, node: ast.Attribute) -> str:
        """Return the dotted origin of module.member, when that is a module or class."""
        if isinstance(node.value, ast.Name) and node.value.id in self._bindings.imports:
            origin = f"{self._bindings.imports[node.value.id]}.{node.attr}"
            return origin if origin in MODULES or origin in _CLASSES else ""
        return ""

    def _spark(self, node: ast.Attribute) -> Iterator[Violation]:
        if node.attr in _READS:
            message = f"spark.{node.attr}: read only the views, with spark.table or spark.sql"
            yield at_attribute(node, "read", message)
        elif node.attr not in _SPARK:
            message = f"spark.{node.attr} is not available; use spark.table, spark.sql, spark.range"
            yield at_attribute(node, "spark", message)
        elif id(node) not in self._called:
            yield at_attribute(node, "spark", f"call spark.{node.attr}(…) directly")

    def _method(self, node: ast.Attribute) -> Iterator[Violation]:
        name = node.attr
        if name in METHODS or name == "count":
            return  # count is judged with its call
        if name in _PYTHON_FUNCTIONS:
            yield at_attribute(node, "python-function", _no_python_functions(name))
        elif name in _WRITES:
            yield at_attribute(
                node, "write", f"{name}: do not write; assign the DataFrame to `result`"
            )
        elif name in ACTIONS:
            yield at_attribute(
                node, "action", f"{name} runs a query; assign the DataFrame to `result`"
            )
        elif name in HIDDEN or id(node) in self._called:
            yield at_attribute(node, "attribute", f"{name} is not available in an analysis")

    def _name(self, node: ast.Name) -> Iterator[Violation]:
        name, bindings = node.id, self._bindings
        if name == "spark":
            if id(node) not in self._bases:
                yield at(node, "spark", "use spark only as spark.table(…) or spark.sql(…)")
        elif name in bindings.imports:
            origin = bindings.imports[name]
            if origin in MODULES and id(node) not in self._bases:
                yield at(node, "import", f"use {name} only as {name}.something")
        elif name.startswith("__"):
            yield at(node, "underscore", f"{name}: names with leading underscores are internal")
        elif name in bindings.values or name in BUILTINS or self._from_star(name):
            return
        elif hasattr(builtins, name):
            yield at(node, "builtin", f"{name} is not available in an analysis")
        elif name in _PYTHON_FUNCTIONS:
            yield at(node, "python-function", _no_python_functions(name))
        else:
            message = f"{name} is not defined; import it, or read a view with spark.table(…)"
            yield at(node, "unknown-name", message)

    def _from_star(self, name: str) -> bool:
        return any(name in MODULES[m] for m in self._bindings.stars if m in _STARS)

    def _shadowing(self) -> Iterator[Violation]:
        """Keep names that the code around the analysis relies on."""
        imports = self._bindings.imports
        for name, places in self._bindings.places.items():
            kept = name in imports or name in _RESERVED or hasattr(builtins, name)
            if not kept and (name == "_" or not name.startswith("_")):
                continue
            for line, column in places:
                message = f"{name} must keep its meaning; choose another name"
                yield Violation(line, column, "shadowing", message)
        for name, origin in imports.items():
            if origin not in MODULES and origin.rpartition(".")[0] not in MODULES:
                continue  # refused already
            if name in _RESERVED or name.startswith("_"):
                line = self._bindings.import_lines[name]
                message = f"{name} must keep its meaning; import under another name"
                yield Violation(line, 1, "shadowing", message)


def _not_importable(name: str) -> str:
    return f"{name} cannot be imported; use pyspark.sql functions, types, Window, datetime, math …"


def _no_python_functions(name: str) -> str:
    return f"{name}: Python code cannot run inside Spark; use pyspark.sql.functions instead"
