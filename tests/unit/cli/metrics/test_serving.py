"""The server that Prometheus scrapes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread

import httpx
import pytest

from afluente.application.errors import UnavailableError
from cli.core.errors import CommandError
from cli.metrics.serving import SharedSnapshots, server
from cli.metrics.snapshot import Count, Snapshot
from tests.factories import Clock


def a_snapshot(total: int = 0) -> Snapshot:
    counts = [Count("PointsAccepted", "http_ingest", total)]
    return Snapshot(stage="prod", since=0.0, until=1.0, counts=counts, durations=[], queues=[])


@contextmanager
def serving(take: Callable[[], Snapshot]) -> Iterator[str]:
    with server(take, bind="127.0.0.1", port=0) as its:
        thread = Thread(target=its.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{its.server_port}/metrics"
        its.shutdown()
        thread.join()


def test_each_scrape_is_a_new_snapshot() -> None:
    totals = iter([3, 5])
    with serving(lambda: a_snapshot(next(totals))) as url:
        answers = [httpx.get(url) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].headers["content-type"].startswith("text/plain; version=")
    found = [line for answer in answers for line in answer.text.splitlines() if line.startswith("afluente_points_acc")]
    assert [line.split()[-1] for line in found] == ["3.0", "5.0"]


def test_what_is_unavailable_is_a_scrape_that_failed_and_the_next_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    answers: Iterator[Snapshot | Exception] = iter([UnavailableError("CloudWatch"), a_snapshot()])

    def take() -> Snapshot:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    with serving(take) as url:
        failed, next_one = httpx.get(url), httpx.get(url)

    assert (failed.status_code, failed.text) == (503, "not available: CloudWatch\n")
    assert next_one.status_code == 200
    assert "a scrape failed: not available: CloudWatch" in capsys.readouterr().err


def test_a_port_that_is_taken_is_an_error_of_the_command() -> None:
    with (
        server(a_snapshot, bind="127.0.0.1", port=0) as its,
        pytest.raises(CommandError, match="cannot be listened"),
    ):
        server(a_snapshot, bind="127.0.0.1", port=its.server_port)


def test_a_snapshot_is_kept_for_as_long_as_it_is_said() -> None:
    clock, numbers = Clock(), iter(range(9))
    shared = SharedSnapshots(lambda: a_snapshot(next(numbers)), keep_seconds=60.0, clock=clock)

    found = []
    for later in (0, 59, 1, 60):
        clock.now += later
        found.append(shared().counts[0].total)

    assert found == [0, 0, 1, 2]
