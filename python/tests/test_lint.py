"""Each rule of the lint: what it finds, on which line, and what it leaves alone."""

from typing import Any

import pytest

from sparkwright_client.lint import lint


def column(
    name: str, type_: str = "int4", nulls: float | None = 0.0, **more: Any
) -> dict[str, Any]:
    return {
        "name": name,
        "type": type_,
        "nullable": nulls != 0.0,
        "null_fraction": nulls,
        **more,
    }


VIEWS: list[dict[str, Any]] = [
    {
        "name": "orders",
        "keys": [["order_id"]],
        "columns": [
            column("order_id"),
            column("customer_id"),
            column("agent_id", nulls=0.25),
            column("coupon", "text", nulls=0.9),
            column("fee", "numeric"),
            column("placed_at", "timestamptz"),
            column("shipped_on", "date", nulls=0.1),
            column("asked", "text", text_date=True),
        ],
    },
    {
        "name": "items",
        "keys": [["item_id"]],
        "columns": [
            column("item_id"),
            column("order_id"),
            column("product_id"),
            column("quantity"),
            column("price", "numeric"),
        ],
    },
    {
        "name": "customers",
        "keys": [["customer_id"]],
        "columns": [column("customer_id"), column("country", "text"), column("name", "text")],
    },
    {
        "name": "agents",
        "keys": [["agent_id"]],
        "columns": [column("agent_id"), column("name", "text")],
    },
    {
        "name": "tags",
        "keys": [["order_id", "tag"]],
        "columns": [column("order_id"), column("tag", "text")],
    },
    {
        "name": "loose",
        "keys": [],
        "columns": [column("order_id", repeated=True), column("item_id")],
    },
]

# rule, line of the SQL, SQL
POSITIVE = [
    ("fan-out-join", 1, "SELECT SUM(o.fee) FROM orders o JOIN items i ON i.order_id = o.order_id"),
    ("fan-out-join", 2, "SELECT c.country,\n AVG(o.fee) FROM customers c JOIN orders o USING (customer_id) JOIN items i USING (order_id) GROUP BY c.country"),
    ("fan-out-join", 1, "SELECT COUNT(o.order_id) FROM orders o LEFT JOIN items i ON i.order_id = o.order_id"),
    ("fan-out-join", 1, "SELECT SUM(o.fee) FROM orders o, items i WHERE i.order_id = o.order_id"),
    ("fan-out-join", 1, "SELECT SUM(i.quantity) FROM items i JOIN tags t ON t.order_id = i.order_id"),
    ("fan-out-join", 1, "SELECT i.product_id, SUM(o.fee) FROM orders o JOIN items i ON i.order_id = o.order_id GROUP BY 1"),
    ("fan-out-join", 1, "SELECT SUM(o.fee) FROM orders o JOIN loose l ON l.order_id = o.order_id"),
    ("fan-out-join", 1, "SELECT SUM(o.fee) FROM orders o JOIN (SELECT *, row_number() OVER (PARTITION BY order_id ORDER BY price) AS rn FROM items) i ON i.order_id = o.order_id"),
    ("fan-out-join", 1, "SELECT SUM(o.fee) FROM orders o LEFT JOIN items i ON i.order_id = o.order_id WHERE o.agent_id IS NULL"),
    ("limit-without-order", 1, "SELECT x.customer_id FROM (SELECT customer_id, COUNT(*) AS n FROM orders GROUP BY customer_id) x LIMIT 3"),
    ("fan-out-join", 1, "SELECT SUM(o.fee) FROM orders o JOIN (SELECT x.order_id, x.item_id FROM (SELECT order_id, item_id, COUNT(*) AS n FROM items GROUP BY order_id, item_id) x) i ON i.order_id = o.order_id"),
    ("average-of-averages", 2, "SELECT\nAVG(a) FROM (SELECT customer_id, AVG(fee) AS a FROM orders GROUP BY customer_id) x"),
    ("average-of-averages", 1, "WITH x AS (SELECT customer_id, ROUND(AVG(fee), 2) AS a FROM orders GROUP BY 1) SELECT AVG(a) FROM x"),
    ("null-in-not-in", 1, "SELECT name FROM agents WHERE agent_id NOT IN (SELECT agent_id FROM orders)"),
    ("null-in-not-in", 1, "SELECT name FROM agents WHERE NOT agent_id IN (SELECT o.agent_id FROM orders o WHERE o.fee > 1)"),
    ("null-in-not-in", 1, "SELECT name FROM agents WHERE agent_id NOT IN (1, NULL)"),
    ("null-compared", 1, "SELECT COUNT(*) FROM orders WHERE coupon <> 'SUMMER'"),
    ("null-compared", 1, "SELECT COUNT(*) FROM orders WHERE coupon NOT IN ('A', 'B')"),
    ("time-zone-cut", 3, "SELECT\n COUNT(*),\n date_trunc('MONTH', placed_at) FROM orders GROUP BY 2"),
    ("time-zone-cut", 1, "SELECT COUNT(*) FROM orders WHERE CAST(placed_at AS DATE) = DATE '2025-01-01'"),
    ("time-zone-cut", 1, "SELECT year(placed_at), COUNT(*) FROM orders GROUP BY 1"),
    ("integer-division", 1, "SELECT item_id, quantity div order_id FROM items"),
    ("date-as-text", 2, "SELECT COUNT(*) FROM orders\nWHERE asked >= '01.02.2025'"),
    ("date-as-text", 1, "SELECT MAX(asked) FROM orders"),
    ("date-as-text", 1, "SELECT COUNT(*) FROM orders WHERE asked BETWEEN '1/2/2025' AND '1/3/2025'"),
    ("rows-dropped", 2, "SELECT a.name, COUNT(*) FROM orders o\nJOIN agents a ON a.agent_id = o.agent_id GROUP BY a.agent_id, a.name"),
    ("limit-without-order", 1, "SELECT name FROM customers LIMIT 5"),
    ("limit-without-order", 1, "SELECT COUNT(*) FROM (SELECT name FROM customers LIMIT 5) x"),
]  # fmt: skip

