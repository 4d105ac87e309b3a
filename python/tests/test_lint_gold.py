"""The lint on right answers: of the queries of natural-spark none is to be repaired."""

import json
import re
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError

from sparkwright_client.lint import lint
from tests.harness import ROOT

SHOP = ROOT.parent / "internal" / "demo" / "shop.sql"
QUESTIONS = ROOT.parent / "eval" / "natural-spark" / "questions.jsonl"
TYPES = {"int": "int4", "integer": "int4", "bigint": "int8", "smallint": "int2"}


def shop() -> list[dict[str, Any]]:
    """Return the facts of the demo's tables; where NULL may be a fifth of the rows has it."""
    text = SHOP.read_text()
    views: dict[str, dict[str, Any]] = {}
    for name, body in re.findall(r"CREATE TABLE \w+\.(\w+) \((.*?)\n\)", text, re.DOTALL):
        columns = []
        for line in body.strip().splitlines():
            column, type_ = line.split()[:2]
            nullable = "NOT NULL" not in line
            type_ = type_.rstrip(",").split("(")[0]
            columns.append(
                {
                    "name": column,
                    "type": TYPES.get(type_, type_),
                    "nullable": nullable,
                    "null_fraction": 0.2 if nullable else 0.0,
                }
            )
        views[name] = {"name": name, "keys": [], "columns": columns}
    key = r"ALTER TABLE \w+\.(\w+) ADD (?:PRIMARY KEY|UNIQUE) \(([^)]*)\)"
    for name, names in re.findall(key, text):
        views[name]["keys"].append(re.split(r",\s*", names))
    return list(views.values())


def test_right_queries_are_left_alone() -> None:
    views, seen, wrong = shop(), 0, []
    assert len(views) > 10
    assert all(v["keys"] for v in views)
    for line in QUESTIONS.read_text().splitlines():
        question = json.loads(line)
        for gold in filter(None, (question.get("gold_sql"), question.get("check_sql"))):
            try:
                tree = sqlglot.parse_one(re.sub("[{}]", "", gold).split(";")[0], read="postgres")
            except ParseError:  # a choice of columns that is no SQL without the other
                continue
            assert isinstance(tree, exp.Query)
            code = f"result = spark.sql({tree.sql(dialect='spark')!r})"
            seen += 1
            wrong += [(question["id"], f) for f in lint(code, views) if f["repair"]]
    assert wrong == []
    assert seen > 300
