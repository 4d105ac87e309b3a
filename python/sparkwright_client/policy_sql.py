"""The policy on SQL texts: one query over the run's views, and nothing else.

Two independent looks at each text: the syntax tree of sqlglot (Spark dialect)
for the statement and its relations, and the plain token stream for function
names, which the tree normalizes. What sqlglot does not understand is refused.
"""

import logging
from collections.abc import Iterator, Sequence

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

from sparkwright_client.names import SQL_DENIED, SQL_FUNCTIONS

MAX_SQL_CHARACTERS = 50_000
_DIALECT = "spark"

Finding = tuple[str, int, str]  # rule, line inside the text from 1, message

_TABLE_FUNCTIONS = frozenset(
    """explode explode_outer posexplode posexplode_outer explodeouter posexplodeouter inline
    inline_outer stack range json_tuple variant_explode variant_explode_outer""".split()
)
# Words that may stand before a parenthesis without being a function.
_WORDS = frozenset(
    """all and any as between by case cross cube distinct else end escape except exists extract
    false filter for from full group having ilike in include inner intersect interval is join
    lateral left like limit minus not null nulls offset on or order outer over partition pivot
    qualify recursive replace right rlike rollup select semi anti sets some tablesample then true
    union unpivot using values view when where window with within sort distribute cluster
    try_cast timestampadd timestampdiff dateadd datediff date_diff date_add position trim
    decimal dec numeric varchar char character timestamp time array map struct listagg string_agg
    broadcast broadcastjoin mapjoin merge mergejoin shuffle_merge shuffle_hash
    shuffle_replicate_nl repartition repartition_by_range rebalance coalesce named_struct
    """.split()
)
# What may stand inside a query, as a CTE for one.
_FORBIDDEN_NODES: tuple[type, ...] = (
    exp.DML,
    exp.DDL,
    exp.Command,
    exp.Use,
    exp.Cache,
    exp.Uncache,
    exp.Into,
    exp.Drop,
    exp.Describe,
    exp.LoadData,
    exp.QueryTransform,
    exp.Lock,
    exp.Pragma,
)
logging.getLogger("sqlglot").setLevel(logging.CRITICAL)


def check_query(text: str, relations: frozenset[str], parameters: bool = False) -> list[Finding]:
    """Check a whole statement against the casefolded names of the known relations."""
    return _check(text, relations, parameters, 0)


def check_expression(text: str, relations: frozenset[str]) -> list[Finding]:
    """Check an expression, such as the argument of F.expr."""
    return _check(text, relations, False, len("SELECT "))


def _check(text: str, relations: frozenset[str], parameters: bool, prefix: int) -> list[Finding]:
    if len(text) > MAX_SQL_CHARACTERS:
        limit = f"the SQL text has more than {MAX_SQL_CHARACTERS} characters; make it shorter"
        return [("sql-too-large", 1, limit)]
    odd = _odd_character(text)
    if odd is not None:
        return [odd]
    try:
        whole = "SELECT "[:prefix] + text
        tokens = sqlglot.tokenize(whole, read=_DIALECT)
        statements = sqlglot.parse(whole, read=_DIALECT)
        return list(_findings(tokens, statements, relations, parameters))
    except SqlglotError as error:
        errors = getattr(error, "errors", None) or [{}]
        line = errors[0].get("line") or 1
        reason = errors[0].get("description") or str(error).splitlines()[0]
        return [
            ("sql-parse", int(line), f"this SQL is not understood ({reason}); write one SELECT")
        ]
    except (RecursionError, MemoryError):
        return [("sql-parse", 1, "this SQL is nested too deeply; split it with WITH or views")]
    except Exception as error:
        reason = type(error).__name__
        return [("sql-parse", 1, f"this SQL is not understood ({reason}); write one plain SELECT")]


def _odd_character(text: str) -> Finding | None:
    """Refuse what Spark's lexer and sqlglot's may read differently."""
    for position, char in enumerate(text):
        continued = char == "\\" and text[position + 1 : position + 2] == "\n"
        spacing = char.isspace() and char not in " \n\t"
        if continued or spacing or (ord(char) < 32 and char not in "\n\t"):
            line = text.count("\n", 0, position) + 1
            return (
                "sql-character",
                line,
                "control characters and odd spaces are not allowed in SQL",
            )
    return None


