"""The rules of the lint on DataFrame code: what is found, on which line, and what is left alone."""

import ast
import time

import pytest

from sparkwright_client.lint import lint
from sparkwright_client.lint_frames import Frames
from sparkwright_client.lint_relations import of_view
from sparkwright_client.policy_bindings import Bindings
from tests.harness import Server, Worker
from tests.test_lint import POSITIVE as SQL_POSITIVE
from tests.test_lint import VIEWS

START = """from pyspark.sql import functions as F, Window
orders = spark.table("orders")
items = spark.table("items")
tags = spark.table("tags")
agents = spark.table("agents")
customers = spark.table("customers")
"""

# rule, line after the start, code
POSITIVE = [
    ("fan-out-join", 1, 'result = spark.table("orders").join(spark.table("items"), "order_id").groupBy("customer_id").agg(F.sum("fee"))'),
    ("fan-out-join", 6, 'result = (\n orders\n .join(items, "order_id")\n .groupBy("customer_id")\n .agg(\n  F.avg("fee").alias("a"),\n F.sum("price"))\n)'),
    ("fan-out-join", 1, 'result = orders.join(items, orders.order_id == items.order_id).agg(F.sum(orders["fee"]).alias("s"))'),
    ("fan-out-join", 1, 'result = orders.join(items, ["order_id"], "left").groupBy("customer_id").sum("fee")'),
    ("fan-out-join", 1, 'result = orders.join(items, "order_id").groupBy("customer_id").agg({"fee": "sum"})'),
    ("fan-out-join", 2, 'j = orders.alias("o").join(items.alias("i"), F.col("o.order_id") == F.col("i.order_id"))\nresult = j.select(F.sum("o.fee").alias("s"))'),
    ("fan-out-join", 3, 'df = orders.withColumn("net", F.col("fee") * 2)\ndf = df.join(items, "order_id").filter(F.col("price") > 1)\nresult = df.groupBy("customer_id").agg(F.round(F.sum("net"), 2).alias("s"))'),
    ("fan-out-join", 1, 'result = items.join(tags, "order_id").selectExpr("sum(quantity) AS q")'),
    ("fan-out-join", 1, 'result = spark.sql("SELECT order_id, fee FROM orders").join(items, "order_id").agg(F.sum("fee"))'),
    ("fan-out-join", 2, 'paid = orders.groupBy("order_id").agg(F.sum("fee").alias("s"))\nresult = paid.join(items, "order_id").agg(F.sum("s"))'),
    ("average-of-averages", 2, 'per = orders.groupBy("customer_id").agg(F.avg("fee").alias("a"))\nresult = per.agg(F.avg("a").alias("b"))'),
    ("average-of-averages", 1, 'result = orders.groupBy("customer_id").avg("fee").select(F.mean("avg(fee)"))'),
    ("average-of-averages", 2, 'per = orders.groupBy("customer_id").agg(F.round(F.avg("fee"), 2).alias("a")).withColumnRenamed("a", "b")\nresult = per.groupBy().agg(F.expr("avg(b)"))'),
    ("null-in-not-in", 1, 'result = agents.filter(~F.col("agent_id").isin(1, None))'),
    ("null-in-not-in", 1, 'result = agents.where(~agents.agent_id.isin(orders.select("agent_id")))'),
    ("null-in-not-in", 2, 'used = orders.filter("fee > 1").select("agent_id")\nresult = agents.where(~F.col("agent_id").isin(used))'),
    ("null-in-not-in", 1, 'result = agents.filter("agent_id NOT IN (SELECT agent_id FROM orders)")'),
    ("null-compared", 1, 'result = orders.filter(F.col("coupon") != "SUMMER").groupBy().count()'),
    ("null-compared", 1, 'result = orders.where(~orders.coupon.isin(["A", "B"])).agg(F.count("*"))'),
    ("time-zone-cut", 2, 'df = (orders\n .withColumn("m", F.date_trunc("month", "placed_at")))\nresult = df.groupBy("m").count()'),
    ("time-zone-cut", 1, 'result = orders.filter(F.to_date("placed_at") == "2025-01-01").agg(F.count("*"))'),
    ("time-zone-cut", 1, 'result = orders.groupBy(F.year(F.col("placed_at")).alias("y")).agg(F.sum("fee"))'),
    ("time-zone-cut", 1, 'result = orders.select(F.col("placed_at").cast("date").alias("d"))'),
    ("integer-division", 2, 'result = items.select(\n F.expr("quantity div order_id").alias("d"))'),
    ("integer-division", 1, 'result = items.selectExpr("item_id", "quantity div order_id AS d")'),
    ("date-as-text", 1, 'result = orders.filter(F.col("asked") >= "01.02.2025")'),
    ("date-as-text", 1, 'result = orders.groupBy("customer_id").agg(F.max("asked").alias("last"))'),
    ("date-as-text", 1, 'result = orders.where(orders.asked.between("1/2/2025", "1/3/2025"))'),
    ("rows-dropped", 1, 'result = orders.join(agents, "agent_id").groupBy("agent_id").agg(F.count("*").alias("n"))'),
    ("rows-dropped", 2, 'result = (orders\n .join(agents, orders["agent_id"] == agents["agent_id"], "inner")\n .groupBy(agents.name).count())'),
    ("rows-dropped", 1, 'result = orders.join(F.broadcast(agents.withColumnRenamed("agent_id", "id")), F.col("agent_id") == F.col("id")).select("order_id")'),
    ("limit-without-order", 1, 'result = customers.select("name").limit(5)'),
    ("limit-without-order", 2, 'df = customers.orderBy("name").groupBy("country").count()\nresult = df.limit(5)'),
]  # fmt: skip

