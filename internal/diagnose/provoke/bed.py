"""What failures are provoked on: a real PostgreSQL, a Spark session, and logs that are kept short."""

from __future__ import annotations

import os
import pathlib
import re
import socket
import subprocess
import tempfile
import time
import traceback
from collections.abc import Callable
from typing import Any

LIMIT = 1800  # bytes of one log


def trim(text: str) -> str:
    """Keeps messages, causes and two frames of each; every log stays small."""
    out: list[str] = []
    frames = 0
    python = False  # inside the frames of a Python traceback
    for line in text.splitlines():
        if re.match(r"\s+File \"(?!analysis.py)", line):
            python = True
            continue
        if python and line.startswith("    "):
            continue
        python = False
        if re.match(r"\s+at |\s+\.\.\. \d+ more", line):
            frames += 1
            if frames > 2:
                continue
        elif line.strip():
            frames = 0
        out.append(line[:400])
    whole = "\n".join(out) + "\n"
    if len(whole) <= LIMIT:
        return whole
    # The ends tell most: what failed, and the innermost cause.
    return whole[: LIMIT // 3] + "\n...\n" + whole[-(LIMIT * 2 // 3) :]


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


class Postgres:
    """A private server that refuses to be root, like PostgreSQL itself."""

    def __init__(self, home: str) -> None:
        self.bin = pathlib.Path(home) / "bin"
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="provoke-"))
        self.data = self.dir / "data"
        self.port = free_port()
        password = self.dir / "password"
        password.write_text("secret\n")
        self.run("initdb", "-D", str(self.data), "-U", "postgres", "-A", "scram-sha-256", f"--pwfile={password}", "-E", "UTF8")
        subprocess.run(
            [
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-days",
                "30",
                "-subj",
                "/CN=elsewhere.example.com",
                "-keyout",
                str(self.data / "server.key"),
                "-out",
                str(self.data / "server.crt"),
            ],
            check=True,
            capture_output=True,
        )
        os.chmod(self.data / "server.key", 0o600)
        self.process: subprocess.Popen[bytes] | None = None

    def command(self, program: str, *args: str) -> list[str]:
        prefix = ["unshare", "-U", "--map-user=1000", "--map-group=1000"] if os.geteuid() == 0 else []
        return [*prefix, str(self.bin / program), *args]

    def run(self, program: str, *args: str) -> None:
        subprocess.run(self.command(program, *args), check=True, capture_output=True)

    def start(self, *settings: str) -> None:
        args = ["-D", str(self.data), "-p", str(self.port), "-k", "", "-c", "listen_addresses=127.0.0.1"]
        for s in settings:
            args += ["-c", s]
        with open(self.dir / "log", "ab") as log:
            self.process = subprocess.Popen(self.command("postgres", *args), stdout=log, stderr=log)
        for _ in range(600):
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", self.port)) == 0:
                    time.sleep(0.5)
                    return
            time.sleep(0.1)
        raise RuntimeError("PostgreSQL did not start")

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(60)

    def hba(self, *lines: str) -> None:
        (self.data / "pg_hba.conf").write_text("\n".join(lines) + "\n")


