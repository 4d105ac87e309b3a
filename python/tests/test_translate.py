"""What is translated to PostgreSQL, and what is declined."""

from typing import Any

import pytest

from sparkwright_client.translate import translate

VIEWS: list[dict[str, Any]] = [
    {
        "name": "orders",
        "schema": "sales",
        "table": 'Ord"ers',
        "columns": [
            {"name": "id", "type": "bigint"},
            {"name": "Status", "type": "string"},
            {"name": "amount", "type": "decimal(12,2)"},
            {"name": "weight", "type": "float"},
            {"name": "customer_id", "type": "int"},
            {"name": "at", "type": "timestamp"},
            {"name": "odd", "type": ""},
        ],
    },
    {
        "name": "customers",
        "schema": "crm",
        "table": "customers",
        "columns": [{"name": "id", "type": "int"}, {"name": "country", "type": "string"}],
    },
    {"name": "upload", "schema": "", "table": "", "columns": [{"name": "n", "type": "int"}]},
]


def of(sql: str) -> dict[str, Any]:
    return translate(f'result = spark.sql("""{sql}""")', VIEWS)


def test_names_are_those_of_the_tables() -> None:
    got = of("SELECT status, SUM(amount) AS `S x` FROM orders GROUP BY status ORDER BY `s X` DESC")
    assert got == {
        "sql": 'SELECT "orders"."Status", SUM("orders"."amount") AS "S x" '
        'FROM "sales"."Ord""ers" AS "orders" GROUP BY "orders"."Status" '
        'ORDER BY "S x" DESC NULLS LAST',
        "loose": False,
        "key": "",
    }


def test_order_prefers_the_output() -> None:
    got = of("SELECT status, COUNT(*) AS id FROM orders GROUP BY status ORDER BY id, status")
    assert got["sql"].endswith('ORDER BY "id" NULLS FIRST, "orders"."Status" NULLS FIRST')


def test_join_and_top() -> None:
    got = of(
        "SELECT c.country, COUNT(*) AS n, AVG(o.amount) AS a FROM orders o "
        "JOIN customers c ON c.id = o.customer_id WHERE o.at >= DATE '2024-01-01' "
        "AND o.status IN ('a', 'b') GROUP BY c.country ORDER BY n DESC LIMIT 5"
    )
    assert got["key"] == "n"
    assert got["loose"]
    assert 'JOIN "crm"."customers" AS "c"' in got["sql"]


def test_means_of_whole_numbers() -> None:
    got = of("SELECT AVG(CAST(customer_id AS DOUBLE)) AS a FROM orders")
    assert got["sql"] == (
        'SELECT AVG(CAST("orders"."customer_id" AS DOUBLE PRECISION)) AS "a" '
        'FROM "sales"."Ord""ers" AS "orders"'
    )
    assert got["loose"]


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("SELECT id FROM orders", "no aggregate"),
        ("SELECT MAX(status) FROM orders", "text is ordered"),
        ("SELECT COUNT(*) FROM orders WHERE status > 'a'", "text is ordered"),
        ("SELECT SUM(amount) / COUNT(*) FROM orders", "may mean another thing"),
        ("SELECT SUM(weight) FROM orders", "real"),
        ("SELECT COUNT(DISTINCT odd) FROM orders", "takes other values of odd"),
        ("SELECT status, SUM(id) s FROM orders GROUP BY status LIMIT 3", "some of the rows"),
        ("SELECT status, SUM(id) s FROM orders GROUP BY status ORDER BY status LIMIT 3", "some of"),
        ("SELECT SUM(n) FROM upload", "not a PostgreSQL table"),
        ("SELECT SUM(n) FROM (SELECT 1 AS n)", "not one plain SELECT"),
        ("WITH a AS (SELECT 1 AS n) SELECT SUM(n) FROM a", "not one plain SELECT"),
        ("SELECT SUM(id) FROM orders, customers", "not plain which column"),
        ("SELECT COUNT(*) FROM orders WHERE YEAR(at) = 2024", "may mean another thing"),
        ("SELECT COUNT(*) FROM orders WHERE CAST(status AS INT) = 1", "may mean another thing"),
        ("SELECT SUM(CAST(status AS DOUBLE)) FROM orders", "may mean another thing"),
        ("SELECT SUM(CAST(amount AS DOUBLE)) FROM orders", "may mean another thing"),
        ("SELECT SUM(CAST(id + 1 AS DOUBLE)) FROM orders", "may mean another thing"),
        ("SELECT COUNT(*) FROM orders WHERE status = 'it''s' AND", "cannot be translated"),
    ],
)
def test_declines(sql: str, why: str) -> None:
    got = of(sql)
    assert why in got.get("why", ""), got


def test_more_than_one_statement() -> None:
    code = "x = spark.table('orders')\nresult = x.groupBy('status').count()"
    assert "more than one SQL statement" in translate(code, VIEWS)["why"]
