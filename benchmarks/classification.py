"""Cost of the classifier's pure part: packs of 1,000 points over 5, 100 and 1,000 streams, without any call.

    uv run python benchmarks/classification.py
    uv run --with bytewax==0.21.1 python benchmarks/classification.py

Each round classifies another pack of the same streams, whose windows are full: message to points, points by stream,
classification, points to lines. With bytewax there, a dataflow of it does the same job in the same run: the same pack
decoded, keyed by stream, stateful over each key, encoded. Its window is a deque, its rules are a few comparisons: it
finds late points, duplicates, violated bounds and rates, and counts violations in a row; it has no ids, and no alarms.

Processor time, the minimum of many rounds: other programs on the machine only add.
"""

import gc
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from afluente.adapters.aws.calls import in_chunks
from afluente.adapters.aws.dynamodb_state_items import STREAMS_A_BUCKET, number_in_bytes
from afluente.adapters.codecs.packs import decode_pack, encode_pack
from afluente.adapters.codecs.states import decode_state, encode_state
from afluente.adapters.codecs.stored_streams import StoredStream, decode_streams, encode_streams
from afluente.application.constraints.documents import parse_entry
from afluente.domain.classification import classify, in_stream_order
from afluente.domain.constraints import VersionedConfig
from afluente.domain.datapoints import DataPoint
from afluente.domain.stream_state import StreamState

try:
    import bytewax.operators as op
    from bytewax.dataflow import Dataflow
    from bytewax.testing import TestingSink, TestingSource, run_main
except ImportError:  # of this benchmark alone
    HAS_PEER = False
else:
    HAS_PEER = True

POINTS = 1000
ROUNDS = 40
BEGIN = 1_700_000_000.0
CONSTRAINTS: dict[str, Any] = {
    "domain": "iot",
    "value_constraints": {"min_value": 0, "max_value": 105, "alert_max": 103, "warning_min": 1, "warning_max": 100},
    "rate_constraints": {"abs_delta": 50, "rel_delta": 900, "abs_slope": 50},
}

_encoder = msgspec.json.Encoder()
_LAST_PACK = number_in_bytes(18_849_496_460_467_696_128)


def main() -> None:
    steps = ["message to points", "classification", "points to lines", "together", "states to and from bytes"]
    print("| streams | " + " | ".join(steps) + " | bytewax |\n" + "|---" * (len(steps) + 2) + "|")
    for streams in (5, 100, 1000):
        figures = [f"{figure:.1f}" for figure in measured(streams)]
        peer = f"{by_bytewax(streams):.1f}" if HAS_PEER else "not installed"
        print(f"| {streams} | " + " | ".join(figures) + f" | {peer} |")


def a_pack(streams: int, number: int) -> tuple[DataPoint, ...]:
    """Points of one source, the streams in turn, a second after those of the pack before."""
    turns = POINTS // streams
    return tuple(
        DataPoint(
            domain="iot",
            source_id="furnace-1",
            stream_id=f"furnace-1:sensor-{n % streams}",
            value=round(20.0 + (n + number) % 17 / 7, 2),
            timestamp=BEGIN + number * turns + n // streams,
            stream_type="temperature",
            ingested_at=BEGIN + number * turns,
        )
        for n in range(POINTS)
    )


def by_stream(points: Sequence[DataPoint]) -> dict[tuple[str, str, str], list[DataPoint]]:
    found: dict[tuple[str, str, str], list[DataPoint]] = {}
    for point in points:
        found.setdefault((point.domain, point.source_id, point.stream_id), []).append(point)
    return found


def measured(streams: int) -> list[float]:
    """Microseconds a point of each step, of all, and of the way of states to the bytes of buckets and back."""
    constraints = VersionedConfig(parse_entry(CONSTRAINTS).config, 1, key="iot")
    states: dict[tuple[str, str, str], StreamState] = {}
    best = [float("inf")] * 5
    filling = 32 // (POINTS // streams) + 1
    for number in range(filling + ROUNDS):
        body = encode_pack(a_pack(streams, number)).body
        gc.collect()
        began = time.process_time()
        points = decode_pack(body).points
        decoded = time.process_time()
        classified = []
        for key, its in by_stream(points).items():
            result = classify(in_stream_order(its), constraints, states.get(key, StreamState()), BEGIN)
            states[key] = result.state
            classified += result.points
        judged = time.process_time()
        lines = _encoder.encode_lines(classified)
        written = time.process_time()
        check(lines.count(b"\n"), POINTS)
        stored = from_bytes(to_bytes(states))
        saved = time.process_time()
        check(len(stored), streams)
        # As after their way through the table: windows are packed.
        states = dict(zip(states, stored, strict=True))
        if number < filling:
            continue
        took = [decoded - began, judged - decoded, written - judged, written - began, saved - written]
        best = [min(*pair) for pair in zip(best, (seconds / POINTS * 1e6 for seconds in took), strict=True)]
    return best


