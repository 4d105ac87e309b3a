"""Thinning out Spark's progress."""

from typing import Any

from pyspark.sql.connect.shell.progress import StageInfo

from sparkwright_client.progress import ProgressReporter


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def stage(done: int, of: int, finished: bool = False) -> StageInfo:
    return StageInfo(0, of, done, 100 * done, finished)


def setup() -> tuple[ProgressReporter, Clock, list[dict[str, Any]]]:
    sent: list[dict[str, Any]] = []
    clock = Clock()
    return ProgressReporter(sent.append, clock, interval=0.2), clock, sent


def test_first_report_is_sent_at_once() -> None:
    report, _, sent = setup()
    report([stage(1, 4), stage(2, 2, True)], 3, "a", False)
    assert sent == [
        {
            "type": "progress",
            "operation": 1,
            "stages": 2,
            "stages_done": 1,
            "tasks": 6,
            "tasks_done": 3,
            "tasks_in_flight": 3,
            "bytes_read": 300,
            "seconds": 0.0,
        }
    ]


def test_at_most_five_a_second_and_the_last_is_kept() -> None:
    report, clock, sent = setup()
    for step in range(100):
        clock.now = step / 100
        report([stage(step, 100)], 1, "a", False)
    report([stage(100, 100, True)], 0, "a", True)
    assert len(sent) == 5
    report.flush()
    report.flush()
    assert len(sent) == 6
    assert sent[-1]["tasks_done"] == 100


def test_queries_do_not_mix() -> None:
    report, clock, sent = setup()
    report([stage(1, 10)], 1, "old", False)
    clock.now = 1
    report([stage(1, 3)], 1, "new", False)
    clock.now = 2
    report([stage(9, 10)], 1, "old", False)
    clock.now = 3
    report([stage(3, 3, True)], 0, "new", True)
    clock.now = 4
    report([stage(10, 10, True)], 0, "old", True)
    assert [(m["operation"], m["tasks_done"]) for m in sent] == [(1, 1), (2, 1), (2, 3), (1, 10)]


def test_queries_without_stages_say_nothing() -> None:
    report, _, sent = setup()
    report([], 0, "a", True)
    report(None, 0, None, True)
    report.flush()
    assert sent == []
