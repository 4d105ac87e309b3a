"""Write sparkwright_client/names.py from the installed pyspark and a running Spark.

Usage: python tools/generate_names.py sc://localhost:PORT > sparkwright_client/names.py
"""

import datetime
import decimal
import inspect
import sys
import types as pytypes
from collections.abc import Iterable
from typing import Any

import pyspark.sql
import pyspark.sql.connect.dataframe
from pyspark.sql import Row, functions, types
from pyspark.sql.column import Column
from pyspark.sql.connect.session import SparkSession
from pyspark.sql.dataframe import DataFrame, DataFrameNaFunctions, DataFrameStatFunctions
from pyspark.sql.group import GroupedData
from pyspark.sql.readwriter import DataFrameReader, DataFrameWriter, DataFrameWriterV2
from pyspark.sql.window import Window, WindowSpec

DENIED_DATAFRAME = """
approxQuantile corr cov crosstab freqItems stat transpose sameSemantics asTable
dropDuplicatesWithinWatermark
cache checkpoint collect count createGlobalTempView createOrReplaceGlobalTempView display drop_all
executionInfo explain exists_all first foreach foreachPartition groupingSetsAll head inputFiles isEmpty
isLocal isStreaming localCheckpoint mapInArrow mapInPandas mergeInto metadataColumn observe
pandas_api persist plot printSchema rdd registerTempTable repartitionById semanticHash show
sparkSession sql_ctx storageLevel tail take toArrow toJSON toLocalIterator toPandas to_koalas
to_pandas_on_spark unpersist withMetadata withWatermark write writeStream writeTo
applyInPandas applyInPandasWithState applyInArrow apply cogroup transformWithState
transformWithStateInPandas
""".split()

ACTIONS = """
approxQuantile corr cov
cache checkpoint collect count explain first foreach foreachPartition head isEmpty
localCheckpoint observe persist plot printSchema show tail take toArrow toLocalIterator toPandas
unpersist write writeStream writeTo mergeInto rdd createGlobalTempView
createOrReplaceGlobalTempView inputFiles mapInPandas mapInArrow
""".split()

DENIED_FUNCTIONS = """
arrow_udf arrow_udtf call_function call_udf current_catalog current_database current_schema
current_user from_avro from_protobuf java_method pandas_udf raise_error reflect session_user
to_avro to_protobuf try_reflect udf udtf unwrap_udt user version input_file_block_length
input_file_block_start input_file_name assert_true
""".split()

DENIED_SQL = """
ai_query cloud_files_state collations event_log get_warmup_traces http_request java_method
read_files read_kafka read_pulsar read_statestore read_state_metadata reflect sql_keywords
try_reflect python_worker_logs load_file st_asfile schema_of_avro
""".split()

REACHABLE = (
    SparkSession, pyspark.sql.SparkSession, DataFrame, pyspark.sql.connect.dataframe.DataFrame,
    GroupedData, Column, DataFrameNaFunctions, DataFrameStatFunctions, DataFrameReader,
    DataFrameWriter, DataFrameWriterV2, Window, WindowSpec, Row, types.StructType, types.StructField,
    types.DataType, str, bytes, int, float, complex, list, dict, set, frozenset, tuple, range, type,
    datetime.date, datetime.datetime, datetime.timedelta, datetime.timezone, decimal.Decimal,
    pytypes.FunctionType, pytypes.GeneratorType, pytypes.CoroutineType, pytypes.AsyncGeneratorType,
    pytypes.FrameType, pytypes.CodeType, pytypes.TracebackType, pytypes.ModuleType,
    pytypes.BuiltinFunctionType, BaseException,
)  # fmt: skip

PYTHON_METHODS = """
append items keys values get join lower upper strip split replace startswith endswith title
capitalize insert extend index copy sort reverse pop update add zfill
""".split()


def main() -> None:
    """Print the module."""
    spark = SparkSession.builder.remote(sys.argv[1]).create()
    builtin = {str(row[0]) for row in spark.sql("SHOW ALL FUNCTIONS").collect()}
    spark.stop()
    words = {name for name in builtin if name.replace("_", "").isalnum()}
    methods = public(DataFrame, GroupedData, Column, DataFrameNaFunctions, DataFrameStatFunctions)
    methods |= public(Window, WindowSpec, datetime.date, datetime.datetime, datetime.timedelta)
    methods |= public(decimal.Decimal) | set(PYTHON_METHODS)
    methods -= set(DENIED_DATAFRAME)
    module = {n for n, v in vars(functions).items() if is_function(n, v)}
    denied = set(DENIED_FUNCTIONS) | set(DENIED_SQL)
    print('"""Names known to the policy. Written by tools/generate_names.py; do not edit."""')
    emit("METHODS", methods)
    emit("FUNCTIONS", module - denied)
    emit("WINDOW", public(Window))
    emit("SQL_FUNCTIONS", words - denied)
    emit("SQL_DENIED", words & denied)
    emit("ACTIONS", ACTIONS)
    emit("TYPES", {n for n, v in vars(types).items() if inspect.isclass(v) and n[0].isupper()})
    emit("HIDDEN", public(*REACHABLE) - methods)


def public(*classes: type) -> set[str]:
    """Return the public attribute names of the classes."""
    return {name for cls in classes for name in dir(cls) if not name.startswith("_")}


def is_function(name: str, value: Any) -> bool:
    """Report whether a module member is a function of Spark, not an import."""
    module = getattr(value, "__module__", "")
    return (
        not name.startswith("_")
        and inspect.isfunction(value)
        and module.startswith("pyspark.sql.functions")
    )


def emit(name: str, values: Iterable[str]) -> None:
    """Print one frozenset, one name a line."""
    print(f"\n{name} = frozenset(\n    (")
    for value in sorted(set(values)):
        print(f'        "{value}",')
    print("    )\n)")


main()