NEGATIVE = [
    "SELECT SUM(i.price) FROM orders o JOIN items i ON i.order_id = o.order_id",
    "SELECT SUM(i.price * o.fee) FROM orders o JOIN items i ON i.order_id = o.order_id",
    "SELECT COUNT(*), COUNT(DISTINCT o.order_id), MAX(o.fee) FROM orders o JOIN items i ON i.order_id = o.order_id",
    "SELECT SUM(o.fee) FROM orders o JOIN (SELECT order_id, SUM(price) AS p FROM items GROUP BY order_id) i ON i.order_id = o.order_id",
    "SELECT SUM(o.fee) FROM orders o JOIN (SELECT DISTINCT order_id FROM items) i ON i.order_id = o.order_id",
    "SELECT SUM(i.price) FROM items i JOIN loose l ON l.item_id = i.item_id",
    "SELECT SUM(o.fee) FROM orders o LEFT SEMI JOIN items i ON i.order_id = o.order_id",
    "SELECT t.tag, SUM(o.fee) FROM orders o JOIN tags t ON t.order_id = o.order_id GROUP BY t.tag",
    "SELECT SUM(o.fee) FROM orders o JOIN tags t ON t.order_id = o.order_id WHERE t.tag = 'x'",
    "SELECT SUM(o.fee) FROM orders o LEFT JOIN tags t ON t.order_id = o.order_id AND 'x' = t.tag",
    "SELECT SUM(o.fee) FROM orders o JOIN (SELECT *, row_number() OVER (PARTITION BY order_id ORDER BY price) AS rn FROM items) i ON i.order_id = o.order_id AND i.rn = 1",
    "SELECT SUM(o.fee) FROM orders o JOIN (SELECT order_id, rn FROM (SELECT order_id, row_number() OVER (PARTITION BY order_id ORDER BY price) AS rn FROM items) x WHERE rn = 1) i ON i.order_id = o.order_id",
    "SELECT SUM(o.fee) FROM orders o JOIN (SELECT * FROM items QUALIFY row_number() OVER (PARTITION BY order_id ORDER BY price) = 1) i ON i.order_id = o.order_id",
    "SELECT SUM(o.fee) FROM orders o LEFT JOIN items i ON i.order_id = o.order_id WHERE i.item_id IS NULL",
    "SELECT o.order_id, COUNT(i.item_id) FROM orders o LEFT JOIN items i ON i.order_id = o.order_id GROUP BY o.order_id",
    "SELECT SUM(o.fee) FROM orders o CROSS JOIN (SELECT MAX(price) AS p FROM items) m",
    "SELECT AVG(s) FROM (SELECT customer_id, SUM(fee) AS s FROM orders GROUP BY customer_id) x",
    "SELECT name FROM agents WHERE agent_id NOT IN (SELECT agent_id FROM orders WHERE agent_id IS NOT NULL)",
    "SELECT name FROM customers WHERE customer_id NOT IN (SELECT customer_id FROM orders)",
    "SELECT name FROM agents a WHERE NOT EXISTS (SELECT 1 FROM orders o WHERE o.agent_id = a.agent_id)",
    "SELECT name FROM agents WHERE agent_id IN (SELECT agent_id FROM orders)",
    "SELECT COUNT(*) FROM customers WHERE country <> 'DE'",
    "SELECT COUNT(*) FROM orders WHERE coupon = 'SUMMER'",
    "SELECT date_trunc('MONTH', shipped_on), COUNT(*) FROM orders GROUP BY 1",
    "SELECT date_trunc('HOUR', placed_at), COUNT(*) FROM orders GROUP BY 1",
    "SELECT COUNT(*) FROM orders WHERE placed_at >= TIMESTAMP '2025-01-01'",
    "SELECT quantity / 2 FROM items",
    "SELECT fee div 2 FROM orders",
    "SELECT COUNT(*) FROM orders WHERE to_date(asked, 'dd.MM.yyyy') >= DATE '2025-02-01'",
    "SELECT COUNT(*) FROM orders WHERE asked = '01.02.2025'",
    "SELECT a.name, COUNT(*) FROM orders o LEFT JOIN agents a ON a.agent_id = o.agent_id GROUP BY a.agent_id, a.name",
    "SELECT COUNT(*) FROM orders o JOIN agents a ON a.agent_id = o.agent_id WHERE a.name = 'Ada'",
    "SELECT COUNT(*) FROM orders o JOIN agents a ON a.agent_id = o.agent_id WHERE o.agent_id IS NOT NULL",
    "SELECT COUNT(*) FROM orders o JOIN customers c ON c.customer_id = o.customer_id",
    "SELECT name FROM customers ORDER BY name LIMIT 5",
    "SELECT COUNT(*) FROM customers LIMIT 1",
    "SELECT name FROM customers c WHERE EXISTS (SELECT 1 FROM orders o WHERE o.customer_id = c.customer_id LIMIT 1)",
    "SELECT broken FROM",
]  # fmt: skip