NEGATIVE = [
    'result = orders.join(items, "order_id").groupBy("customer_id").agg(F.sum("price"), F.max("fee"))',
    'result = orders.join(items, "order_id").agg(F.countDistinct("order_id"), F.count("order_id"), F.count("*"))',
    'result = orders.join(items, "order_id").agg(F.sum(F.col("price") * F.col("fee")))',
    'p = items.groupBy("order_id").agg(F.sum("price").alias("p"))\nresult = orders.join(p, "order_id").agg(F.sum("fee"))',
    'result = orders.join(items.select("order_id").distinct(), "order_id").agg(F.sum("fee"))',
    'result = orders.join(items.dropDuplicates(["order_id"]), "order_id").agg(F.sum("fee"))',
    'result = orders.join(items, "order_id", "left_semi").agg(F.sum("fee"))',
    'result = orders.join(items, "order_id", "leftanti").agg(F.sum("fee"))',
    'result = orders.join(tags, "order_id").groupBy("tag").agg(F.sum("fee"))',
    'result = orders.join(tags.filter(F.col("tag") == "x"), "order_id").agg(F.sum("fee"))',
    'result = orders.join(items, "order_id").groupBy(orders.order_id).agg(F.sum("price"))',
    'result = orders.crossJoin(items.agg(F.max("price").alias("p"))).agg(F.sum("fee"))',
    'df = orders.join(items, "order_id")\nresult = df.groupBy("order_id", "fee").count().agg(F.sum("fee"))',
    'w = Window.partitionBy("order_id")\nresult = orders.join(items, "order_id").select(F.sum("fee").over(w).alias("s"))',
    'w = Window.partitionBy("order_id").orderBy("price")\nlast = items.withColumn("rn", F.row_number().over(w)).filter(F.col("rn") == 1)\nresult = orders.join(last, "order_id").agg(F.sum("fee"))',
    'w = Window.partitionBy("order_id").orderBy("price")\nresult = orders.join(items, "order_id").withColumn("rn", F.row_number().over(w)).filter("rn = 1").groupBy("customer_id").agg(F.sum("fee"))',
    'result = orders.join(items, "order_id", "left").filter(items.item_id.isNull()).agg(F.sum("fee"))',
    'last = items.groupBy("order_id").agg(F.max("item_id").alias("item_id"))\nresult = orders.join(items.join(last, ["order_id", "item_id"]), "order_id").agg(F.sum("fee"))',
    'result = orders.groupBy("customer_id").agg(F.sum("fee").alias("s")).agg(F.avg("s"))',
    'result = orders.groupBy("customer_id").agg(F.avg("fee").alias("a")).agg(F.max("a"))',
    'result = agents.filter(F.col("agent_id").isin(orders.select("agent_id")))',
    'result = agents.filter(~F.col("agent_id").isin(orders.select("agent_id").filter(F.col("agent_id").isNotNull())))',
    'result = agents.filter(~F.col("agent_id").isin(orders.dropna(subset=["agent_id"]).select("agent_id")))',
    'result = customers.filter(~F.col("customer_id").isin(orders.select("customer_id")))',
    'result = agents.join(orders, "agent_id", "left_anti")',
    'result = customers.filter(F.col("country") != "DE")',
    'result = orders.filter((F.col("coupon") != "SUMMER") | F.col("coupon").isNull())',
    'result = orders.fillna({"coupon": ""}).filter(F.col("coupon") != "SUMMER")',
    'result = orders.na.fill("", ["coupon"]).filter("coupon <> \'SUMMER\'")',
    'result = orders.groupBy(F.date_trunc("month", "shipped_on").alias("m")).count()',
    'result = orders.groupBy(F.date_trunc("hour", "placed_at").alias("h")).count()',
    'import datetime\nresult = orders.filter(F.col("placed_at") >= datetime.datetime(2025, 1, 1))',
    'result = items.select((F.col("quantity") / 2).alias("q"))',
    'result = orders.select(F.expr("fee div 2").alias("q"))',
    'result = orders.filter(F.to_date("asked", "dd.MM.yyyy") >= "2025-02-01")',
    'result = orders.filter(F.col("asked") == "01.02.2025")',
    'result = orders.withColumn("asked", F.to_date("asked", "dd.MM.yyyy")).agg(F.max("asked"))',
    'result = orders.join(agents, "agent_id", "left").groupBy("name").count()',
    'result = orders.join(agents, "agent_id").filter(F.col("name") == "Ada").agg(F.count("*"))',
    'result = orders.join(agents, "agent_id").select("order_id", "name").filter("name = \'Ada\'")',
    'result = orders.filter(F.col("agent_id").isNotNull()).join(agents, "agent_id").agg(F.count("*"))',
    'result = orders.join(customers, "customer_id").agg(F.count("*"))',
    'result = customers.orderBy("name").select("name").limit(5)',
    'result = customers.agg(F.count("*").alias("n")).limit(1)',
    'result = orders.join(orders, "order_id").agg(F.sum(F.col("order_id")))',
    'a = orders.alias("a")\nb = orders.alias("b")\nresult = a.join(b, F.col("a.order_id") == F.col("b.order_id")).agg(F.sum("a.fee"))',
]  # fmt: skip

