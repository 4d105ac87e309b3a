"""Provokes failures on real Spark and real PostgreSQL and keeps their trimmed logs.

    python provoke.py --postgres DIR --driver JAR --label spark43 --out ../testdata/logs

DIR is an unpacked PostgreSQL (bin/initdb, bin/postgres); the interpreter is one
that has pyspark. One log per class and variant: out/CLASS/LABEL-VARIANT.log. A
failure that does not happen is reported and leaves no log.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

from bed import Postgres, Session, free_port


def prepare(s: Session) -> None:
    s.sql("create database shop", "postgres")
    s.sql("""
        create table orders (id bigint primary key, status text, amount numeric(12,2), at timestamptz);
        insert into orders select i, 'open', i / 3.0, now() from generate_series(1, 2000) i;
        create table secrets (id bigint primary key, x text);
        create schema hidden; create table hidden.orders (id bigint primary key);
        create table wide (id bigint primary key, x numeric(60, 10)); insert into wide values (1, repeat('9', 45)::numeric);
        create table bare (id bigint primary key, x numeric); insert into bare values (1, 'NaN');
        create table nan (id bigint primary key, x numeric(12,2)); insert into nan values (1, 'NaN');
        create table matrix (id bigint primary key, x int[]); insert into matrix values (1, '{{1,2},{3,4}}');
        create table long (id bigint primary key, x text); insert into long select i, repeat('x', 5000) from generate_series(1, 600) i;
        create view slow as select id, pg_sleep(0.05)::text as x from orders;
        create role reader login password 'reader';
        grant select on orders, slow to reader;
        create role one login password 'one' connection limit 1; grant select on orders to one;
        create role quick login password 'quick'; grant select on slow to quick;
        alter role quick set statement_timeout = '300ms';
        create table locked (id bigint primary key);
        create role impatient login password 'impatient'; grant select on locked to impatient; alter role impatient set lock_timeout = '200ms';
    """)


def connections(s: Session) -> None:
    url = s.url
    s.three("postgres.refused", url(port=free_port()))
    s.three("postgres.host_unknown", url(host="no-such-db.invalid"))
    s.three("postgres.password", url(), password="wrong")
    s.three("postgres.database_missing", url(database="shopp"))
    s.three("postgres.no_tls", url(sslmode="require"))
    for kind, run in (("v1", s.v1), ("query", s.query), ("catalog", s.catalog)):
        s.fails("postgres.no_password", kind, run(url(), password=""))
    # A server that never lets anybody in: the backlog is full.
    full = socket.socket()
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    held = []
    for _ in range(4):
        c = socket.socket()
        c.setblocking(False)
        c.connect_ex(full.getsockname())
        held.append(c)
    s.three("postgres.timeout", url(port=full.getsockname()[1]))
    for c in held:
        c.close()
    full.close()


def privileges(s: Session) -> None:
    reader = {"user": "reader", "password": "reader"}
    s.fails("postgres.permission", "v1", s.v1(s.url(), "secrets", **reader))
    s.fails("postgres.permission", "query", s.query(s.url(), "select x from secrets", **reader))
    s.fails("postgres.permission", "catalog", s.catalog(s.url(), "public.secrets", **reader))
    s.fails("postgres.permission", "schema", s.v1(s.url(), "hidden.orders", **reader))
    s.fails("postgres.relation_missing", "v1", s.v1(s.url(), "orderz"))
    s.fails("postgres.relation_missing", "query", s.query(s.url(), "select * from public.orderz"))
    s.fails("postgres.relation_missing", "join", s.v1(s.url(), "(select o.id from orders o join nowhere n on true) q"))
    s.fails("postgres.column_missing", "query", s.query(s.url(), 'select "Custid" from orders'))
    s.fails("postgres.column_missing", "v1", s.v1(s.url(), "(select custid from orders) q"))
    s.fails("postgres.column_missing", "where", s.query(s.url(), "select id from orders where stat = 'x'"))
    s.fails("postgres.syntax", "semicolon", s.query(s.url(), "select id from orders;"))
    s.fails("postgres.syntax", "word", s.query(s.url(), "selec id from orders"))
    s.fails("postgres.syntax", "paren", s.v1(s.url(), "(select id from from orders) q"))
    write = "BEGIN READ ONLY; INSERT INTO orders VALUES (0)"
    s.fails("postgres.read_only", "v1", s.v1(s.url(), sessionInitStatement=write))
    s.fails("postgres.read_only", "query", s.query(s.url(), sessionInitStatement="BEGIN READ ONLY; UPDATE orders SET status = ''"))
    s.fails("postgres.read_only", "create", s.v1(s.url(), sessionInitStatement="BEGIN READ ONLY; CREATE TABLE t (a int)"))
    for kind, run in (("v1", s.v1), ("query", s.query), ("catalog", s.catalog)):
        s.fails(
            "postgres.snapshot",
            kind,
            run(s.url(), sessionInitStatement="BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT '00000099-00000001-1'"),
        )
    quick = {"user": "quick", "password": "quick"}
    s.fails("postgres.statement_timeout", "v1", s.v1(s.url(), "slow", **quick))
    s.fails("postgres.statement_timeout", "query", s.query(s.url(), "select id, x from slow", **quick))
    s.fails("postgres.statement_timeout", "catalog", s.catalog(s.url(), "public.slow", **quick))
    s.fails("postgres.division", "query", s.query(s.url(), "select id / (id - id) as x from orders"))
    s.fails("postgres.division", "v1", s.v1(s.url(), "(select 1 / (id - id) as x from orders) q"))
    s.fails("postgres.division", "mod", s.query(s.url(), "select id % (id - id) as x from orders"))


def held_connections(s: Session) -> None:
    jvm = s.spark._jvm

    def connect(user: str, password: str) -> Any:
        props = jvm.java.util.Properties()
        props.setProperty("user", user)
        props.setProperty("password", password)
        return jvm.org.postgresql.Driver().connect(s.url(), props)

    conn = connect("one", "one")
    s.three("postgres.connections", s.url(), user="one", password="one")
    conn.close()
    held = []
    try:
        while True:
            held.append(connect("reader", "reader"))
    except BaseException:
        pass
    s.fails("postgres.connections", "slots", s.v1(s.url(), user="reader", password="reader"))
    for c in held:
        c.close()
    conn = connect("postgres", "secret")
    conn.setAutoCommit(False)
    conn.createStatement().execute("lock table locked in access exclusive mode")
    weak = {"user": "impatient", "password": "impatient"}
    s.fails("postgres.lock", "v1", s.v1(s.url(), "locked", **weak))
    s.fails("postgres.lock", "query", s.query(s.url(), "select * from locked", **weak))
    s.fails("postgres.lock", "catalog", s.catalog(s.url(), "public.locked", **weak))
    conn.rollback()
    conn.close()


def killed(s: Session) -> None:
    import threading

    def later(act: Callable[[], Any]) -> threading.Thread:
        def wait() -> None:
            time.sleep(4)
            act()

        t = threading.Thread(target=wait)
        t.start()
        return t

    for variant, run in (("v1", s.v1(s.url(), "slow")), ("query", s.query(s.url(), "select id, x from slow")), ("catalog", s.catalog(s.url(), "public.slow"))):
        t = later(lambda: s.sql("select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and query like '%slow%'"))
        s.fails("postgres.terminated", variant, run)
        t.join()

    def crash() -> None:
        pids = subprocess.run(["pgrep", "-f", "postgres: postgres shop"], capture_output=True, text=True, check=False).stdout.split()
        for pid in pids:
            env = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
            if b"SELECT" in env or b"BIND" in env:
                os.kill(int(pid), 9)

    for variant, run in (("v1", s.v1(s.url(), "slow")), ("query", s.query(s.url(), "select id, x from slow")), ("catalog", s.catalog(s.url(), "public.slow"))):
        t = later(crash)
        s.fails("postgres.broken", variant, run)
        t.join()
        for _ in range(60):  # until it has recovered
            try:
                s.sql("select 1")
                break
            except Exception:
                time.sleep(1)


def data(s: Session) -> None:
    s.fails("data.numeric_precision", "v1", s.v1(s.url(), "wide"))
    s.fails("data.numeric_precision", "query", s.query(s.url(), "select x from wide"))
    s.fails("data.numeric_precision", "catalog", lambda: (s.catalog(s.url(), "public.wide")(), s.query(s.url(), "select x * 1.0000000001 as x from wide")()))
    s.fails("data.nan", "v1", s.v1(s.url(), "nan"))
    s.fails("data.nan", "query", s.query(s.url(), "select x from nan"))
    s.fails("data.nan", "bare", s.v1(s.url(), "bare"))
    s.fails("data.array", "v1", s.v1(s.url(), "matrix"))
    s.fails("data.array", "query", s.query(s.url(), "select x from matrix"))
    s.fails("data.array", "text", s.v1(s.url(), "(select id, array[array['a','b']] as x from matrix) q"))
    s.fails("code.duplicate_column", "query", s.query(s.url(), "select id, id from orders"))
    s.fails("code.duplicate_column", "v1", s.v1(s.url(), "(select 1, 2) q"))
    s.fails("code.duplicate_column", "write", lambda: s.spark.range(3).selectExpr("id", "id").write.mode("overwrite").parquet(str(s.postgres.dir / "dup")))
    s.fails(
        "code.jdbc_options", "both", lambda: s.spark.read.format("jdbc").option("url", s.url()).option("dbtable", "orders").option("query", "select 1").load()
    )
    s.fails("code.jdbc_options", "partition", s.v1(s.url(), "orders", partitionColumn="status", lowerBound="0", upperBound="9", numPartitions="2"))
    s.fails("code.jdbc_options", "unknown", s.v1(s.url(), "orders", partitionColumn="zz", lowerBound="0", upperBound="9", numPartitions="2"))
    s.fails("code.jdbc_options", "bounds", s.v1(s.url(), "orders", partitionColumn="id"))


def code(s: Session) -> None:
    s.v1(s.url())()
    s.spark.range(20).selectExpr("id", "cast(id as string) as name", "id % 3 as kind").createOrReplaceTempView("t")
    sql = s.spark.sql
    cases: dict[str, dict[str, Callable[[], Any]]] = {
        "code.column_missing": {
            "sql": lambda: sql("select amout from t").collect(),
            "frame": lambda: s.spark.table("t").select("amount"),
            "where": lambda: s.spark.table("t").where("nme = 'x'").count(),
            "using": lambda: s.spark.table("t").join(s.spark.table("t").withColumnRenamed("name", "n"), "name").select("kind"),
        },
        "code.table_missing": {
            "sql": lambda: sql("select * from tt").collect(),
            "table": lambda: s.spark.table("orders_view"),
            "join": lambda: sql("select * from t join u on t.id = u.id").collect(),
        },
        "code.sql_syntax": {
            "sql": lambda: sql("selec id from t"),
            "expr": lambda: s.spark.table("t").selectExpr("sum(id"),
            "where": lambda: s.spark.table("t").where("id >").count(),
        },
        "code.type_mismatch": {
            "sql": lambda: sql("select name + array(1) from t").collect(),
            "where": lambda: sql("select * from t where array(1) > id").collect(),
            "date": lambda: sql("select date_add(array(id), 1) from t").collect(),
        },
        "code.ambiguous": {
            "sql": lambda: sql("select id from t a join t b on a.id = b.id").collect(),
            "where": lambda: sql("select a.id from t a join t b on a.id = b.id where kind = 1").collect(),
            "order": lambda: sql("select a.* from t a join t b on a.id = b.id order by name").collect(),
        },
        "code.aggregation": {
            "sql": lambda: sql("select kind, id, count(*) from t group by kind").collect(),
            "nogroup": lambda: sql("select name, sum(id) from t").collect(),
            "frame": lambda: s.spark.table("t").groupBy("kind").agg(__import__("pyspark").sql.functions.col("id")).collect(),
        },
        "code.function_missing": {
            "sql": lambda: sql("select date_truncate('month', id) from t").collect(),
            "expr": lambda: s.spark.table("t").selectExpr("string_agg2(name, ',')"),
            "case": lambda: sql("select to_charr(id, '9') from t").collect(),
        },
        "code.divide_by_zero": {
            "sql": lambda: sql("select id / (id - id) from t").collect(),
            "mod": lambda: sql("select id % 0 from t").collect(),
            "frame": lambda: s.spark.table("t").selectExpr("div(id, kind - kind)").collect(),
        },
        "code.cast": {
            "sql": lambda: sql("select cast(concat('x', name) as int) from t").collect(),
            "date": lambda: sql("select cast(concat('2026-13-', name) as date) from t").collect(),
            "filter": lambda: s.spark.table("t").where("concat('a', name) > 3").collect(),
        },
        "code.overflow": {
            "sql": lambda: sql("select cast(2147483647 as int) + cast(id + 1 as int) from t").collect(),
            "cast": lambda: sql("select cast(id + 9999999999 as int) from t").collect(),
            "long": lambda: sql("select (id + 1) * 9223372036854775807 from t").collect(),
        },
        "code.subquery_rows": {
            "sql": lambda: sql("select (select id from t) from t").collect(),
            "where": lambda: sql("select * from t where id = (select id from t where kind = 1)").collect(),
            "max": lambda: sql("select id + (select kind from t) from t").collect(),
        },
        "data.path_missing": {
            "parquet": lambda: s.spark.read.parquet("/no/such/path"),
            "csv": lambda: s.spark.read.csv("/no/such/file.csv"),
            "json": lambda: s.spark.read.json("/tmp/none-*.json").collect(),
        },
    }
    for kind, variants in cases.items():
        for variant, act in variants.items():
            s.fails(kind, variant, act)
    bad = s.postgres.dir / "bad.parquet"
    bad.write_bytes(b"PAR1 this is no parquet file at all PAR1" * 4)
    s.fails("data.corrupt_file", "parquet", lambda: s.spark.read.parquet(str(bad)).collect())
    s.fails("data.corrupt_file", "schema", lambda: s.spark.read.schema("a int").parquet(str(bad)).collect())
    short = s.postgres.dir / "short.parquet"
    short.write_bytes(b"PAR")
    s.fails("data.corrupt_file", "short", lambda: s.spark.read.schema("a int").parquet(str(short)).count())
    namespace: dict[str, Any] = {"spark": s.spark}
    for kind, variant, text in [
        ("code.python_name", "name", "result = frame.count()"),
        ("code.python_name", "function", "result = spark.range(3).select(sum_distinct('id'))"),
        ("code.python_name", "later", "def f():\n    return colums\nf()"),
        ("code.python_syntax", "paren", "result = spark.table('t'\nresult"),
        ("code.python_syntax", "indent", "if True:\nresult = 1"),
        ("code.python_syntax", "word", "result = spark table('t')"),
        ("code.python_attribute", "method", "spark.range(3).groupby('id').avgg()"),
        ("code.python_attribute", "frame", "spark.range(3).nothing.here"),
        ("code.python_attribute", "module", "import math\nmath.summ([1])"),
        ("code.python_type", "add", "1 + 'x'"),
        ("code.python_type", "call", "spark.range(3)()"),
        ("code.python_type", "args", "spark.range(3).limit()"),
        ("runtime.module", "module", "import pandaz"),
        ("runtime.module", "from", "from delta_tables import DeltaTable"),
        ("runtime.module", "sub", "import pyspark.sql.nothing"),
    ]:
        s.fails(kind, variant, lambda text=text: exec(compile(text, "analysis.py", "exec"), namespace))


def memory(s: Session) -> None:
    big = s.spark.range(0, 400000).selectExpr("id", "repeat('x', 200) as x")
    s.fails("spark.result_size", "collect", lambda: big.collect())
    s.fails("spark.result_size", "pandas", lambda: big.toLocalIterator and s.spark.range(300000).selectExpr("repeat('y', 100)").collect())
    s.fails("spark.result_size", "sort", lambda: big.orderBy("x").collect())
    jvm = s.spark._jvm
    s.fails("spark.heap", "buffer", lambda: jvm.java.nio.ByteBuffer.allocate(2000000000))
    s.fails("spark.heap", "text", lambda: jvm.java.lang.StringBuilder(1900000000))
    s.fails("spark.heap", "list", lambda: jvm.java.util.ArrayList(400000000))


def tls(s: Session) -> None:
    s.three("postgres.certificate", s.url(sslmode="verify-full", sslfactory="org.postgresql.ssl.DefaultJavaSSLFactory"))
    s.fails("postgres.certificate", "file", s.v1(s.url(sslmode="verify-full", sslrootcert="/no/such/root.crt")))
    root = s.postgres.dir / "root.crt"
    shutil.copy(s.postgres.data / "server.crt", root)
    s.fails("postgres.certificate", "host", s.v1(s.url(sslmode="verify-full", sslrootcert=str(root))))
    s.postgres.hba("hostssl all postgres 127.0.0.1/32 scram-sha-256", "hostssl all all 127.0.0.1/32 trust")
    s.postgres.process.send_signal(1)  # type: ignore[union-attr]
    time.sleep(1)
    s.three("postgres.hba", s.url(sslmode="disable"))
    s.three("postgres.role_missing", s.url(sslmode="require"), user="nobody_here")


def boto(s: Session) -> None:
    """An endpoint that is not there, as boto3 sees it from a VPC without a way out."""
    import boto3
    import botocore.config

    full = socket.socket()
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    held = []
    for _ in range(4):
        c = socket.socket()
        c.setblocking(False)
        c.connect_ex(full.getsockname())
        held.append(c)
    real = socket.getaddrinfo
    short = botocore.config.Config(connect_timeout=1, read_timeout=1, retries={"max_attempts": 0})
    keys = {"region_name": "us-east-1", "aws_access_key_id": "x", "aws_secret_access_key": "y", "config": short}

    def trap(*_: Any, **__: Any) -> Any:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", full.getsockname())]

    socket.getaddrinfo = trap
    try:
        for region in ("ca-central-1", "sa-east-1") if s.other else ("us-east-1", "eu-central-1", "ap-southeast-2"):
            keys["region_name"] = region
            s.fails("vpc.secrets_endpoint", region, lambda: boto3.client("secretsmanager", **keys).get_secret_value(SecretId="spark/postgres/a"))
            s.fails(
                "vpc.logs_endpoint",
                region,
                lambda: boto3.client("logs", **keys).put_log_events(
                    logGroupName="/aws/emr-serverless", logStreamName="a", logEvents=[{"timestamp": 1, "message": "x"}]
                ),
            )
            s.fails("vpc.endpoint", region + "-sts", lambda: boto3.client("sts", **keys).get_caller_identity())
            s.fails("vpc.endpoint", region + "-glue", lambda: boto3.client("glue", **keys).get_databases())
    finally:
        socket.getaddrinfo = real
    keys["region_name"] = "us-east-1"
    for variant, call in (
        ("sts", lambda: boto3.client("sts", region_name="us-east-1").get_caller_identity()),
        ("secret", lambda: boto3.client("secretsmanager", region_name="us-east-1").get_secret_value(SecretId="a")),
        ("s3", lambda: boto3.client("s3", region_name="us-east-1").list_buckets()),
    ):
        os.environ.update({"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"})
        s.fails("aws.no_credentials", variant, call)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--postgres", "--driver", "--label", "--out"):
        parser.add_argument(name, required=True)
    parser.add_argument("--other", action="store_true", help="read in other ways: logs for the held-back part of the corpus")
    a = parser.parse_args()
    p = Postgres(a.postgres)
    s = Session(pathlib.Path(a.out), a.label, p, a.driver)
    s.other = a.other
    try:
        p.start("max_connections=12", "superuser_reserved_connections=3")
        if os.environ.get("PROVOKE_WITHOUT_DRIVER"):
            s.start(False)
            for variant, run in (("v1", s.v1), ("query", s.query), ("catalog", s.catalog)):
                s.fails("driver.missing", variant, run(s.url()))
            for variant, act in (
                ("v1", lambda: s.spark.read.format("jdbc").options(url=s.url(), dbtable="orders").load()),
                ("jdbc", lambda: s.spark.read.jdbc(s.url(), "orders")),
                ("query", lambda: s.spark.read.format("jdbc").options(url=s.url(), query="select 1").load()),
            ):
                s.fails("driver.not_named", variant, act)
        else:
            s.start(True, spark__driver__maxResultSize="1m")
            prepare(s)
            for part in (() if a.other else (code,)) + (connections, privileges, held_connections, data, killed):
                print(part.__name__, flush=True)
                try:
                    part(s)
                except BaseException:
                    traceback.print_exc()
            p.stop()
            p.start("ssl=on")
            tls(s)
            try:
                boto(s)
            except ImportError:
                print("no boto3 here")
            memory(s)
    finally:
        try:
            s.spark.stop()
        except (AttributeError, ConnectionError):
            print("the JVM is gone")
        p.stop()
        shutil.rmtree(p.dir, ignore_errors=True)
    print("did not fail:", ", ".join(s.missed) or "none")


if __name__ == "__main__":
    sys.exit(main())