def to_bytes(states: Mapping[Any, StreamState]) -> list[bytes]:
    """The streams of each bucket, as they are written."""
    stored = [StoredStream(key[2], _LAST_PACK, encode_state(state)) for key, state in states.items()]
    return [encode_streams(its, compact=True) for its in in_chunks(stored, STREAMS_A_BUCKET)]


def from_bytes(buckets: Sequence[bytes]) -> list[StreamState]:
    """The states of all streams of some buckets."""
    return [decode_state(stored.state) for bucket in buckets for stored in decode_streams(bucket)]


def check(found: int, expected: int) -> None:
    """Refuse to measure a job that was not done."""
    if found != expected:
        raise SystemExit(f"{found} of {expected}")


# --- the peer --------------------------------------------------------------------------------------------------------


class Memory(msgspec.Struct):
    """The state of a stream in the dataflow."""

    newest: float = float("-inf")
    baseline: tuple[float, float] | None = None
    window: deque[tuple[float, float]] = msgspec.field(default_factory=lambda: deque(maxlen=32))
    in_a_row: int = 0


class Line(msgspec.Struct):
    """A classified point of the dataflow."""

    source_id: str
    stream_id: str
    value: float
    timestamp: float
    classification: str
    violated: list[str]
    late: bool


def by_bytewax(streams: int, packs: int = 40) -> float:
    """Microseconds a point of a dataflow that does the same; the minimum of three runs."""
    bodies = [encode_pack(a_pack(streams, number)).body for number in range(packs)]
    best = float("inf")
    for _ in range(3):
        lines: list[bytes] = []
        flow = Dataflow("classification")
        points = op.flat_map("decode", op.input("in", flow, TestingSource(bodies)), lambda its: decode_pack(its).points)
        keyed = op.key_on("key", points, lambda its: f"{its.domain}/{its.source_id}/{its.stream_id}")
        classified = op.stateful_map("classify", keyed, step)
        op.output("out", op.map("encode", classified, lambda its: _encoder.encode(its[1])), TestingSink(lines))
        gc.collect()
        began = time.process_time()
        run_main(flow)
        best = min(best, time.process_time() - began)
        check(len(lines), packs * POINTS)
    return best / packs / POINTS * 1e6


def step(memory: Memory | None, point: DataPoint) -> tuple[Memory, Line]:
    """Classify a point by the same constraints."""
    memory = memory or Memory()
    value, timestamp = point.value, point.timestamp
    late = timestamp <= memory.newest
    reference = memory.baseline
    if late:
        older = [past for past in memory.window if past[0] < timestamp]
        reference = max(older) if older else min(memory.window)
    bounds = CONSTRAINTS["value_constraints"]
    violated = [name for name, bound in bounds.items() if (value < bound if "min" in name else value > bound)]
    if reference is not None:
        limits = CONSTRAINTS["rate_constraints"]
        delta, dt = abs(value - reference[1]), abs(timestamp - reference[0])
        if delta > limits["abs_delta"]:
            violated.append("abs_delta")
        if reference[1] and delta / abs(reference[1]) * 100 > limits["rel_delta"]:
            violated.append("rel_delta")
        if dt and delta / dt > limits["abs_slope"]:
            violated.append("abs_slope")
    memory.window.append((timestamp, value))
    if not late:
        memory.newest, memory.baseline = timestamp, (timestamp, value)
        memory.in_a_row = memory.in_a_row + 1 if violated else 0
    classification = "normal" if not violated else "alert" if violated[0] in {"min_value", "max_value"} else "warning"
    return memory, Line(point.source_id, point.stream_id, value, timestamp, classification, violated, late)


if __name__ == "__main__":
    main()
