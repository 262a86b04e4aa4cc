"""The calls that `afluente cost` counts with are those that the functions make."""

import pytest

from cli.cost.calls import read_calls
from cli.cost.model import units_of
from cli.cost.workload import StageOptions, Workload, options_of
from infra.presets import prod
from infra.stage import Stage
from tests.costs.scenarios import FIELD, FLEET, FLEET_SHARDS, Count, Traffic, count

BETWEEN = (Traffic("http", 300, 12), Traffic("ws", 40, 4), Traffic("mqtt", 4, 1, 3))
"""Kinds of traffic that were not counted for the file: the model has to be right between those that were."""

REQUESTS = {"http": 6, "ws": 6, "mqtt": 1, "csv": 1}

EXACT = ("invocations", "sqs.packs", "sqs.send_units", "states.write_units", "states.half_read_units")
"""Whole numbers that follow from the number of points; of CSV files, from sizes of packs."""

ABOUT = ("kinesis.bytes", "log_bytes", "connections.write_units")
"""Sizes that hang on how well the values at hand are compressed, and on lines that are longer for larger numbers."""

TOLERANCE = 0.10


@pytest.mark.parametrize("traffic", [*FIELD, *BETWEEN], ids=lambda its: its.name)
def test_the_model_spends_what_the_functions_spend(traffic: Traffic) -> None:
    counted = count(traffic, requests=REQUESTS[traffic.transport])
    modelled = modelled_units(traffic, counted)

    for name in sorted(counted.units.keys() | modelled.keys()):
        if not name.endswith((*EXACT, *ABOUT)) or name.startswith("access_log"):
            continue
        if name == "kinesis.kib":
            # Each record is rounded up; the model rounds by half a unit.
            assert abs(modelled[name] - counted.units[name]) <= counted.units["kinesis.records"] * 0.55
            continue
        off = TOLERANCE if name.endswith(ABOUT) or traffic.transport == "csv" else 0.001
        assert modelled.get(name, 0.0) == pytest.approx(counted.units.get(name, 0), rel=off, abs=0.01), name


def modelled_units(traffic: Traffic, counted: Count) -> dict[str, float]:
    """The units of the model for as many points as were counted."""
    is_fleet = traffic.transport == "mqtt"
    sources = FLEET if is_fleet else 1
    rate = float(sources * traffic.streams)
    workload = Workload(traffic.transport, rate, sources * traffic.streams, sources, traffic.points)  # type: ignore[arg-type]
    seconds = counted.points / rate
    return {name: units * seconds for name, units in units_of(workload, options(traffic), read_calls()).items()}


def options(traffic: Traffic) -> StageOptions:
    """A stage as the traffic is counted in."""
    values = {field: getattr(prod(), field) for field in ("architecture", "log_lines", "limits")}
    shards = FLEET_SHARDS if traffic.transport == "mqtt" else 64
    return options_of(
        Stage(
            name="prod",
            shards=shards,
            record_format="gzip",
            mqtt_window_seconds=traffic.window,
            mqtt_batch_messages=10_000,
            **values,
        )
    )
