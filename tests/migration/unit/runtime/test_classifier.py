"""The shadow classifier: its logs and metrics."""

import json
from typing import Any

import pytest

from afluente.adapters.memory.constraints import MemoryConstraints
from afluente.domain.stream_state import StreamState
from afluente.migration.adapters.memory import MemoryLegacyTables
from afluente.migration.application.trial import TrialCounts
from afluente.runtime.core import clients
from afluente.runtime.migration.classifier import count_compared, log_error, shadow_classifier
from tests.factories import NOW, a_key, a_point


def test_a_failure_of_constraints_on_trial_is_an_error_in_the_log(log: list[dict[str, Any]]) -> None:
    log_error(KeyError("max_value"))

    (line,) = log
    assert (line["levelname"], line["code"], line["cause"]) == (
        "ERROR",
        "SHADOW_CLASSIFIER_FAILED",
        "KeyError('max_value')",
    )
    assert line["exc_info"][0] is KeyError


def test_differences_and_errors_are_metrics(capsys: pytest.CaptureFixture[str]) -> None:
    count_compared(TrialCounts(compared=9))
    count_compared(TrialCounts(compared=9, differences=2, errors=3))

    (reported,) = [json.loads(text) for text in capsys.readouterr().out.splitlines() if "_aws" in text]
    assert (reported["ShadowDifferences"], reported["CanaryErrors"]) == (2, 3)


def test_streams_of_no_sensor_are_classified_though_the_trial_cannot_be_read(
    log: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        # Nobody listens at the port of nothing.
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    }.items():
        monkeypatch.setenv(name, value)
    clients._session.cache_clear()
    classifier = shadow_classifier(MemoryConstraints(), MemoryLegacyTables(), trial_table="migration", ttl_seconds=60)

    result = classifier.look_up({a_key(): None}).classify(a_key(), [a_point()], StreamState(), NOW)

    assert [point.reason for point in result.points] == ["no_constraints"]
    assert [line["code"] for line in log] == ["TRIAL_UNAVAILABLE"]
    clients._session.cache_clear()
