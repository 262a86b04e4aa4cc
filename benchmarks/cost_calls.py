"""Counts what the functions spend, and writes it where `afluente cost` reads it.

    uv run python -m benchmarks.cost_calls

The counts hang on no machine. Processor times do: they are those of the machine at hand, without the time of the AWS
that stands in, each the smallest of a few runs.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np

import cli.cost
from cli.cost.calls import Calls, Counted, Curve, FunctionCosts
from cli.cost.model import WAIT_MS
from infra.capacity import WHOLE_PROCESSOR_MB
from tests.costs.scenarios import FIELD, Count, Traffic, count

FILE = Path(cli.cost.__file__).with_name("calls.json")

_HTTP = [Traffic("http", points, streams) for points, streams in ((1, 1), (10, 10), (100, 10), (1_000, 5), (5_000, 8))]
_WS = [Traffic("ws", points, 10) for points in (10, 100, 1_000)]
_MQTT = [Traffic("mqtt", 1, 1), Traffic("mqtt", 1, 1, 5), Traffic("mqtt", 10, 1, 5), Traffic("mqtt", 100, 1, 20)]
_CSV = [Traffic("csv", 20_000, 5), Traffic("csv", 100_000, 5)]
_REQUESTS = {"http": 12, "ws": 12, "mqtt": 2, "csv": 1}
_RUNS = {"http": 2, "ws": 1, "mqtt": 1, "csv": 1}


def main() -> None:
    """Count, and write the file."""
    counted, plain, lines = count_all()
    calls = calls_of(counted, plain, lines)
    FILE.write_bytes(msgspec.json.format(msgspec.json.encode(calls), indent=1) + b"\n")
    _show_memory(counted)


def count_all() -> tuple[dict[Traffic, Count], dict[Traffic, Count], dict[Traffic, Count]]:
    """All kinds of traffic, those with plain records, and those with all lines of the log."""
    counted: dict[Traffic, Count] = {}
    for traffic in dict.fromkeys([*_HTTP, *_WS, *_MQTT, *_CSV, *FIELD]):
        runs = [
            count(traffic, requests=_REQUESTS[traffic.transport], record_format="gzip")
            for _ in range(_RUNS[traffic.transport])
        ]
        counted[traffic] = runs[0]._replace(cpu={name: min(run.cpu[name] for run in runs) for name in runs[0].cpu})
        sys.stderr.write(f"{traffic.name}\n")
    plain = {traffic: count(traffic, requests=2, record_format="plain") for traffic in _HTTP}
    lines = {traffic: count(traffic, log_lines="all", requests=2) for traffic in (*_HTTP, *_WS, *_MQTT[:3], _CSV[0])}
    return counted, plain, lines


def calls_of(counted: Mapping[Traffic, Count], plain: Mapping[Traffic, Count], lines: Mapping[Traffic, Count]) -> Calls:
    few, many = (counted[traffic] for traffic in _CSV)
    return Calls(
        state_bytes=_state_bytes(counted),
        pack_bytes=_curve(counted, _HTTP, "sqs.bytes", "sqs.packs"),
        record_bytes={
            "gzip": _curve(counted, _HTTP, "kinesis.bytes", "sqs.packs"),
            "plain": _curve(plain, _HTTP, "kinesis.bytes", "sqs.packs"),
        },
        http_answer_bytes=_curve(counted, _HTTP, "answer_bytes", "http_ingest.invocations"),
        ws_answer_bytes=_curve(counted, _WS, "answer_bytes", "ws_ingest.invocations"),
        inbox_event_bytes=_curve(counted, [_MQTT[0], *_MQTT[2:]], "inbox.event_bytes", "inbox.messages"),
        functions={
            name: FunctionCosts(
                **_processor_times(counted, name),
                log_bytes={"one": _log_bytes(counted, name), "all": _log_bytes(lines, name)},
            )
            for name in ("http_ingest", "ws_ingest", "iot_rule_handler", "csv_trigger", "classifier")
        },
        csv_pack_points=many.points / many.units["sqs.packs"],
        csv_pack_units=_more(few, many, per=many.units["sqs.packs"] - few.units["sqs.packs"]),
        csv_file_units=_rest(few, many),
        counted=tuple(Counted(*traffic, its.points, its.requests, dict(its.units)) for traffic, its in counted.items()),
    )


def _curve(counted: Mapping[Traffic, Count], kinds: Sequence[Traffic], total: str, number: str) -> Curve:
    """The mean of a unit, by points of a request."""
    return [
        (traffic.points, round(counted[traffic].units.get(total, 0) / counted[traffic].units[number], 1))
        for traffic in kinds
    ]


def _state_bytes(counted: Mapping[Traffic, Count]) -> Curve:
    """Bytes of an item by its streams: of sources that have so many."""
    of = {traffic.streams: its for traffic, its in counted.items() if traffic.transport == "http"}
    return [(n, round(of[n].units["states.bytes"] / of[n].units["states.writes"], 1)) for n in (1, 5, 8)]


def _processor_times(counted: Mapping[Traffic, Count], function: str) -> dict[str, float]:
    """Milliseconds of an invocation, a message or pack, a point and a write, which explain the measured ones best."""
    rows, times = [], []
    for its in counted.values():
        if invocations := its.units.get(f"{function}.invocations"):
            messages = its.units.get("inbox.messages", 0) if function == "iot_rule_handler" else its.units["sqs.packs"]
            writes = its.units["states.writes"] if function == "classifier" else 0
            time = 1_000 * its.cpu[function] / invocations
            # Relative errors count: a request of one point is as important as one of a thousand.
            row = [1.0, messages / invocations, its.points / invocations, writes / invocations]
            rows.append([value / time for value in row])
            times.append(1.0)
    names = ("invocation_ms", "message_ms", "point_ms", "write_ms")
    found = _non_negative(np.array(rows), np.array(times))
    return {name: round(float(value), 5) for name, value in zip(names, found, strict=True)}


def _non_negative(rows: "np.ndarray", times: "np.ndarray") -> "np.ndarray":
    """Least squares without negative times: a column that would be negative is left out."""
    columns = list(range(rows.shape[1]))
    while True:
        found, *_ = np.linalg.lstsq(rows[:, columns], times, rcond=None)
        if (found >= 0).all():
            whole = np.zeros(rows.shape[1])
            whole[columns] = found
            return whole
        columns.pop(int(found.argmin()))


def _log_bytes(counted: Mapping[Traffic, Count], function: str) -> Curve:
    curve = {
        round(its.points / invocations): round(its.units[f"{function}.log_bytes"] / invocations)
        for its in counted.values()
        if (invocations := its.units.get(f"{function}.invocations"))
    }
    return sorted(curve.items())


_CSV_UNITS = ("csv_jobs.", "csv_slots.", "s3.", "sqs.requests")


def _more(few: Count, many: Count, *, per: float) -> dict[str, float]:
    return {
        name: round(max(0, number - few.units.get(name, 0)) / per, 3)
        for name, number in many.units.items()
        if name.startswith(_CSV_UNITS)
    }


def _rest(few: Count, many: Count) -> dict[str, float]:
    packs = few.units["sqs.packs"]
    more = _more(few, many, per=many.units["sqs.packs"] - packs)
    return {
        name: round(max(0.0, number - packs * more.get(name, 0.0)), 3)
        for name, number in few.units.items()
        if name.startswith(_CSV_UNITS)
    }


def _show_memory(counted: Mapping[Traffic, Count]) -> None:
    """GB-seconds of a million requests by memory, as the model has them."""
    sizes = (512, 768, 1_024, WHOLE_PROCESSOR_MB)
    sys.stdout.write(f"{'':28}{'CPU ms':>8}" + "".join(f"{size:>9}" for size in sizes) + "\n")
    for traffic, its in counted.items():
        for function, seconds in its.cpu.items():
            cpu = 1_000 * seconds / its.units[f"{function}.invocations"]
            wait = (
                WAIT_MS["sqs"]
                if function != "classifier"
                else sum(WAIT_MS[name] for name in ("read", "kinesis", "write"))
            )
            cells = []
            for size in sizes:
                duration = cpu * WHOLE_PROCESSOR_MB / size + wait
                cells.append(f"{duration:.0f}/{duration * size / 1024:.0f}")
            sys.stdout.write(
                f"{traffic.name + ' ' + function:28}{cpu:8.1f}" + "".join(f"{cell:>9}" for cell in cells) + "\n"
            )


if __name__ == "__main__":
    main()
