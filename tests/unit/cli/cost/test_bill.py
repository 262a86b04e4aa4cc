"""Bills of traffic: what they hang on, and how they are shown."""

import dataclasses
import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.core.errors import CommandError
from cli.cost.bill import Bill, bill_of
from cli.cost.calls import at, read_calls
from cli.cost.workload import Workload, options_of
from cli.main import app
from infra.capacity import TableCapacity
from infra.presets import prod
from infra.stage import Stage

FLEET = Workload("mqtt", 1_000, 1_000, 1_000, 1)
REQUESTS = Workload("http", 1_000, 1_000, 100, 100)


def bill(workload: Workload, **values: Any) -> Bill:
    """The bill in `prod` with other values."""
    stage: Stage = dataclasses.replace(prod(), **values)
    return bill_of(workload, options_of(stage), read_calls())


def dollars(workload: Workload, service: str, **values: Any) -> float:
    """USD for 10⁹ points that a service takes."""
    found = bill(workload, **values)
    return found.per_billion(found.by_service().get(service, 0.0))


def test_points_that_come_together_cost_less() -> None:
    alone, together = (bill(Workload("http", 1_000, 1_000, 100, points)) for points in (10, 1_000))

    assert alone.traffic_dollars > 10 * together.traffic_dollars


def test_twice_the_traffic_costs_twice_as_much_and_the_idle_stage_the_same() -> None:
    one, two = (bill(Workload("http", rate, 1_000, 100, 100)) for rate in (1_000, 2_000))

    assert two.traffic_dollars == pytest.approx(2 * one.traffic_dollars, rel=0.05)
    assert two.idle_dollars == one.idle_dollars > 100


def test_messages_past_the_broker_are_not_billed() -> None:
    by_broker, direct = (dollars(FLEET, "IoT Core", enable_basic_ingest=way) for way in (False, True))

    assert by_broker - direct == pytest.approx(1_000, rel=0.01)


def test_a_longer_window_writes_states_more_rarely() -> None:
    short = dollars(FLEET, "DynamoDB")
    longer = dollars(FLEET, "DynamoDB", mqtt_window_seconds=5, mqtt_batch_messages=5_000)

    assert longer < short / 3


def test_provisioned_units_that_are_used_cost_less_than_units_on_demand() -> None:
    following = {"stream-latest": TableCapacity(write_units=1, read_units=1, max_write_units=9_999, max_read_units=999)}

    assert dollars(FLEET, "DynamoDB", table_capacity=following) < 0.6 * dollars(FLEET, "DynamoDB")


def test_a_capacity_that_does_not_hold_the_traffic_is_named() -> None:
    capacity = {"stream-latest": TableCapacity(write_units=5, read_units=5_000)}

    (note,) = bill(FLEET, table_capacity=capacity).notes
    assert note.startswith("stream-latest: 5 write units are provisioned")


def test_shards_are_billed_by_the_hour_whatever_they_take() -> None:
    one, three = (bill(REQUESTS, stream_shards=shards) for shards in (1, 3))

    assert one.idle_dollars == three.idle_dollars
    assert three.traffic_dollars - one.traffic_dollars == pytest.approx(2 * 4 * 730 * 0.015)


def test_memory_that_a_function_waits_with_is_billed() -> None:
    small, large = (dollars(REQUESTS, "Lambda", memory_mb={"http_ingest": size}) for size in (512, 1_769))

    assert small < large


def test_all_lines_of_the_log_cost_more_than_one() -> None:
    assert dollars(REQUESTS, "CloudWatch", log_lines="all") > 1.5 * dollars(REQUESTS, "CloudWatch", access_log=False)


def test_between_measured_points_a_curve_is_straight() -> None:
    assert [at([(1, 10), (3, 30), (4, 30)], x) for x in (1, 2, 3.5, 5)] == [10, 20, 30, 30]


def test_the_command_shows_services_and_writes_json_and_a_picture(tmp_path: Path) -> None:
    picture = tmp_path / "bill.svg"
    options = ["cost", "--transport", "mqtt", "--points-per-second", "1000", "--streams", "1000"]

    shown = CliRunner().invoke(app, options)
    written = CliRunner().invoke(app, [*options, "--json", "--picture", str(picture)])

    assert shown.exit_code == 0, shown.output
    assert "IoT Core" in shown.output
    document = json.loads(written.output)
    assert document["dollars_per_billion_points"]["by_service"].keys() >= {"IoT Core", "SQS", "DynamoDB"}
    assert document["workload"]["sources"] == 1_000
    drawn = ET.fromstring(picture.read_text())  # noqa: S314 - our own
    assert "IoT Core" in {text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")}


def test_a_stage_that_there_is_not_is_refused() -> None:
    result = CliRunner().invoke(app, ["cost", "--stage", "nowhere"])

    assert isinstance(result.exception, CommandError)
    assert "'nowhere' is unknown" in result.exception.message
