"""Provokes PostgreSQL's errors in other languages, for the corpus of diagnose.

The embedded PostgreSQL has no message catalogs; Debian's postgresql-15 has. This
starts one of its own below --dir as the user postgres (so it needs root), takes
the messages by LANGUAGE, and logs in through the real JDBC driver in a JVM
without Spark. Run it with the runtime's Python, which has py4j:

    python locales.py --dir /tmp/locales --driver postgresql-42.7.8.jar --py4j py4j.jar --out ../testdata/logs de es fr ja ru

"""

import argparse
import pathlib
import shutil
import socket
import subprocess
import time

from py4j.java_gateway import GatewayParameters, JavaGateway, launch_gateway
from py4j.protocol import Py4JJavaError

BIN = "/usr/lib/postgresql/15/bin/"
PASSWORD = "secret"
# What the names of files begin with, and the names in the messages.
VARIANTS = {"": ("kunde", "orders", "amount"), "later-": ("app_reader", "invoices", "total_sum")}


def as_postgres(command: str) -> None:
    subprocess.run(["su", "postgres", "-s", "/bin/sh", "-c", command + " >/dev/null"], check=True)


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Client:
    """Logs in through the JDBC driver in a JVM of one language."""

    def __init__(self, a: argparse.Namespace, port: int, language: str) -> None:
        at = launch_gateway(jarpath=a.py4j, classpath=a.driver, javaopts=["-Duser.language=" + language], die_on_exit=True)
        self.gateway = JavaGateway(gateway_parameters=GatewayParameters(port=at))
        self.jvm = self.gateway.jvm
        self.url = f"jdbc:postgresql://127.0.0.1:{port}/"

    def connect(self, user: str = "postgres", password: str = PASSWORD, database: str = "postgres", url: str = ""):
        properties = self.jvm.java.util.Properties()
        properties.setProperty("user", user)
        properties.setProperty("password", password)
        return self.jvm.org.postgresql.Driver().connect(url or self.url + database, properties)

    def run(self, sql: str, user: str = "postgres") -> None:
        connection = self.connect(user)
        try:
            connection.createStatement().execute(sql)
        finally:
            connection.close()

    def killed(self) -> None:
        victim = self.connect()
        statement = victim.createStatement()
        rows = statement.executeQuery("select pg_backend_pid()")
        rows.next()
        self.run(f"select pg_terminate_backend({rows.getInt(1)})")
        time.sleep(0.3)
        statement.execute("select 1")

    def cases(self, role: str, table: str, column: str):
        return {
            "postgres.password": lambda: self.connect(role, "no"),
            "postgres.database_missing": lambda: self.connect(database=table + "_db"),
            "postgres.connections": lambda: self.connect(role + "_few"),
            "postgres.permission": lambda: self.run(f"select * from {table}", role),
            "postgres.relation_missing": lambda: self.run(f"select * from {table}_x"),
            "postgres.column_missing": lambda: self.run(f"select {column} from {table}"),
            "postgres.statement_timeout": lambda: self.run("set statement_timeout = 100; select pg_sleep(5)"),
            "postgres.syntax": lambda: self.run(f"select * form {table}"),
            "postgres.read_only": lambda: self.run(f"begin read only; insert into {table} values (1)"),
            "postgres.terminated": self.killed,
            "postgres.division": lambda: self.run("select 1 / 0 from pg_class"),
            "postgres.refused": lambda: self.connect(url="jdbc:postgresql://127.0.0.1:1/x"),
        }

    def trace(self, e: Py4JJavaError) -> str:
        text = self.jvm.java.io.StringWriter()
        e.java_exception.printStackTrace(self.jvm.java.io.PrintWriter(text))
        lines = [x for x in text.toString().split("\n") if "py4j." not in x and "java.base" not in x]
        return "py4j.protocol.Py4JJavaError: An error occurred while calling o91.load.\n: " + "\n".join(lines[:8]) + "\n"


def provoke(client: Client, language: str, out: pathlib.Path) -> None:
    for prefix, (role, table, column) in VARIANTS.items():
        client.run(
            f"DROP TABLE IF EXISTS {table}; DROP ROLE IF EXISTS {role}; DROP ROLE IF EXISTS {role}_few; CREATE TABLE {table} (id int);"
            f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'; CREATE ROLE {role}_few LOGIN PASSWORD '{PASSWORD}' CONNECTION LIMIT 0"
        )
        for name, case in client.cases(role, table, column).items():
            try:
                case()
            except Py4JJavaError as e:
                (out / name / f"{prefix}locale-{language}.log").write_text(client.trace(e))
            else:
                raise SystemExit(f"{name} in {language}: nothing failed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dir", required=True)
    parser.add_argument("--driver", required=True)
    parser.add_argument("--py4j", required=True)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("languages", nargs="+")
    a = parser.parse_args()
    data, port = pathlib.Path(a.dir), free_port()
    data.mkdir(parents=True)
    shutil.chown(data, "postgres")
    as_postgres(f"echo {PASSWORD} > {data}/.pw && {BIN}initdb -D {data}/db -A scram-sha-256 --locale=C.UTF-8 -E UTF8 --pwfile={data}/.pw")
    for language in a.languages:
        options = f"-p {port} -k {data} -c lc_messages=C.UTF-8 -c listen_addresses=127.0.0.1"
        as_postgres(f"LANGUAGE={language} LC_ALL=C.UTF-8 {BIN}pg_ctl -D {data}/db -o '{options}' -w -l {data}/log start")
        try:
            client = Client(a, port, language)
            provoke(client, language, a.out)
            client.gateway.shutdown()
        finally:
            as_postgres(f"{BIN}pg_ctl -D {data}/db -m immediate stop")


if __name__ == "__main__":
    main()
