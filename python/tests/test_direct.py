"""What PostgreSQL answers by itself with Spark's very values, and what not."""

from typing import Any

import pytest

from sparkwright_client.direct import direct

VIEWS: list[dict[str, Any]] = [
    {
        "name": "orders",
        "schema": "sales",
        "table": 'Ord"ers',
        "columns": [
            {"name": "id", "type": "bigint", "how": "plain"},
            {"name": "Status", "type": "string", "how": "text"},
            {"name": "channel", "type": "string", "how": "bytes"},
            {"name": "amount", "type": "decimal(12,2)", "how": "plain"},
            {"name": "wide", "type": "decimal(38,2)", "how": "plain"},
            {"name": "quantity", "type": "int", "how": "plain"},
            {"name": "weight", "type": "double", "how": "plain"},
            {"name": "code", "type": "string", "how": ""},
            {"name": "at", "type": "timestamp", "how": "plain"},
        ],
    },
    {
        "name": "customers",
        "schema": "crm",
        "table": "customers",
        "columns": [
            {"name": "id", "type": "bigint", "how": "plain"},
            {"name": "country", "type": "string", "how": "plain"},
        ],
    },
    {"name": "upload", "schema": "", "table": "", "columns": [{"name": "n", "type": "int"}]},
]


def of(sql: str) -> dict[str, Any]:
    return direct(f'result = spark.sql("""{sql}""")', VIEWS)


def test_groups_in_the_order_of_spark() -> None:
    got = of(
        "SELECT status, SUM(amount * quantity) AS s FROM orders o JOIN customers c ON c.id = o.id "
        "WHERE channel = 'web' GROUP BY status HAVING COUNT(*) > 2 ORDER BY status LIMIT 3"
    )
    status = 'CAST("o"."Status" AS text) COLLATE "C"'
    assert got == {
        "sql": f'SELECT {status} AS "status", SUM(("o"."amount" * "o"."quantity")) AS "s" '
        'FROM "sales"."Ord""ers" AS "o" JOIN "crm"."customers" AS "c" ON ("c"."id" = "o"."id") '
        f'WHERE ("o"."channel" COLLATE "C" = \'web\') GROUP BY {status} HAVING (COUNT(*) > 2) '
        f"ORDER BY {status} ASC NULLS FIRST FETCH FIRST 3 ROWS WITH TIES",
        "schema": [{"name": "status", "type": "string"}, {"name": "s", "type": "decimal(33,2)"}],
        "limit": 3,
    }


@pytest.mark.parametrize(
    ("shown", "kind"),
    [
        ("COUNT(*)", "bigint"),
        ("SUM(quantity)", "bigint"),
        ("SUM(amount)", "decimal(22,2)"),
        ("SUM(wide)", "decimal(38,2)"),
        ("AVG(amount)", "decimal(16,6)"),
        ("SUM(amount * (1 - 0.25))", "decimal(27,4)"),
        ("MAX(at)", "timestamp"),
        ("COALESCE(SUM(amount), 0)", "decimal(22,2)"),
        ("100 * COUNT(*) / SUM(quantity)", "double"),
        ("CAST(SUM(amount) AS DOUBLE) / 3", "double"),
        ("SUM(CASE WHEN status = 'a' THEN 1 ELSE 0 END)", "bigint"),
        ("CAST(date_trunc('MONTH', MIN(at)) AS DATE)", "date"),
        ("YEAR(MIN(at))", "int"),
        ("MIN(channel)", "string"),
        ("MAX(weight)", "double"),
    ],
)
def test_types(shown: str, kind: str) -> None:
    got = of(f"SELECT {shown} AS x FROM orders")
    assert got.get("schema") == [{"name": "x", "type": kind}], got


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("SELECT code FROM orders", "a form of its own"),
        ("SELECT SUM(weight) AS s FROM orders", "order of the rows"),
        ("SELECT AVG(quantity) AS a FROM orders", "how Spark adds them up"),
        ("SELECT SUM(wide * amount) AS s FROM orders", "would round"),
        ("SELECT amount / quantity AS x FROM orders", "may be another value"),
        ("SELECT SUM(amount) FROM orders", "has no name"),
        ("SELECT * FROM orders", "has no name"),
        ("SELECT status FROM orders LIMIT 3", "does not say which"),
        ("SELECT upper(status) AS u FROM orders", "another thing"),
        ("SELECT ROUND(weight, 2) AS r FROM orders", "another thing"),
        (
            "SELECT COUNT(*) AS n FROM orders WHERE at > '2024-01-01'",
            "compares timestamp with string",
        ),
        ("SELECT COUNT(DISTINCT status, channel) AS n FROM orders", "several columns"),
        ("SELECT SUM(n) AS s FROM upload", "tables of PostgreSQL alone"),
        ("SELECT n FROM (SELECT 1 AS n)", "tables of PostgreSQL alone"),
        ("WITH a AS (SELECT 1 AS n) SELECT n FROM a", "not one plain SELECT"),
        ("SELECT id FROM orders WHERE EXISTS (SELECT 1 FROM customers)", "another thing"),
        ("SELECT id FROM orders WHERE id IN (SELECT id FROM customers)", "another thing"),
        ("SELECT id FROM orders, customers", "another thing"),
        ("SELECT o.id FROM orders o CROSS JOIN customers c", "another thing"),
        ("SELECT status FROM orders GROUP BY ROLLUP (status)", "several ways"),
        ("SELECT id FROM orders TABLESAMPLE (10 PERCENT)", "sample"),
        ("SELECT id FROM orders WHERE status = 'it''s'", "concat"),
        ("SELECT COUNT(*) FILTER (WHERE id > 1) AS n FROM orders", "another thing"),
        ("SELECT 1e3 AS x FROM orders", "another thing"),
        (
            "SELECT status FROM orders QUALIFY ROW_NUMBER() OVER (ORDER BY id) = 1",
            "one plain SELECT",
        ),
        ("SELECT id FROM orders ORDER BY id LIMIT 3 OFFSET 2", "one plain SELECT"),
        ("SELECT status FROM orders WHERE", "cannot be translated"),
        ("SELECT RANK() OVER (ORDER BY id) AS r FROM orders", "another thing"),
    ],
)
def test_declines(sql: str, why: str) -> None:
    got = of(sql)
    assert why in got.get("why", ""), got
