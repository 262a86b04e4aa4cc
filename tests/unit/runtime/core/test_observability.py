"""Logs and metrics of the functions."""

import json
import logging
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from afluente.runtime.core import observability
from afluente.runtime.core.observability import LogCode, Metric, count, invocation, logger, observe

INVOCATION = SimpleNamespace(aws_request_id="invocation-1")


def test_the_metrics_of_an_invocation_are_one_line_with_its_service_and_stage(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "http_ingest")
    monkeypatch.setenv("AFLUENTE_STAGE", "prod")
    with invocation(INVOCATION):
        count({Metric.POINTS_ACCEPTED: 3, Metric.POINTS_REJECTED: 0, Metric.POINTS_LATE: 1})
        count({Metric.POINTS_ACCEPTED: 2})
        observe(Metric.REQUEST_TO_ANSWER, [0.5], transport="http")
        assert capsys.readouterr().out == ""

    (line,) = capsys.readouterr().out.splitlines()
    reported = json.loads(line)
    assert reported.pop("_aws")["CloudWatchMetrics"][0]["Namespace"] == "afluente"
    assert reported == {
        "service": "http_ingest",
        "stage": "prod",
        "transport": "http",
        "PointsAccepted": 5,
        "PointsLate": 1,
        "RequestToAnswer": [0.5],
    }


def test_the_metrics_of_one_invocation_are_not_in_the_next(capsys: pytest.CaptureFixture[str]) -> None:
    with invocation(INVOCATION):
        count({Metric.POINTS_ACCEPTED: 3})
    capsys.readouterr()

    with invocation(INVOCATION):
        count({Metric.POINTS_LATE: 1})

    assert "PointsAccepted" not in capsys.readouterr().out


def test_an_invocation_that_fails_is_counted_beside_what_it_had_counted(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        count({Metric.POINTS_ACCEPTED: 3})
        raise LookupError

    with pytest.raises(LookupError), invocation(INVOCATION):
        fail()

    reported = json.loads(capsys.readouterr().out)
    assert (reported["PointsAccepted"], reported["InvocationsFailed"]) == (3, 1)


@pytest.mark.parametrize("counts", [{}, {Metric.POINTS_ACCEPTED: 0}])
def test_where_there_is_nothing_to_count_nothing_is_reported(
    capsys: pytest.CaptureFixture[str], counts: dict[Metric, int]
) -> None:
    with invocation(INVOCATION):
        count(counts)

    assert capsys.readouterr().out == ""


def test_lines_of_an_invocation_carry_its_id_and_those_after_it_do_not() -> None:
    with invocation(INVOCATION):
        during = logger().get_current_keys()
    after = logger().get_current_keys()

    assert during["function_request_id"] == "invocation-1"
    assert "function_request_id" not in after


def test_no_line_holds_a_key_or_a_password_not_even_that_of_an_exception() -> None:
    key = f"afl_abcdefgh_{'x' * 49}"
    url = "mssql://reader:s3cr3t@db/iot"
    try:
        int(key)
    except ValueError:
        line = logger()._logger.makeRecord(
            "logger", logging.ERROR, "file", 1, "failed for %s", (key,), sys.exc_info(), extra={"cause": url, key: "?"}
        )

    written = logger().registered_formatter.format(line)

    assert "xxxx" not in written
    assert "s3cr3t" not in written
    told = json.loads(written)
    assert told["message"] == "failed for afl_abcdefgh_[masked]"
    assert told["exception_name"] == "ValueError"
    assert told["cause"] == "mssql://reader:[masked]@db/iot"


def test_a_line_has_what_powertools_gives_it() -> None:
    line = logger()._logger.makeRecord("logger", logging.INFO, "file", 1, "hello", (), None, extra={"code": "X"})

    told = json.loads(logger().registered_formatter.format(line))

    assert told.keys() >= {"level", "location", "message", "timestamp", "service", "code"}


def test_a_line_of_the_log_is_one_object_in_ascii_whatever_it_reports(capsys: pytest.CaptureFixture[str]) -> None:
    odd = 'x\n{"code":"FORGED"}\r\u2028\u0085\x1b[2J\x9b\u202e°\ud800'

    handler = logger().handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    before = handler.setStream(sys.stdout)
    logger().error("odd", code=LogCode.REQUEST_REFUSED, problem=odd)
    if before is not None:
        handler.setStream(before)

    told = capsys.readouterr().out
    assert told.isascii()
    assert told.removesuffix("\n").isprintable()
    assert json.loads(told)["problem"] == odd


@pytest.fixture
def one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stage whose invocations write one line."""
    monkeypatch.setattr(observability._deferred(), "is_on", True)


@pytest.mark.usefixtures("one_line")
def test_where_a_stage_says_so_an_invocation_writes_one_line_with_its_metrics(
    capsys: pytest.CaptureFixture[str], log: list[dict[str, Any]]
) -> None:
    with invocation(INVOCATION):
        logger().info("request accepted", code=LogCode.REQUEST_ACCEPTED, inserted=3)
        count({Metric.POINTS_ACCEPTED: 3})

    (line,) = capsys.readouterr().out.splitlines()
    told = json.loads(line)
    assert log == []
    assert (told["code"], told["inserted"], told["PointsAccepted"]) == ("REQUEST_ACCEPTED", 3, 3)
    assert (told["message"], told["function_request_id"]) == ("request accepted", "invocation-1")


@pytest.mark.usefixtures("one_line")
def test_a_line_without_metrics_and_all_others_are_written_all_the_same(
    capsys: pytest.CaptureFixture[str], log: list[dict[str, Any]]
) -> None:
    with invocation(INVOCATION):
        logger().info("key accepted", code=LogCode.KEY_ACCEPTED)
        logger().warning("rate limited", code=LogCode.RATE_LIMITED)
        logger().info("one more")

    assert [line["msg"] for line in log] == ["rate limited", "one more"]
    (line,) = capsys.readouterr().out.splitlines()
    told = json.loads(line)
    assert (told["level"], told["message"], told["code"]) == ("INFO", "key accepted", "KEY_ACCEPTED")
