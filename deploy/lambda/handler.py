"""Spark on Lambda: carries one script of Sparkwright out.

Event:

    {"spark_code": SCRIPT, "s3_output_path": "s3://BUCKET/KEY",
     "run_id": …, "attempt_id": …, "timeout_seconds": …}       (the last three may be absent)

The attempt is claimed first, by writing claim.json to the output path on
condition that it is not there: Lambda may deliver an event twice. Then the
script runs by spark-submit; it leaves its result there, and last of all
manifest.json, or fault.json.

Answer: {"status": "success" | "error" | "claimed", "message": …, "log": …}.
"success" says that the script ended with exit code 0, no more: only a manifest
that matches the objects is a result. "message" of an error begins with
"resources:" when memory, disk or time was not enough.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

# What is kept of the job's output: an answer has 6 MB at most.
MAX_LOG = 64 * 1024
# How long before the function's own end the job is stopped, in seconds.
RESERVE = 10
# What the logs of a job say whose function is too small for it.
TOO_SMALL = ("OutOfMemoryError", "No space left on device", "Errno 28", "exit code 137", "Cannot allocate memory")

# Below it /tmp is full, in bytes.
MIN_DISK = 512 * 1024

_aws = Config(connect_timeout=10, read_timeout=30, retries={"max_attempts": 4, "mode": "standard"})


def handler(event, context):
    """The function's entry point; see the module."""
    script, output = event.get("spark_code"), event.get("s3_output_path")
    if not isinstance(script, str) or not script.strip():
        return {"status": "error", "message": "the event has no spark_code", "log": ""}
    if not isinstance(output, str) or not output.startswith("s3://") or not output[5:].strip("/").count("/"):
        return {"status": "error", "message": "s3_output_path must be s3://BUCKET/KEY", "log": ""}
    bucket, key = output[5:].strip("/").split("/", 1)
    if not _claim(bucket, key, event, context):
        return {"status": "claimed", "message": "another invocation carries this attempt out", "log": ""}
    seconds = context.get_remaining_time_in_millis() / 1000 - RESERVE
    if event.get("timeout_seconds"):
        seconds = min(seconds, float(event["timeout_seconds"]))
    scratch = tempfile.mkdtemp(prefix="job-")
    try:
        return _run(script, scratch, max(seconds, 1))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _claim(bucket, key, event, context):
    """Writes claim.json unless it is there; False when it is."""
    body = json.dumps(
        {"run_id": event.get("run_id"), "attempt_id": event.get("attempt_id"), "request": context.aws_request_id}
    )
    try:
        boto3.client("s3", config=_aws).put_object(
            Bucket=bucket, Key=key + "/claim.json", Body=body.encode(), IfNoneMatch="*"
        )
    except ClientError as refused:
        if refused.response["Error"]["Code"] in ("PreconditionFailed", "ConditionalRequestConflict"):
            return False
        raise
    return True


def _run(script, scratch, seconds):
    """Runs the script by spark-submit and answers for it."""
    path, log = os.path.join(scratch, "job.py"), os.path.join(scratch, "log")
    with open(path, "w", encoding="utf-8") as f:
        f.write(script)
    with open(log, "wb") as out:
        job = subprocess.Popen(
            [os.path.join(os.environ["SPARK_HOME"], "bin", "spark-submit"), *_conf(scratch), path],
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=scratch,
            start_new_session=True,
        )
        try:
            code = job.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            code = None
        finally:  # nothing of the job outlives its invocation
            with contextlib.suppress(ProcessLookupError):
                os.killpg(job.pid, signal.SIGKILL)
            job.wait()
    text, full = _tail(log), shutil.disk_usage(scratch).free < MIN_DISK
    if code is None:
        return {"status": "error", "message": "resources: task timed out after %d s" % seconds, "log": text}
    if code == 0:
        return {"status": "success", "message": "", "log": text}
    small = [sign for sign in TOO_SMALL if sign in text]
    if full and not small:  # there was none for the log either
        small = ["No space left on device"]
    if small or code in (137, -9):
        return {"status": "error", "message": "resources: " + (small or ["signal: killed"])[0], "log": text}
    return {"status": "error", "message": "the job ended with exit code %d" % code, "log": text}


def _conf(scratch):
    """spark-submit's options: everything in this process's own directory."""
    conf = {
        "spark.master": "local[*]",
        "spark.ui.enabled": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.local.dir": os.path.join(scratch, "local"),
        "spark.sql.warehouse.dir": "file:" + os.path.join(scratch, "warehouse"),
        "spark.driver.memory": os.environ.get("SPARK_DRIVER_MEMORY", "2g"),
        "spark.driver.extraJavaOptions": "-Djava.io.tmpdir=%s -Dderby.system.home=%s" % (scratch, scratch),
        "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
        "spark.hadoop.fs.s3a.aws.credentials.provider": "com.amazonaws.auth.EnvironmentVariableCredentialsProvider",
        "spark.hadoop.fs.s3a.buffer.dir": os.path.join(scratch, "s3a"),
    }
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if endpoint:  # another S3 than Amazon's
        conf["spark.hadoop.fs.s3a.endpoint"] = endpoint
        conf["spark.hadoop.fs.s3a.path.style.access"] = "true"
        conf["spark.hadoop.fs.s3a.connection.ssl.enabled"] = str(endpoint.startswith("https")).lower()
    return [word for name, value in conf.items() for word in ("--conf", name + "=" + value)]


def _tail(path):
    """The end of the job's output."""
    with open(path, "rb") as f:
        f.seek(0, os.SEEK_END)
        f.seek(max(0, f.tell() - MAX_LOG))
        return f.read().decode("utf-8", "replace")
