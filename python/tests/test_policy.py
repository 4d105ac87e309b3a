"""The policy: what is allowed, what is not, and where it says so."""

import os
import random
import subprocess
import sys

import pytest

from sparkwright_client.policy import MAX_CODE_BYTES, check
from sparkwright_client.policy_sql import check_query
from tests.harness import ROOT, Server

VIEWS = ["orders", "customers", "Odd View"]
F = "from pyspark.sql import functions as F\n"
O = "orders = spark.table('orders')\n"  # noqa: E741

ALLOWED = [
    "result = spark.table('orders')",
    "result = spark.table('ORDERS')",
    "result = spark.table('`Odd View`')",
    "name = 'orders'\nresult = spark.table(name)",
    F + O + "result = orders.groupBy('status').agg(F.sum('total').alias('s')).orderBy(F.desc('s'))",
    O + "result = orders.groupBy('status').count()",
    O + "g = orders.groupBy('status')\nresult = g.count()",
    O + "result = orders.groupBy('status').pivot('kind', ['a', 'b']).count()",
    F + O + "result = orders.agg(F.count('*').alias('n'), F.countDistinct('id'))",
    F + O + "result = orders.filter(F.col('a') > 1)",
    F + O + "result = orders.filter((orders.status == 'paid') & ~orders['x'].isNull())",
    F + O + "c = F.col('a') > 1\nresult = orders.where(c)",
    O + "result = orders.filter('total > 10 and status in (\"a\", \"b\")')",
    O + "result = orders.where(orders.paid)",
    O + "result = orders.selectExpr('id', 'sum(total) over (partition by id) as s')",
    F + O + "result = orders.withColumn('x', F.expr('total * 2'))",
    F + "from pyspark.sql.window import Window\n" + O + "w = Window.partitionBy('a').orderBy('b')\n"
    "result = orders.withColumn('r', F.row_number().over(w)).filter(F.col('r') <= 3)",
    "import pyspark.sql.functions as fn\n" + O + "result = orders.select(fn.upper('a'))",
    "from pyspark.sql.functions import col, sum as total\n" + O + "result = orders.agg(total('a'))",
    "from pyspark.sql.functions import *\n" + O + "result = orders.select(col('a'), upper('b'))",
    "from pyspark.sql.types import DecimalType\n" + F + O
    + "result = orders.select(F.col('a').cast(DecimalType(12, 2)))",
    "from datetime import date, timedelta\n" + F + O
    + "since = date(2025, 1, 1) - timedelta(days=30)\nresult = orders.filter(F.col('d') >= since)",
    "import datetime\n" + F + O + "result = orders.filter(F.col('d') >= datetime.date(2025, 1, 1))",
    "import math\n" + F + O + "result = orders.filter(F.col('d') >= math.pi)",
    "from functools import reduce\nfrom pyspark.sql import DataFrame\n" + O
    + "result = reduce(DataFrame.unionByName, [orders, orders])",
    F + O + "cols = [F.col(c).alias(f'{c}_x') for c in ('a', 'b')]\nresult = orders.select(*cols)",
    F + O + "x = orders\nfor c in ['a', 'b']:\n    x = x.withColumn(c, F.trim(c))\nresult = x",
    F + O + "def clean(df, c):\n    return df.withColumn(c, F.trim(F.col(c)))\n"
    "result = orders.transform(lambda df: clean(df, 'a'))",
    O + "if len(orders.columns) > 3:\n    x = orders\nelse:\n    x = orders.limit(3)\nresult = x",
    O + "orders.createOrReplaceTempView('mine')\nresult = spark.sql('SELECT * FROM mine')",
    "result = spark.sql('SELECT * FROM orders o JOIN customers c ON o.cid = c.id')",
    "result = spark.sql('SELECT * FROM `Odd View`')",
    "q = '''\nWITH a AS (SELECT * FROM orders)\nSELECT * FROM a\n'''\nresult = spark.sql(q)",
    "result = spark.sql('WITH a AS (SELECT 1 x), b AS (SELECT * FROM a) SELECT * FROM b')",
    "result = spark.sql('SELECT a FROM orders UNION ALL SELECT b FROM customers')",
    "result = spark.sql('SELECT * FROM orders LATERAL VIEW explode(tags) t AS tag')",
    "result = spark.sql('SELECT sum(a) FILTER (WHERE b > 1), CAST(c AS DECIMAL(10,2)) FROM orders')",
    "result = spark.sql('SELECT rank() OVER (PARTITION BY a ORDER BY b) FROM orders -- ranks')",
    "result = spark.sql('SELECT * FROM orders WHERE id = :id', args={'id': 3})",
    "result = spark.sql(\"SELECT * FROM orders WHERE d > date'2025-01-01' - INTERVAL 30 DAYS\")",
    "result = spark.sql('SELECT /*+ BROADCAST(c) */ * FROM orders o JOIN customers c USING (id)')",
    "result = spark.range(5)",
    "orders: 'DataFrame' = spark.table('orders')\nresult: dict = orders",
    O + "x = [_ for _ in range(3)]\nresult = orders.limit(len(x))",
    "from datetime import datetime\n" + F + O + "result = orders.select(F.lit(datetime(2025, 1, 1)))",
    "print('x')\nresult = spark.table('orders')",
]  # fmt: skip

