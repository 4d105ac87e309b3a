"""Which names an analysis binds, and to what."""

import ast
from dataclasses import dataclass, field

FUNCTIONS_MODULE = "pyspark.sql.functions"
UNKNOWN = None  # bound in a way that says nothing about the value


@dataclass
class Bindings:
    """Names of a program: imports, and every other place that binds a name."""

    imports: dict[str, str] = field(default_factory=dict)  # name -> dotted origin
    import_lines: dict[str, int] = field(default_factory=dict)
    stars: set[str] = field(default_factory=set)  # modules imported with *
    values: dict[str, list[ast.expr | None]] = field(default_factory=dict)
    places: dict[str, list[tuple[int, int]]] = field(default_factory=dict)

    @classmethod
    def of(cls, tree: ast.Module) -> "Bindings":
        """Collect the bindings of a program, whatever their scope."""
        found = cls()
        known: set[int] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    found._assigned(target, node.value, known)
            elif isinstance(node, ast.AnnAssign) and node.value is not None:
                found._assigned(node.target, node.value, known)
        for node in ast.walk(tree):
            found._bound(node, known)
        return found

    def _assigned(self, target: ast.expr, value: ast.expr, known: set[int]) -> None:
        if isinstance(target, ast.Name):
            known.add(id(target))
            self._bind(target.id, value, target)

    def _bound(self, node: ast.AST, known: set[int]) -> None:
        if isinstance(node, ast.Import):
            for alias in node.names:
                self._import(alias.asname or alias.name.split(".")[0], alias.name, alias.asname)
                self.import_lines[alias.asname or alias.name.split(".")[0]] = node.lineno
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if alias.name == "*":
                    self.stars.add(node.module or "")
                else:
                    origin = f"{node.module or ''}.{alias.name}"
                    self._import(alias.asname or alias.name, origin, alias.name)
                    self.import_lines[alias.asname or alias.name] = node.lineno
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            if id(node) not in known:
                self._bind(node.id, UNKNOWN, node)
        elif isinstance(node, ast.arg):
            self._bind(node.arg, UNKNOWN, node)
        else:
            name = getattr(node, "name", None)  # def, class, except … as
            if isinstance(name, str) and isinstance(node, (ast.stmt, ast.ExceptHandler)):
                self._bind(name, UNKNOWN, node)

    def _import(self, name: str, origin: str, explicit: str | None) -> None:
        self.imports[name] = origin if explicit else origin.split(".")[0]

    def _bind(
        self,
        name: str,
        value: ast.expr | None,
        node: ast.expr | ast.stmt | ast.arg | ast.ExceptHandler,
    ) -> None:
        self.values.setdefault(name, []).append(value)
        self.places.setdefault(name, []).append((node.lineno, node.col_offset + 1))

    def text(self, node: ast.expr) -> ast.Constant | None:
        """Return the string literal that an expression certainly is."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return node
        if isinstance(node, ast.Name) and node.id not in self.imports:
            values = self.values.get(node.id, [])
            only = values[0] if len(values) == 1 else None
            if isinstance(only, ast.Constant) and isinstance(only.value, str):
                return only
        return None

    def functions_alias(self, name: str) -> bool:
        """Report whether a name is the module pyspark.sql.functions."""
        return self.imports.get(name) in (FUNCTIONS_MODULE, "pyspark.sql.functions.builtin")
