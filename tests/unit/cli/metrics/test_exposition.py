"""Metrics as Prometheus reads them."""

import shutil
import subprocess

import pytest
from prometheus_client.parser import text_string_to_metric_families

from afluente.runtime.core.observability import DURATIONS, Metric
from cli.metrics.exposition import exposition
from cli.metrics.families import family_of
from cli.metrics.snapshot import Count, Duration, Queue, Snapshot

COUNTED = [metric for metric in Metric if metric not in DURATIONS]


def a_snapshot() -> Snapshot:
    """A snapshot with every metric that there is."""
    return Snapshot(
        stage="prod",
        since=0.0,
        until=60.0,
        counts=[Count(metric.value, "classifier", place) for place, metric in enumerate(COUNTED)],
        durations=[
            Duration(
                metric=metric.value,
                service="classifier",
                transport=transport,
                count=4,
                sum_seconds=2.0,
                p50=0.25,
                p95=1.0,
                p99=None,
            )
            for metric in sorted(DURATIONS)
            for transport in ("http", "mqtt")
        ],
        queues=[
            Queue(name="datapoints", waiting=3, in_flight=2, dead_letters=1, oldest_seconds=7.5),
            Queue(name="mqtt", waiting=0, in_flight=0, dead_letters=0, oldest_seconds=None),
        ],
    )


def samples(text: str) -> dict[str, float]:
    """The samples of a text, with their labels but those that all have."""
    return {
        sample.name
        + "".join(f",{name}={value}" for name, value in sorted(sample.labels.items()) if name != "stage"): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_counts_have_the_labels_of_what_they_count() -> None:
    found = samples(exposition(a_snapshot()))

    for metric in COUNTED:
        its = family_of(metric)
        labels = "".join(f",{name}={value}" for name, value in sorted({**its.labels, "service": "classifier"}.items()))
        assert found[f"afluente_{its.name}_total{labels}"] == COUNTED.index(metric)


def test_durations_are_summaries_with_the_quantiles_that_there_are() -> None:
    found = samples(exposition(a_snapshot()))
    name, of_mqtt = "afluente_acceptance_to_kinesis_seconds", "service=classifier,transport=mqtt"

    assert found[f"{name},quantile=0.5,{of_mqtt}"] == 0.25
    assert found[f"{name},quantile=0.95,{of_mqtt}"] == 1.0
    assert f"{name},quantile=0.99,{of_mqtt}" not in found
    assert (found[f"{name}_count,{of_mqtt}"], found[f"{name}_sum,{of_mqtt}"]) == (4, 2.0)


def test_queues_are_gauges_and_an_unknown_age_is_left_out() -> None:
    found = samples(exposition(a_snapshot()))

    assert found["afluente_queue_messages,queue=datapoints,state=waiting"] == 3
    assert found["afluente_queue_messages,queue=datapoints,state=in_flight"] == 2
    assert found["afluente_dead_letters,queue=datapoints"] == 1
    assert found["afluente_queue_oldest_message_age_seconds,queue=datapoints"] == 7.5
    assert "afluente_queue_oldest_message_age_seconds,queue=mqtt" not in found


def test_each_class_begins_with_no_points() -> None:
    nothing = Snapshot(stage="prod", since=0.0, until=0.0, counts=[], durations=[], queues=[])

    found = samples(exposition(nothing))

    name = "afluente_points_classified_total"
    assert [found[f"{name},class={its},service=classifier"] for its in ("alert", "normal")] == [0, 0]


def test_a_count_of_another_release_has_a_name_that_follows_from_its_own() -> None:
    assert family_of("PointsOfTomorrow").name == "points_of_tomorrow"


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs Debian's package prometheus")
def test_promtool_finds_no_fault() -> None:
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=exposition(a_snapshot()), capture_output=True, text=True, check=False
    )

    assert (checked.returncode, checked.stderr) == (0, "")