FORBIDDEN = [
    # imports
    ("import os\nresult = 1", "import", 1),
    ("import os.path as p\nresult = 1", "import", 1),
    ("from os import system\nresult = 1", "import", 1),
    ("import pyspark\nresult = 1", "import", 1),
    ("import pyspark.sql.functions\nresult = 1", "import", 1),
    ("from . import x\nresult = 1", "import", 1),
    ("from pyspark.sql import SparkSession\nresult = 1", "import", 1),
    ("from pyspark.sql import *\nresult = 1", "import", 1),
    ("from operator import attrgetter\nresult = 1", "import", 1),
    ("import subprocess, sys\nresult = 1", "import", 1),
    (F + "g = F\nresult = g.udf", "import", 2),
    ("import functools\nresult = functools.partial", "attribute", 2),
    ("import datetime\nresult = datetime.sys", "attribute", 2),
    # Python functions in Spark
    ("from pyspark.sql.functions import udf\nresult = 1", "python-function", 1),
    (F + "x = F.udf(lambda v: v)\nresult = 1", "python-function", 2),
    (F + "x = F.pandas_udf\nresult = 1", "python-function", 2),
    ("from pyspark.sql.functions import *\nx = udf(len)\nresult = 1", "python-function", 2),
    (O + "result = orders.mapInPandas(lambda x: x, 'a int')", "python-function", 2),
    (O + "result = orders.groupBy('a').applyInPandas(lambda x: x, 'a int')", "python-function", 2),
    (F + "result = F.call_udf('x')", "python-function", 2),
    (F + "result = F.call_function('reflect')", "attribute", 2),
    (F + "result = F.reflect('a', 'b')", "attribute", 2),
    (F + "result = F.java_method('a', 'b')", "attribute", 2),
    (F + "result = F.input_file_name()", "attribute", 2),
    (F + "result = F.sys", "attribute", 2),
    # names
    ("result = eval('1')", "builtin", 1),
    ("exec('x = 1')\nresult = 1", "builtin", 1),
    ("result = open('/etc/passwd')", "builtin", 1),
    ("result = compile('1', '', 'eval')", "builtin", 1),
    ("result = __import__('os')", "underscore", 1),
    ("result = getattr(spark, 'read')", "builtin", 1),
    ("result = globals()", "builtin", 1),
    ("result = vars()", "builtin", 1),
    ("result = type(1)", "builtin", 1),
    ("result = input()", "builtin", 1),
    ("breakpoint()\nresult = 1", "builtin", 1),
    ("result = __builtins__", "underscore", 1),
    ("result = orders", "unknown-name", 1),
    # attributes
    ("result = ().__class__", "underscore", 1),
    ("result = spark._jvm", "underscore", 1),
    (O + "result = orders._jdf", "underscore", 2),
    ("result = f'{().__class__}'", "underscore", 1),
    ("result = '{0.x}'.format(1)", "attribute", 1),
    ("g = (x for x in [1])\nresult = g.gi_frame", "attribute", 2),
    (O + "orders.x = 1\nresult = orders", "attribute", 2),
    (O + "result = orders.sparkSession", "attribute", 2),
    (O + "result = orders.nosuchmethod()", "attribute", 2),
    # actions
    (O + "x = orders.collect()\nresult = orders", "action", 2),
    (O + "x = orders.count()\nresult = orders", "action", 2),
    (O + "x = (orders\n  .filter('a > 1')\n  .count())\nresult = orders", "action", 4),
    (O + "orders.show()\nresult = orders", "action", 2),
    (O + "x = orders.toPandas()\nresult = orders", "action", 2),
    (O + "x = orders.first()\nresult = orders", "action", 2),
    (O + "x = orders.take(5)\nresult = orders", "action", 2),
    (O + "result = orders.cache()", "action", 2),
    (O + "result = orders.rdd", "action", 2),
    (O + "result = orders.checkpoint()", "action", 2),
    (O + "orders.foreach(print)\nresult = orders", "python-function", 2),
    # writes
    (O + "orders.write.parquet('/x')\nresult = orders", "write", 2),
    (O + "orders.writeTo('x').append()\nresult = orders", "write", 2),
    (O + "orders.createGlobalTempView('x')\nresult = orders", "write", 2),
    (O + "orders.createOrReplaceTempView('customers')\nresult = orders", "temp-view", 2),
    (O + "orders.createOrReplaceTempView('cust' + 'omers')\nresult = orders", "temp-view", 2),
    (O + "orders.createOrReplaceTempView('a.b')\nresult = orders", "temp-view", 2),
    # reads and the session
    ("result = spark.read.csv('/etc/passwd')", "read", 1),
    ("result = spark.readStream", "read", 1),
    ("result = spark.createDataFrame([(1,)], 'a int')", "read", 1),
    ("result = spark.table('secret')", "read", 1),
    ("result = spark.table('other.orders')", "read", 1),
    ("t = 'ord'\nt = t + 'ers'\nresult = spark.table(t)", "read", 3),
    ("for t in ['orders']:\n    x = spark.table(t)\nresult = x", "read", 2),
    ("result = spark.table(*['orders'])", "read", 1),
    ("result = spark.catalog.listTables()", "spark", 1),
    ("spark.conf.set('a', 'b')\nresult = 1", "spark", 1),
    ("result = spark.sparkContext", "spark", 1),
    ("result = spark.udf.register('f', len)", "spark", 1),
    ("s = spark\nresult = s", "spark", 1),
    ("x = spark.sql\nresult = x('SELECT 1')", "spark", 1),
    ("result = [spark][0]", "spark", 1),
    ("spark = 1\nresult = 1", "shadowing", 1),
    ("def f(spark):\n    return 1\nresult = 1", "shadowing", 1),
    (F + "F = 1\nresult = 1", "shadowing", 2),
    ("import math as spark\nresult = 1", "shadowing", 1),
    ("x = 1\nimport math as os\nresult = 1", "shadowing", 2),
    ("from datetime import date as _write\nresult = 1", "shadowing", 1),
    ("LOCATION = '/x'\nresult = 1", "shadowing", 1),
    ("def _write(name, text):\n    return 1\nresult = 1", "shadowing", 1),
    ("for len in [1]:\n    x = 1\nresult = 1", "shadowing", 1),
    ("open = 1\nresult = 1", "shadowing", 1),
    ("result = os", "unknown-name", 1),
    # statements
    ("while True:\n    pass\nresult = 1", "statement", 1),
    ("try:\n    x = 1\nexcept Exception:\n    x = 2\nresult = x", "statement", 1),
    ("with x as y:\n    pass\nresult = 1", "statement", 1),
    ("class A:\n    pass\nresult = 1", "statement", 1),
    ("async def f():\n    pass\nresult = 1", "statement", 1),
    ("raise ValueError\nresult = 1", "statement", 1),
    ("def f():\n    global x\nresult = 1", "statement", 2),
    ("x = 1\ndel x\nresult = 1", "statement", 2),
    ("@print\ndef f():\n    return 1\nresult = 1", "statement", 2),
    ("result = (x := 1)", "statement", 1),
    ("try:\n    x = 1\nexcept* ValueError:\n    x = 2\nresult = x", "statement", 1),
    ("assert spark\nresult = 1", "statement", 1),
    ("async def f():\n    async with x:\n        pass\nresult = 1", "statement", 2),
    ("async def f():\n    async for x in y:\n        pass\nresult = 1", "statement", 2),
    ("async def f():\n    await x\nresult = 1", "statement", 2),
    ("def f():\n    yield 1\nresult = 1", "statement", 2),
    ("def f():\n    yield from [1]\nresult = 1", "statement", 2),
    ("def f():\n    x = 1\n    def g():\n        nonlocal x\nresult = 1", "statement", 4),
    ("match 1:\n    case 1:\n        pass\nresult = 1", "statement", 1),
    # result
    ("", "result-missing", 1),
    ("x = 1", "result-missing", 1),
    ("result = 1\nresult = 2", "result-once", 2),
    ("if 1:\n    result = 1", "result-top-level", 2),
    ("def f():\n    result = 1", "result-top-level", 2),
    ("for result in [1]:\n    pass", "result-top-level", 1),
    ("(result, x) = 1, 2", "result-top-level", 1),
    ("result = 1\nresult += 1", "result-once", 2),
    # SQL
    ("result = spark.sql(f'SELECT {1}')", "sql-not-literal", 1),
    ("result = spark.sql('SELECT * FROM ' + 'orders')", "sql-not-literal", 1),
    ("result = spark.sql('SELECT %s' % 1)", "sql-not-literal", 1),
    ("result = spark.sql('SELECT * FROM {x}', x=1)", "sql-not-literal", 1),
    ("result = spark.sql('SELECT * FROM secret')", "sql-relation", 1),
    ("result = spark.sql('''SELECT *\nFROM orders\nJOIN secret''')", "sql-relation", 3),
    ("q = '''SELECT *\nFROM secret'''\nresult = spark.sql(q)", "sql-relation", 2),
    ("result = spark.sql('SELECT * FROM a.orders')", "sql-relation", 1),
    ("result = spark.sql('SELECT * FROM shop.public.orders')", "sql-relation", 1),
    ("result = spark.sql('SELECT * FROM parquet.`/etc`')", "sql-relation", 1),
    ("result = spark.sql('SELECT * FROM orders WHERE a IN (SELECT b FROM x)')", "sql-relation", 1),
    ("result = spark.sql('WITH a AS (SELECT * FROM b), b AS (SELECT 1) SELECT 1')", "sql-relation", 1),
    ("result = spark.sql('(WITH a AS (SELECT 1) SELECT 1) UNION SELECT * FROM a')", "sql-relation", 1),
    ("result = spark.sql('SELECT * FROM read_files(\"/x\")')", "sql-table-function", 1),
    ("result = spark.sql('SELECT * FROM identifier(\"secret\")')", "sql-table-function", 1),
    ("result = spark.sql('SELECT 1; SELECT 2')", "sql-one-statement", 1),
    ("result = spark.sql('')", "sql-one-statement", 1),
    ("result = spark.sql('DROP TABLE orders')", "sql-not-select", 1),
    ("result = spark.sql('SET a = 1')", "sql-not-select", 1),
    ("result = spark.sql('ADD JAR \"/x\"')", "sql-not-select", 1),
    ("result = spark.sql('INSERT INTO orders SELECT 1')", "sql-not-select", 1),
    ("result = spark.sql('CREATE TABLE x AS SELECT 1')", "sql-not-select", 1),
    ("result = spark.sql('EXPLAIN SELECT 1')", "sql-not-select", 1),
    ("result = spark.sql('SHOW TABLES')", "sql-not-select", 1),
    ("result = spark.sql('DESCRIBE orders')", "sql-not-select", 1),
    ("result = spark.sql('CACHE TABLE orders')", "sql-not-select", 1),
    ("result = spark.sql('USE x')", "sql-not-select", 1),
    ("result = spark.sql('SELECT TRANSFORM(a) USING \"cat\" FROM orders')", "sql-not-select", 1),
    ("result = spark.sql(\"SELECT TRANSFORM(a) USING N'cat' FROM orders\")", "sql-not-select", 1),
    ("result = spark.sql('SELECT * FROM orders JOIN customers USING \"cat\"')", "sql-not-select", 1),
    ("result = spark.sql('SELECT a INTO orders FROM orders')", "sql-not-select", 1),
    ("result = spark.sql('SELECT * FROM orders FOR UPDATE')", "sql-not-select", 1),
    ("result = spark.sql('WITH a AS (DELETE FROM orders) SELECT 1')", "sql-not-select", 1),
    ("result = spark.sql('WITH a AS (CREATE TABLE orders AS SELECT 1) SELECT 1')", "sql-not-select", 1),
    ("result = spark.sql('WITH a AS (DROP TABLE orders) SELECT 1')", "sql-not-select", 1),
    ("result = spark.sql('WITH a AS (USE orders) SELECT 1')", "sql-not-select", 1),
    ("result = spark.sql('WITH a AS (CACHE TABLE orders) SELECT 1')", "sql-not-select", 1),
    ("result = spark.sql('WITH a AS (UNCACHE TABLE orders) SELECT 1')", "sql-not-select", 1),
    ("result = spark.sql('WITH a AS (DESCRIBE orders) SELECT 1')", "sql-not-select", 1),
    ("result = spark.sql('WITH a AS (LOAD DATA INPATH \"/x\" INTO TABLE orders) SELECT 1')", "sql-not-select", 1),
    ("result = spark.sql('WITH a AS (PRAGMA x) SELECT 1')", "sql-not-select", 1),
    ("result = spark.sql('WITH a AS (ADD JAR \"/x\") SELECT 1')", "sql-not-select", 1),
    ("result = spark.sql('SELECT MAP(a) USING \"cat\" FROM orders')", "sql-parse", 1),
    ("result = spark.sql('SELECT reflect(\"a\", \"b\")')", "sql-function", 1),
    ("result = spark.sql('SELECT\\n`java_method`(\"a\", \"b\")')", "sql-function", 1),
    ("result = spark.sql('SELECT builtin.reflect(\"a\")')", "sql-function", 1),
    ("result = spark.sql('SELECT reflect(1) FROM orders AS reflect(a)')", "sql-function", 1),
    ("result = spark.sql('SELECT from_protobuf(a, \"m\", \"/etc/x\") FROM orders')", "sql-function", 1),
    ("result = spark.sql('SELECT http_get(a) FROM orders')", "sql-function", 1),
    ("result = spark.sql('SELECT :x')", "sql-parameter", 1),
    ("result = spark.sql('''SELECT a\nFROM orders WHERE (''')", "sql-parse", 2),
    ("result = spark.sql('SELECT 1 -- x\\rUNION SELECT 2')", "sql-character", 1),
    ("result = spark.sql('SELECT 1 -- x\\\\\\nUNION SELECT 2')", "sql-character", 1),
    (O + "result = orders.filter('reflect(1, 2) = 1')", "sql-function", 2),
    (O + "result = orders.filter('a in (select b from secret)')", "sql-relation", 2),
    (O + "c = 'a' + '> 1'\nresult = orders.filter(c)", "sql-not-literal", 3),
    (O + "result = orders.filter(' '.join(['a', '> 1']))", "sql-not-literal", 2),
    (O + "result = orders.filter({'a': 'reflect(1)'}['a'])", "sql-not-literal", 2),
    (O + "f = orders.filter\nresult = f('a > 1')", "attribute", 2),
    (O + "result = orders.selectExpr(f'{1}')", "sql-not-literal", 2),
    (O + "result = orders.selectExpr('a', 'reflect(1)')", "sql-function", 2),
    (O + "result = orders.selectExpr(*['a'])", "sql-not-literal", 2),
    (F + O + "result = orders.select(F.expr('java_method(1)'))", "sql-function", 3),
    (F + O + "result = orders.select(*map(F.expr, ['a']))", "attribute", 3),
    ("from pyspark.sql.functions import expr\nresult = [expr]", "attribute", 2),
    ("from pyspark.sql.functions import expr as e\nresult = e('reflect(1)')", "sql-function", 2),
    ("from pyspark.sql.functions import *\ndef f(expr):\n    return expr\nresult = expr('reflect(1)')",
     "sql-function", 4),
    # not Python
    ("x = (\n", "syntax", 1),
    ("x = 1\nresult = = 2", "syntax", 2),
    ("result = '\x00'", "syntax", 1),
    ("result = '\ud800'", "syntax", 1),
]  # fmt: skip


