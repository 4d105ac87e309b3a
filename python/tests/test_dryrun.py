"""The analyzer dry run: faults with their lines, against a real server."""

from typing import Any

import pytest

from tests.harness import Server, Worker

ODD = "a.b`c\"d'é 名"
VIEWS: list[dict[str, Any]] = [
    {
        "name": "orders",
        "columns": [
            {"name": "id", "type": "bigint"},
            {"name": "Total Amount", "type": "decimal(12,2)"},
            {"name": "status", "type": "varchar(20)"},
            {"name": "created_at", "type": "timestamp"},
            {"name": "tags", "type": "array<string>"},
            {"name": ODD, "type": "struct<a:int,`char(3)`:string>"},
        ],
    },
    {"name": "customers", "columns": [{"name": "id", "type": "bigint"}]},
    {"name": "Größe", "columns": [{"name": "x", "type": "int"}]},
    {"name": ODD, "columns": [{"name": "x", "type": "char(5)"}]},
    {"name": "wide", "columns": [{"name": f"c.{i}`", "type": "string"} for i in range(1600)]},
]


def dry(worker: Worker, server: Server, code: str) -> dict[str, Any]:
    reply = worker.ask(op="dryrun", id=1, code=code, remote=server.remote(), views=VIEWS)
    assert reply["type"] == "dryrun", reply
    return reply


@pytest.mark.parametrize(
    ("code", "schema"),
    [
        (
            "result = spark.table('orders').groupBy('status').count()",
            [("status", "string"), ("count", "bigint")],
        ),
        (
            "result = spark.sql('select sum(`Total Amount`) s from orders')",
            [("s", "decimal(22,2)")],
        ),
        ("result = spark.table('`Größe`')", [("x", "int")]),
        ("result = spark.sql('select * from `a.b``c\"d\\'é 名`')", [("x", "string")]),
        (
            "o = spark.table('orders')\nresult = o.select('`a.b``c\"d\\'é 名`.a')",
            [("a", "int")],
        ),
        (
            "from pyspark.sql import functions as F\n"
            "result = spark.table('orders').select(F.explode('tags').alias('t'))",
            [("t", "string")],
        ),
        (
            "spark.table('orders').createOrReplaceTempView('mine')\n"
            "result = spark.sql('select id from mine')",
            [("id", "bigint")],
        ),
    ],
)
def test_schema(
    shared_worker: Worker, server: Server, code: str, schema: list[tuple[str, str]] | None
) -> None:
    reply = dry(shared_worker, server, code)
    if schema is None:
        return
    assert reply["fault"] is None
    assert [(c["name"], c["type"]) for c in reply["schema"]] == schema


def test_many_columns(shared_worker: Worker, server: Server) -> None:
    reply = dry(shared_worker, server, "result = spark.table('wide')")
    assert reply["fault"] is None
    assert [c["name"] for c in reply["schema"]] == [f"c.{i}`" for i in range(1600)]


FAULTS = [
    ("x = (\n", "SyntaxError", 1),
    ("x = 1\nresult = = 2", "SyntaxError", 2),
    ("x = 1", "RESULT_MISSING", 0),
    ("\nresult = 5", "RESULT_NOT_DATAFRAME", 2),
    ("\nresult = 1 / 0", "ZeroDivisionError", 2),
    ("\nresult = nope", "NameError", 2),
    ("\n\nresult = spark.table('secret')", "TABLE_OR_VIEW_NOT_FOUND", 3),
    (
        "o = spark.table('orders')\nx = o.select('idd')\nresult = x.limit(3)",
        "UNRESOLVED_COLUMN.WITH_SUGGESTION",
        2,
    ),
    (
        "o = spark.table('orders')\nprint(o.columns)\nx = o.filter('idd > 1')\nresult = x.limit(3)",
        "UNRESOLVED_COLUMN.WITH_SUGGESTION",
        3,
    ),
    (
        "from pyspark.sql import functions as F\n"
        "o = spark.table('orders')\n"
        "result = (o\n"
        "  .filter(F.col('id') > 1)\n"
        "  .agg(F.sum('id'),\n"
        "       F.sum('nix')))",
        "UNRESOLVED_COLUMN.WITH_SUGGESTION",
        6,
    ),
    ("q = 1\nresult = spark.sql('''\nselect id,\n nope from orders''')", "UNRESOLVED_COLUMN", 4),
    (
        "result = spark.sql('''\nselect id\nfrom orders order by by by by\n''')",
        "PARSE_SYNTAX_ERROR",
        0,
    ),
    (
        "from pyspark.sql import functions as F\n"
        "result = spark.table('orders').select(\n"
        "  F.date_trunc('month', F.col('tags')))",
        "DATATYPE_MISMATCH",
        2,
    ),
    (
        "o = spark.table('orders')\nresult = o.union(spark.table('customers'))",
        "NUM_COLUMNS_MISMATCH",
        2,
    ),
    (
        "o = spark.table('orders')\nx = o.join(spark.table('customers'), 'id')\n"
        "y = o.join(spark.table('customers'))\nresult = y.select('id')",
        "AMBIGUOUS_REFERENCE",
        4,
    ),
    ("result = spark.table('orders').collect()", "ACTION_NOT_ALLOWED", 1),
    ("o = spark.table('orders')\nn = o.count()\nresult = o", "ACTION_NOT_ALLOWED", 2),
    ("o = spark.table('orders')\no.show()\nresult = o", "ACTION_NOT_ALLOWED", 2),
    ("o = spark.table('orders')\nresult = o.toPandas()", "ACTION_NOT_ALLOWED", 2),
    ("o = spark.table('orders')\no.write.parquet('/x')\nresult = o", "ACTION_NOT_ALLOWED", 2),
    ("import sys\nsys.exit(4)", "SystemExit", 2),
    ("def f():\n  return f()\nresult = f()", "RecursionError", 2),
]


@pytest.mark.parametrize(("code", "class_", "line"), FAULTS)
def test_fault(shared_worker: Worker, server: Server, code: str, class_: str, line: int) -> None:
    reply = dry(shared_worker, server, code)
    fault = reply["fault"]
    assert reply["schema"] == []
    assert fault is not None
    assert fault["kind"] == "code"
    assert fault["class"].startswith(class_), fault
    if line:
        assert fault["line"] == line, fault
    assert "JVM stacktrace" not in fault["message"]
    assert "SQLSTATE" not in fault["message"]


def test_actions_come_back(shared_worker: Worker, server: Server) -> None:
    """A denied action in one dry run does not spoil the next."""
    dry(shared_worker, server, "result = spark.table('orders').collect()")
    reply = dry(shared_worker, server, "result = spark.table('orders').groupBy().count()")
    assert reply["fault"] is None


def test_sessions_are_separate(shared_worker: Worker, server: Server) -> None:
    dry(shared_worker, server, "spark.range(1).createOrReplaceTempView('left')\nresult = None")
    reply = dry(shared_worker, server, "result = spark.table('left')")
    assert reply["fault"]["class"] == "TABLE_OR_VIEW_NOT_FOUND"


def test_prints_are_swallowed(worker: Worker, server: Server) -> None:
    assert dry(worker, server, "print('x')\nresult = spark.table('orders')")["fault"] is None
    worker.close_requests()
    assert worker.finish() == (0, "", "")