# What is not understood, or not certain.
UNCLEAR = [
    'result = orders.join(items, "order_id").someMethod().agg(F.sum("fee"))',
    'j = orders.join(items, "order_id")\nif True:\n    j = orders\nresult = j.agg(F.sum("fee"))',
    'for f in []:\n    orders = f\nresult = orders.join(items, "order_id").agg(F.sum("fee"))',
    'result = orders.join(items, "order_id").select(F.explode(F.array("fee"))).agg(F.sum("col"))',
    'result = orders.join(orders, "order_id").agg(F.sum(orders.fee))',
    'result = orders.unionByName(orders).join(agents, "agent_id").agg(F.sum("fee"))',
    'result = orders.join(items, "order_id", how=made()).agg(F.sum("fee"))',
    'result = orders.join(items, "order_id").agg(F.sum("nowhere"))',
    'result = spark.table("elsewhere").join(items, "order_id").agg(F.sum("fee"))',
]  # fmt: skip


def names(code: str) -> list[str] | None:
    """Return the columns of the result as the lint reads them."""
    tree = ast.parse(START + code)
    frames = Frames(tree, Bindings.of(tree), {v["name"]: of_view(v) for v in VIEWS})
    return None if frames.result is None else [n for n, _ in frames.result.shown]


@pytest.mark.parametrize(("rule", "line", "code"), POSITIVE)
def test_found(rule: str, line: int, code: str) -> None:
    found = lint(START + code, VIEWS)
    assert [(f["rule"], f["line"] - START.count("\n")) for f in found] == [(rule, line)]


@pytest.mark.parametrize("code", NEGATIVE)
def test_left_alone(code: str) -> None:
    assert lint(START + code, VIEWS) == []
    assert names(code) is not None, "it is quiet because it is not understood"


# What is tested here is no other code than Spark's, and is read as Spark reads it.
@pytest.mark.parametrize("code", [c for _, _, c in POSITIVE] + NEGATIVE)
def test_spark_reads_the_same(shared_worker: Worker, server: Server, code: str) -> None:
    types = {
        "int4": "int",
        "text": "string",
        "numeric": "decimal(12,2)",
        "timestamptz": "timestamp",
    }
    views = [
        {
            "name": v["name"],
            "columns": [
                {"name": c["name"], "type": types.get(c["type"], c["type"])} for c in v["columns"]
            ],
        }
        for v in VIEWS
    ]
    reply = shared_worker.ask(
        op="dryrun", id=1, code=START + code, remote=server.remote(), views=views
    )
    assert reply["fault"] is None
    read = names(code) or []
    assert len(read) == len(reply["schema"])
    for ours, spark in zip(read, reply["schema"], strict=True):
        assert ours.startswith("#") or ours == spark["name"]


@pytest.mark.parametrize("code", UNCLEAR)
def test_unclear(code: str) -> None:
    assert lint(START + code, VIEWS) == []


@pytest.mark.parametrize(
    "step",
    [
        'df = df.withColumn("fee", F.col("fee") + F.col("fee"))',
        'df = df.join(df, "order_id").select("order_id")',
        'df = df.join(df.groupBy("order_id").count(), "order_id").groupBy("order_id").count()',
        "df = df.distinct()",
        'df = df.distinct().join(df.select("order_id").distinct(), "order_id").select("order_id")',
    ],
)
def test_what_grows_with_each_line_is_given_up(step: str) -> None:
    began = time.monotonic()
    code = START + "df = orders\n" + "\n".join([step] * 600)
    assert lint(code + '\nresult = df.join(items, "order_id").agg(F.sum("fee"))', VIEWS) == []
    assert time.monotonic() - began < 10


def test_every_rule_is_tested() -> None:
    assert {rule for rule, _, _ in POSITIVE} == {rule for rule, _, _ in SQL_POSITIVE}