@pytest.mark.parametrize("code", ALLOWED)
def test_allowed(code: str) -> None:
    assert check(code, VIEWS) == []


@pytest.mark.parametrize(("code", "rule", "line"), FORBIDDEN)
def test_forbidden(code: str, rule: str, line: int) -> None:
    found = check(code, VIEWS)
    assert (rule, line) in [(v.rule, v.line) for v in found], found
    assert all(v.message and v.column >= 1 for v in found)


def test_no_views() -> None:
    assert [v.rule for v in check("result = spark.table('orders')", [])] == ["read"]


def test_column_of_a_chained_call() -> None:
    code = "x = spark.table('orders')\nresult = (x\n    .limit(3)\n    .toPandas())"
    assert [(v.rule, v.line, v.column) for v in check(code, VIEWS)] == [("action", 4, 6)]


def test_names_are_current(server: Server) -> None:
    """The lists are those of the installed Spark; else run tools/generate_names.py."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "generate_names.py"), server.remote()],
        env=dict(os.environ, SPARK_CONNECT_AUTHENTICATE_TOKEN=server.token),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stdout == (ROOT / "sparkwright_client" / "names.py").read_text(encoding="utf-8")


def test_limits() -> None:
    assert check("#" * (MAX_CODE_BYTES + 1), VIEWS)[0].rule == "too-large"
    assert check("result = " + "(" * 150 + "1" + ")" * 150, VIEWS) == []
    assert check("result = " + "-" * 150 + "1", VIEWS)[0].rule == "too-deep"
    assert check("result = " + "-" * 50_000 + "1", VIEWS)[0].rule in ("too-deep", "syntax")
    assert check("result = " + "(" * 50_000, VIEWS)[0].rule in ("too-deep", "syntax")
    deep = "(" * 20_000 + "1" + ")" * 20_000
    assert check(f"result = spark.sql('SELECT {deep}')", VIEWS)[0].rule == "sql-parse"
    wide = "result = spark.sql('SELECT " + "a, " * 20_000 + "b FROM orders')"
    assert check(wide, VIEWS)[0].rule == "sql-too-large"
    assert len(check("import os\n" * 1000, VIEWS)) == 50


def test_never_crashes() -> None:
    chance = random.Random(20)  # noqa: S311
    sources = ALLOWED + [code for code, _, _ in FORBIDDEN]
    pieces = ["'", '"', "`", "(", ")", "\\", "\n", "{", "}", "/*", "--", "\ud800", "é", "\x00", "#"]
    for _ in range(3000):
        text = list(chance.choice(sources))
        for _ in range(chance.randint(1, 6)):
            at = chance.randrange(len(text) + 1)
            kind = chance.random()
            if kind < 0.4:
                text[at:at] = chance.choice(pieces)
            elif kind < 0.7:
                del text[at : at + chance.randint(1, 8)]
            else:
                text[at:at] = chance.choice(sources)[: chance.randint(1, 40)]
        for violation in check("".join(text), VIEWS):
            assert violation.line >= 1
            assert violation.rule


def test_sql_never_crashes() -> None:
    chance = random.Random(21)  # noqa: S311
    sources = [
        "SELECT a, sum(b) FROM orders o JOIN customers c ON o.id = c.id GROUP BY ALL",
        "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT * FROM r",
        "SELECT * FROM orders LATERAL VIEW explode(split(a, ',')) t AS x /* c */ -- d",
        "SELECT CASE WHEN a > 1 THEN 'x' ELSE \"y\" END, a::int, m['k'], x -> x + 1 FROM orders",
    ]
    words = ["SELECT", "FROM", "(", ")", "'", '"', "`", ",", "--", "/*", "*/", ";", "\\", "{", ":x"]
    words += ["orders", "AS", "WITH", "UNION", "VALUES", "TABLE", "é", "\ud800", "\x00", "1e", "."]
    allowed = 0
    for _ in range(1500):
        text = chance.choice(sources).split(" ")
        for _ in range(chance.randint(0, 4)):
            at = chance.randrange(len(text) + 1)
            text[at : at + chance.randint(0, 2)] = [chance.choice(words)]
        found = check_query(" ".join(text), frozenset(("orders", "customers")))
        allowed += not found
        assert all(line >= 1 for _, line, _ in found)
    assert 0 < allowed < 1500