def _findings(
    tokens: Sequence[Token],
    statements: Sequence[exp.Expr | None],
    relations: frozenset[str],
    parameters: bool,
) -> Iterator[Finding]:
    present = [s for s in statements if s is not None]
    if len(present) != 1 or len(statements) != 1:
        yield ("sql-one-statement", 1, "write exactly one statement, without a semicolon")
        return
    root = present[0]
    if not isinstance(root, exp.Query):
        yield ("sql-not-select", 1, "only a query (SELECT, WITH, UNION …) is allowed here")
        return
    for node in root.walk():
        if isinstance(node, _FORBIDDEN_NODES):
            what = type(node).__name__
            yield (
                "sql-not-select",
                line_of(node),
                f"{what} is not allowed; only SELECT queries are",
            )
        elif isinstance(node, exp.Table) and not node.find_ancestor(exp.Hint, exp.JoinHint):
            yield from _relation(node, relations)
        elif isinstance(node, (exp.Placeholder, exp.Parameter)) and not parameters:
            yield ("sql-parameter", line_of(node), "parameter markers need args=…; write the value")
    yield from _functions(tokens, root)


def _relation(table: exp.Table, relations: frozenset[str]) -> Iterator[Finding]:
    line = line_of(table)
    source = table.this
    if isinstance(source, exp.Func):
        name = (source.name if isinstance(source, exp.Anonymous) else source.key).lower()
        if name not in _TABLE_FUNCTIONS:
            yield (
                "sql-table-function",
                line,
                f"table function {name} is not allowed; query a view",
            )
        return
    if not isinstance(source, exp.Identifier) or table.args.get("db") or table.args.get("catalog"):
        shown = table.sql(dialect=_DIALECT)[:80]
        yield ("sql-relation", line, f"{shown} is not a view of this run; use its view name alone")
        return
    name = source.name.casefold()
    if name not in relations and name not in _ctes_in_scope(table):
        known = ", ".join(sorted(relations)[:10]) or "none"
        yield ("sql-relation", line, f"{source.name} is not a view of this run (views: {known})")


def _ctes_in_scope(table: exp.Table) -> set[str]:
    names: set[str] = set()
    inside: exp.Expr = table
    node = table.parent
    while node is not None:
        if isinstance(node, exp.With):
            for cte in node.expressions:
                if cte is inside and not node.args.get("recursive"):
                    break
                names.add(cte.alias.casefold())
                if cte is inside:
                    break
        else:
            with_ = node.args.get("with_") or node.args.get("with")
            if isinstance(with_, exp.With) and with_ is not inside:
                names.update(cte.alias.casefold() for cte in with_.expressions)
        inside, node = node, node.parent
    return names


def _functions(tokens: Sequence[Token], root: exp.Expr) -> Iterator[Finding]:
    aliases = {alias.name.lower() for alias in root.find_all(exp.TableAlias)}
    for position, token in enumerate(tokens[:-1]):
        following = tokens[position + 1]
        word = token.text.lower()
        if word == "using" and following.token_type in (TokenType.STRING, TokenType.RAW_STRING):
            yield ("sql-not-select", token.line, "running a script (USING) is not allowed")
        if following.token_type != TokenType.L_PAREN or not _is_word(token):
            continue
        dotted = position > 0 and tokens[position - 1].token_type == TokenType.DOT
        if word in SQL_DENIED or dotted:
            yield ("sql-function", token.line, f"function {token.text} is not allowed here")
        elif word not in SQL_FUNCTIONS and word not in _WORDS and word not in aliases:
            yield ("sql-function", token.line, f"{token.text} is not a known function of Spark SQL")


def _is_word(token: Token) -> bool:
    if token.token_type in (TokenType.STRING, TokenType.RAW_STRING, TokenType.NUMBER):
        return False
    return token.token_type == TokenType.IDENTIFIER or token.text.replace("_", "a").isalnum()


def line_of(node: exp.Expr) -> int:
    """Return the line of the first part of a node that has one."""
    for part in node.walk():
        line = part.meta.get("line")
        if line:
            return int(line)
    return 1
