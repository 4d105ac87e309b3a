"""Serves the parity tests: makes views, explains and answers queries.

One JSON message a line over the socket that PARITY_SOCKET names. Runs in a
Connect client of Spark 4 and as a program of its own with Spark 3.5.
"""

import contextlib
import functools
import io
import json
import os
import socket
import time

os.environ["TZ"] = "UTC"
time.tzset()

from pyspark.sql import SparkSession, functions  # noqa: E402 - the zone comes first

spark = SparkSession.builder.appName("parity").getOrCreate()
for name, value in {  # many small queries: nothing is worth compiling
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.shuffle.partitions": "1",
}.items():
    spark.conf.set(name, value)


def _result(code):
    scope = {"spark": spark}
    exec(code, scope)
    return scope["result"]


def _run(request):
    os.environ.update(request.get("env") or {})
    exec(request["code"], {"spark": spark, "__name__": "views"})
    return {}


def _expect(request):
    """A view of values that no JDBC has touched: each column's text, and how it is cast."""
    frame = spark.createDataFrame([tuple(r) for r in request["rows"]], request["schema"])
    columns = [functions.expr(c) for c in request["columns"]]
    for i, kind in request["padded"].items():  # Spark compares char(n) as SQL does
        cast, _, name = request["columns"][int(i)].partition(" AS `")
        metadata = {"__CHAR_VARCHAR_TYPE_STRING": kind}
        columns[int(i)] = functions.expr(cast).alias(name[:-1].replace("``", "`"), metadata=metadata)
    frame.select(*columns).createOrReplaceTempView(request["view"])
    return {}


def _plan(request):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        _result(request["code"]).explain(mode="formatted")
    return {"plan": out.getvalue()}


def _text(field):
    column = functions.col("`" + field.name.replace("`", "``") + "`")
    return functions.hex(column) if field.dataType.typeName() == "binary" else column.cast("string")


def _shown(name, frame):
    fields = frame.schema.fields
    texts = [_text(f).alias("c" + str(i)) for i, f in enumerate(fields)]
    return [f.dataType.simpleString() for f in fields], frame.select(functions.lit(name).alias("way"), *texts)


def _one(name, code):
    try:
        types, shown = _shown(name, _result(code))
        return {"types": types, "rows": [list(r)[1:] for r in shown.collect()]}
    except Exception as error:
        return _fault(error)


def _ask(request):
    """The answers of several programs of the same form: in one job where none fails."""
    codes = request["codes"]
    try:
        shown = {name: _shown(name, _result(code)) for name, code in codes.items()}
        answers = {name: {"types": types, "rows": []} for name, (types, _) in shown.items()}
        for row in functools.reduce(lambda a, b: a.union(b), [f for _, f in shown.values()]).collect():
            answers[row[0]]["rows"].append(list(row)[1:])
    except Exception:
        answers = {name: _one(name, code) for name, code in codes.items()}
    return {"answers": answers}


def _fault(error):
    return {"error": (type(error).__name__ + ": " + str(error))[:3000]}


def _answer(request):
    try:
        return {"run": _run, "expect": _expect, "plan": _plan, "ask": _ask}[request["op"]](request)
    except Exception as error:
        return _fault(error)


with socket.socket(socket.AF_UNIX) as s:
    s.connect(os.environ["PARITY_SOCKET"])
    with s.makefile("rw", encoding="utf-8") as lines:
        lines.write(json.dumps({"version": spark.version}) + "\n")
        lines.flush()
        for line in lines:
            lines.write(json.dumps(_answer(json.loads(line))) + "\n")
            lines.flush()
