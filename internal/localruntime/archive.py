"""Has Spark load the classes that questions need, for Java's archive of them."""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile

from pyspark.sql import SparkSession

VIEW = "SELECT id, CAST(id % 7 AS DECIMAL(12, 2)) AS n, 'x' AS s, current_date() AS d FROM range(100)"
SQL = """
SELECT date_trunc('month', a.d) AS m, a.s, count(*) AS c, sum(a.n) AS n, avg(b.n) AS v
FROM t a JOIN t b ON a.id = b.id WHERE a.n > 1 GROUP BY ALL ORDER BY c DESC LIMIT 5
"""
CLIENT = """
import runpy, sys
from pyspark.sql import SparkSession
runpy.run_path(sys.argv[1], run_name="question")["ask"](SparkSession.builder.remote(sys.argv[2]).getOrCreate())
"""
TOKEN = "SPARK_CONNECT_AUTHENTICATE_TOKEN"


def ask(spark):
    """A question as they are: views, a join with groups, its result as Parquet, and a look at it."""
    scratch = tempfile.mkdtemp()
    try:
        spark.sql(VIEW).createOrReplaceTempView("t")
        result = spark.sql(SQL)
        result.write.parquet("file://" + scratch + "/data")
        spark.read.schema(result.schema).parquet("file://" + scratch + "/data").limit(3).collect()
    finally:
        shutil.rmtree(scratch)


def ask_server():
    """The question to a Connect server in this Spark, which only its own client can use."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    token = secrets.token_hex(32)
    spark = (
        SparkSession.builder.config("spark.plugins", "org.apache.spark.sql.connect.SparkConnectPlugin")
        .config("spark.connect.grpc.binding.address", "127.0.0.1")
        .config("spark.connect.grpc.binding.port", port)
        .config("spark.connect.authenticate.token", token)
        .getOrCreate()
    )
    command = [os.environ["PYSPARK_PYTHON"], "-c", CLIENT, __file__, "sc://localhost:" + port]
    subprocess.run(command, check=True, env={"PATH": os.environ["PATH"], TOKEN: token}, timeout=300)
    return spark


if __name__ == "__main__":
    if sys.argv[1] == "connect":
        session = ask_server()
    else:
        session = SparkSession.builder.getOrCreate()
        ask(session)
    session.stop()
