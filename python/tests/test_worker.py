"""The protocol of the client process, against a real server."""

import signal
from pathlib import Path

import pytest

from tests.harness import Server, Worker

SLOW = """
from pyspark.sql import SparkSession, functions as F
spark = SparkSession.builder.appName("slow").getOrCreate()
print("started", flush=True)
rows = spark.range(0, 40_000_000_000, 1, 8)
rows.select(F.sum(F.sqrt(F.col("id") % 1000003))).collect()
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    return tmp_path / "job.py"


def run(worker: Worker, server: Server, script: Path, text: str, **more: object) -> None:
    script.write_text(text, encoding="utf-8")
    worker.send(op="run", id=7, script=str(script), remote=server.remote(), **more)


def replies(worker: Worker) -> list[dict[str, object]]:
    received = []
    while (message := worker.receive()) is not None:
        received.append(message)
    return received


def test_policy_reply(worker: Worker) -> None:
    reply = worker.ask(op="policy", id=1, code="import os\nresult = 1", views=["t"])
    assert (reply["type"], reply["id"]) == ("policy", 1)
    (found,) = reply["violations"]
    assert (found["rule"], found["line"], found["column"]) == ("import", 1, 1)
    assert worker.ask(op="policy", id=2, code="result = spark.table('t')", views=["t"]) == {
        "type": "policy",
        "id": 2,
        "violations": [],
    }


@pytest.mark.parametrize("line", [b"{", b"[]", b"\xff", b'{"op":"nope"}', b'{"op":"policy"}'])
def test_bad_request_is_answered(worker: Worker, line: bytes) -> None:
    worker.send_line(line)
    reply = worker.receive()
    assert reply is not None
    assert reply["type"] == "error"
    assert worker.ask(op="policy", id=3, code="result = 1", views=[])["id"] == 3


def test_idle_worker_leaves_when_peer_goes(worker: Worker) -> None:
    worker.close_requests()
    assert worker.finish() == (0, "", "")


def test_dryruns_then_one_run(worker: Worker, server: Server, script: Path) -> None:
    remote = server.remote()
    view = {"name": "t", "columns": [{"name": "id", "type": "bigint"}]}
    for _ in range(2):
        code = "result = spark.table('t').select('id')"
        reply = worker.ask(op="dryrun", id=4, code=code, remote=remote, views=[view])
        assert reply["fault"] is None
    script.write_text(
        "import os, sys\n"
        "from pyspark.sql import SparkSession\n"
        "spark = SparkSession.builder.appName('x').getOrCreate()\n"
        "print(spark.session_id, os.environ['GREETING'], __name__, __file__ == sys.argv[0])\n"
        "print(spark.range(5).count())\n"
        "print('to stderr', file=sys.stderr)\n",
        encoding="utf-8",
    )
    worker.send(op="run", id=5, script=str(script), remote=remote, env={"GREETING": "hello"})
    assert replies(worker)[-1] == {"type": "done", "id": 5, "exit": 0}
    session = remote.rpartition("=")[2]
    assert worker.finish() == (0, f"{session} hello __main__ True\n5\n", "to stderr\n")


def test_failing_script(worker: Worker, server: Server, script: Path) -> None:
    run(worker, server, script, "print('before')\n1/0\n")
    assert replies(worker) == [{"type": "done", "id": 7, "exit": 1}]
    code, out, err = worker.finish()
    assert (code, out) == (1, "before\n")
    assert err == (
        "Traceback (most recent call last):\n"
        f'  File "{script}", line 2, in <module>\n'
        "    1/0\n    ~^~\n"
        "ZeroDivisionError: division by zero\n"
    )


def test_hook_of_the_script_sees_its_error(worker: Worker, server: Server, script: Path) -> None:
    text = (
        "import sys\n"
        "def hook(kind, error, frames):\n"
        "    print(kind.__name__, error, frames.tb_lineno)\n"
        "sys.excepthook = hook\n"
        "raise ValueError('x')\n"
    )
    run(worker, server, script, text)
    assert replies(worker)[-1]["exit"] == 1
    assert worker.finish() == (1, "ValueError x 5\n", "")


@pytest.mark.parametrize(("statement", "code"), [("exit()", 0), ("exit(3)", 1), ("exit('x')", 1)])
def test_script_that_exits(
    worker: Worker, server: Server, script: Path, statement: str, code: int
) -> None:
    run(worker, server, script, f"import sys\nsys.{statement}\n")
    assert replies(worker) == [{"type": "done", "id": 7, "exit": code}]
    assert worker.finish()[0] == code


def test_descriptors_are_not_where_they_were(worker: Worker, server: Server, script: Path) -> None:
    text = (
        "import os, subprocess\n"
        "for fd in (3, 4):\n"
        "    try:\n"
        "        print(fd, 'pipe' in os.readlink(f'/proc/self/fd/{fd}'))\n"
        "    except OSError:\n"
        "        print(fd, False)\n"
        "print(subprocess.run(['ls', '/proc/self/fd'], capture_output=True, text=True).stdout)\n"
    )
    run(worker, server, script, text)
    replies(worker)
    out = worker.finish()[1]
    assert out.startswith("3 False\n4 False\n")
    assert not [fd for fd in out.split()[4:] if int(fd) >= 200]


def test_memory_limit(worker: Worker, server: Server, script: Path) -> None:
    text = "x = bytearray(100 << 20)\nprint('small', flush=True)\ny = bytearray(600 << 20)\n"
    run(worker, server, script, text, limits={"memory_bytes": 400 << 20})
    assert replies(worker)[-1]["exit"] == 1
    code, out, err = worker.finish()
    assert (code, out) == (1, "small\n")
    assert "MemoryError" in err


def test_progress(worker: Worker, server: Server, script: Path) -> None:
    text = SLOW.replace("40_000_000_000", "900_000_000") + "spark.range(10).count()\n"
    run(worker, server, script, text)
    *progress, done = replies(worker)
    assert done == {"type": "done", "id": 7, "exit": 0}
    assert progress
    for message in progress:
        assert message["type"] == "progress"
        assert 0 <= int(str(message["tasks_done"])) <= int(str(message["tasks"]))
        assert 0 <= int(str(message["stages_done"])) <= int(str(message["stages"]))
    first = [m for m in progress if m["operation"] == 1]
    assert int(str(first[-1]["tasks"])) >= 8
    operations = [int(str(m["operation"])) for m in progress]
    assert operations == sorted(operations)


def wait_for_start(worker: Worker) -> None:
    assert worker.process.stdout is not None
    assert worker.process.stdout.readline() == b"started\n"
    message = worker.receive()  # Spark works on it
    assert message is not None
    assert message["type"] == "progress"


def session_has_ended(server: Server, remote: str) -> bool:
    """Report whether the server has closed the session, which ends its operations."""
    from pyspark.errors import PySparkException
    from pyspark.sql.connect.session import SparkSession

    session = SparkSession(remote)
    try:
        session.interruptAll()
    except PySparkException as error:
        return "SESSION_CLOSED" in str(error)
    finally:
        session.stop()
    return False


def test_sigterm_interrupts(
    worker: Worker, server: Server, script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARK_CONNECT_AUTHENTICATE_TOKEN", server.token)
    script.write_text(SLOW, encoding="utf-8")
    remote = server.remote()
    worker.send(op="run", id=7, script=str(script), remote=remote)
    wait_for_start(worker)
    worker.process.send_signal(signal.SIGTERM)
    assert worker.finish()[0] == 143
    assert session_has_ended(server, remote)


def test_lost_peer_interrupts(
    worker: Worker, server: Server, script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARK_CONNECT_AUTHENTICATE_TOKEN", server.token)
    script.write_text(SLOW, encoding="utf-8")
    remote = server.remote()
    worker.send(op="run", id=7, script=str(script), remote=remote)
    wait_for_start(worker)
    worker.close_requests()
    assert worker.finish()[0] == 143
    assert session_has_ended(server, remote)


def test_idle_sigterm(worker: Worker) -> None:
    worker.process.send_signal(signal.SIGTERM)
    assert worker.finish()[0] == 143


def test_wrong_token(server: Server, script: Path) -> None:
    worker = Worker("wrong")
    try:
        assert worker.receive() is not None
        dry = worker.ask(
            op="dryrun",
            id=1,
            code="result = spark.sql('select 1')",
            remote=server.remote(),
            views=[],
        )
        assert dry["fault"]["kind"] == "infrastructure"
        run(worker, server, script, SLOW)
        assert replies(worker)[-1]["exit"] == 1
    finally:
        worker.kill()


def test_killed_server_ends_the_run(tmp_path: Path, script: Path) -> None:
    server = Server(tmp_path)
    worker = Worker(server.token)
    try:
        assert worker.receive() is not None
        run(worker, server, script, SLOW)
        wait_for_start(worker)
        server.kill()
        assert replies(worker)[-1] == {"type": "done", "id": 7, "exit": 1}
        code, _, err = worker.finish()
        assert code == 1
        assert "UNAVAILABLE" in err
        dead = Worker(server.token)
        try:
            assert dead.receive() is not None
            reply = dead.ask(
                op="dryrun", id=1, code="result = spark.range(1)", remote=server.remote(), views=[]
            )
            assert reply["fault"]["kind"] == "infrastructure"
            assert reply["fault"]["class"] == "SPARK_SERVER_UNAVAILABLE"
        finally:
            dead.kill()
    finally:
        worker.kill()
        server.kill()


def test_lint_reply(worker: Worker) -> None:
    views = [{"name": "t", "keys": [], "columns": []}]
    code = 'result = spark.sql("SELECT a FROM t LIMIT 3")'
    reply = worker.ask(op="lint", id=9, code=code, views=views)
    assert (reply["type"], reply["id"]) == ("lint", 9)
    assert [(f["rule"], f["line"]) for f in reply["findings"]] == [("limit-without-order", 1)]