class Session:
    """Runs one failure after the other and writes what they print."""

    def __init__(self, out: pathlib.Path, label: str, postgres: Postgres, driver: str) -> None:
        self.out, self.label, self.postgres, self.driver = out, label, postgres, driver
        self.spark: Any = None
        self.other = False  # reads in other ways than before
        self.missed: list[str] = []

    def url(self, database: str = "shop", port: int = 0, host: str = "127.0.0.1", **options: str) -> str:
        more = "".join(f"&{k}={v}" for k, v in options.items())
        return f"jdbc:postgresql://{host}:{port or self.postgres.port}/{database}?connectTimeout=3&loginTimeout=5{more}"

    def sql(self, text: str, database: str = "shop") -> None:
        jvm = self.spark._jvm
        props = jvm.java.util.Properties()
        props.setProperty("user", "postgres")
        props.setProperty("password", "secret")
        conn = jvm.org.postgresql.Driver().connect(self.url(database), props)
        try:
            conn.createStatement().execute(text)
        finally:
            conn.close()

    def start(self, with_driver: bool, **conf: str) -> None:
        from pyspark.sql import SparkSession

        b = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").config("spark.sql.shuffle.partitions", "1")
        b = (
            b.config("spark.sql.ansi.enabled", "true")
            .config("spark.sql.pyspark.jvmStacktrace.enabled", "true")
            .config("spark.sql.warehouse.dir", str(self.postgres.dir / "warehouse"))
        )
        if with_driver:
            b = b.config("spark.driver.extraClassPath", self.driver)
        for k, v in conf.items():
            b = b.config(k.replace("__", "."), v)
        self.spark = b.getOrCreate()
        self.spark.sparkContext.setLogLevel("OFF")

    def keep(self, kind: str, variant: str, text: str) -> None:
        if kind.startswith("postgres.") and re.search(r"TABLE_OR_VIEW_NOT_FOUND\] .*`\w+`\.`\w+`\.`\w+`", text):
            # Spark 3.5 takes every failure to describe a table for its absence.
            variant, kind = kind.removeprefix("postgres."), "postgres.hidden"
        path = self.out / kind / f"{self.label}-{variant}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        text = text.replace(str(self.postgres.dir), "/tmp/spark").replace(os.path.expanduser("~"), "/home/spark")
        path.write_text(trim(text))

    def fails(self, kind: str, variant: str, act: Callable[[], Any]) -> None:
        try:
            act()
        except ConnectionError:
            self.missed.append(f"{kind}/{variant} (the JVM is gone)")
        except BaseException:
            self.keep(kind, variant, traceback.format_exc())
        else:
            self.missed.append(f"{kind}/{variant}")

    # Three ways in which jobs read a table.
    def v1(self, url: str, table: str = "orders", **o: str) -> Callable[[], Any]:
        def act() -> None:
            if self.other:
                who = {"user": o.get("user", "postgres"), "password": o.get("password", "secret"), "driver": "org.postgresql.Driver"} | o
                self.spark.read.jdbc(url, table, predicates=["1 = 1", "2 = 2"], properties=who).repartition(2).count()
                self.spark.read.jdbc(url, table, predicates=["1 = 1"], properties=who).toJSON().first()
                self.spark.read.jdbc(url, table, properties=who).foreachPartition(list)
                return
            options = {"url": url, "dbtable": table, "driver": "org.postgresql.Driver", "user": "postgres", "password": "secret"} | o
            options = {k: v for k, v in options.items() if v is not None}
            self.spark.read.format("jdbc").options(**options).load().collect()

        return act

    def query(self, url: str, text: str = "select * from orders", **o: str) -> Callable[[], Any]:
        def act() -> None:
            options = {"url": url, "query": text, "driver": "org.postgresql.Driver", "user": "postgres", "password": "secret"} | o
            if self.other:
                self.spark.read.format("jdbc").options(**options).load().createOrReplaceTempView("given")
                self.spark.sql("create or replace temp view top as select * from given")
                self.spark.sql("select * from top order by 1 desc limit 7").write.mode("overwrite").parquet(str(self.postgres.dir / "out"))
                return
            self.spark.read.format("jdbc").options(**options).load().write.format("noop").mode("overwrite").save()

        return act

    def catalog(self, url: str, table: str = "public.orders", **o: str) -> Callable[[], Any]:
        def act() -> None:
            name = f"c{time.time_ns()}"
            options = {"url": url, "driver": "org.postgresql.Driver", "user": "postgres", "password": "secret"} | o
            self.spark.conf.set(f"spark.sql.catalog.{name}", "org.apache.spark.sql.execution.datasources.v2.jdbc.JDBCTableCatalog")
            for k, v in options.items():
                self.spark.conf.set(f"spark.sql.catalog.{name}.{k}", v)
            if self.other:
                self.spark.table(f"{name}.{table}").where("id > 3").groupBy("id").count().show()
                return
            self.spark.sql(f"select count(*), max(id) from {name}.{table}").collect()

        return act

    def three(self, kind: str, url: str, **o: str) -> None:
        self.fails(kind, "v1", self.v1(url, **o))
        self.fails(kind, "query", self.query(url, **o))
        self.fails(kind, "catalog", self.catalog(url, **o))