@pytest.mark.parametrize(("rule", "line", "sql"), POSITIVE)
def test_found(rule: str, line: int, sql: str) -> None:
    found = lint(f'x = 1\nresult = spark.sql("""{sql}""")', VIEWS)
    assert [(f["rule"], f["line"]) for f in found] == [(rule, line + 1)]


@pytest.mark.parametrize("sql", NEGATIVE)
def test_left_alone(sql: str) -> None:
    assert lint(f'result = spark.sql("""{sql}""")', VIEWS) == []


def test_what_is_repaired() -> None:
    told = {"null-compared", "time-zone-cut", "integer-division", "rows-dropped"}
    for rule, _, sql in POSITIVE:
        found = lint(f'result = spark.sql("""{sql}""")', VIEWS)
        assert [f["repair"] for f in found] == [rule not in told]


def test_every_rule_is_tested() -> None:
    from sparkwright_client import lint_rules

    rules = {
        v
        for k, v in vars(lint_rules).items()
        if k.isupper() and isinstance(v, str) and "-" in v and " " not in v
    }
    assert rules == {rule for rule, _, _ in POSITIVE}


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ('result = spark.table("orders").limit(5)', 1),
        ('a = spark.table("orders")\nresult = a.select("fee").limit(5)', 1),
        ('result = spark.table("orders").orderBy("fee").limit(5)', 0),
        ('a = spark.table("orders").sort("fee")\nresult = a.select("fee").limit(5)', 0),
        ('result = spark.sql("SELECT fee FROM orders ORDER BY fee").limit(5)', 0),
        ("result = made_elsewhere(1).limit(5)", 0),
        ("this is no Python", 0),
    ],
)
def test_limit_of_a_frame(code: str, found: int) -> None:
    assert len(lint(code, VIEWS)) == found


def test_message_names_the_tables_and_the_share() -> None:
    sql = next(sql for rule, _, sql in POSITIVE if rule == "rows-dropped")
    found = lint(f'result = spark.sql("""{sql}""")', VIEWS)
    assert "orders without agent_id (25.0 %) have no row of agents" in found[0]["message"]
