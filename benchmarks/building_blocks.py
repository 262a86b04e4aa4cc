"""Cost of each step of a point on one core, without any call: points a second and microseconds a point.

    .venv/bin/python benchmarks/building_blocks.py

`json.loads` of the same body is the peer in the same run.
"""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from timeit import repeat
from typing import Any

from afluente.adapters.aws.kinesis import KinesisStreams
from afluente.adapters.codecs.packs import decode_pack, encode_pack
from afluente.adapters.codecs.states import encode_state
from afluente.adapters.http.points import decode_points
from afluente.adapters.memory.classifier import MemoryClassifier
from afluente.adapters.memory.constraints import MemoryConstraints
from afluente.application.access.grants import Grant
from afluente.application.classification.classifier import ConstraintClassifier
from afluente.application.classification.ports import Delivery
from afluente.application.constraints.documents import parse_entry
from afluente.application.constraints.lookup import ConstraintsLookup
from afluente.application.ingest.packs import ReceivedPack
from afluente.domain.classification import classify
from afluente.domain.constraints import VersionedConfig
from afluente.domain.evaluation import Classification
from afluente.domain.stream_state import StreamState

POINTS = 1000
STREAMS = 5
GRANT = Grant(key_id="aaaaaaaa")
CONSTRAINTS = {
    "domain": "iot",
    "value_constraints": {"min_value": 0, "max_value": 105, "alert_max": 103, "warning_min": 1, "warning_max": 100},
    "rate_constraints": {"abs_delta": 50, "rel_delta": 900, "abs_slope": 50},
}


def main() -> None:
    now = time.time()
    body = json.dumps(
        {
            "domain": "iot",
            "source_id": "furnace-1",
            "datapoints": [
                {
                    "stream_id": f"furnace-1:sensor-{n % STREAMS}",
                    "value": 20.0 + n % 17 / 7,
                    "timestamp": now - POINTS + n,
                    "stream_type": "temperature",
                }
                for n in range(POINTS)
            ],
        }
    ).encode()
    request = decode_points(body, headers={}, domains=["iot"], grant=GRANT, request_id="r", now=now)
    message = encode_pack(request.points)
    points = decode_pack(message.body).points
    entry = parse_entry(CONSTRAINTS)
    one_stream = [point for point in points if point.stream_id == points[0].stream_id]
    outcome = classify(one_stream, VersionedConfig(entry.config, 1), StreamState(), now)
    state = encode_state(outcome.state)
    classified = outcome.points * STREAMS
    catalogue = MemoryConstraints()
    catalogue.put(entry.scope, entry.config)

    def use_case() -> None:
        lookup = ConstraintsLookup(catalogue, ttl_seconds=60, clock=time.monotonic)
        case = MemoryClassifier(ConstraintClassifier(lookup), clock=time.time)
        case(ReceivedPack("m", "1-of-64", 1, points))

    print(f"{POINTS} points of {STREAMS} streams, {len(body):,} bytes as JSON, {len(message.body):,} bytes as a pack\n")
    print("| step | µs a point | points a second |\n|---|---|---|")
    show("json.loads, for comparison", lambda: json.loads(body))
    show(
        "request: bytes to points",
        lambda: decode_points(body, headers={}, domains=["iot"], grant=GRANT, request_id="r", now=now),
    )
    show("pack: points to message", lambda: encode_pack(request.points))
    show("pack: message to points", lambda: decode_pack(message.body))
    show("classify, with states and constraints in memory", use_case)
    show("write: points to NDJSON", lambda: encode_only(classified))
    print(f"\nstate of a stream with a full window: {len(state)} bytes")


def show(step: str, call: Callable[[], object], per: int = POINTS) -> None:
    number = 20
    seconds = min(repeat(call, number=number, repeat=5)) / number / per
    print(f"| {step} | {seconds * 1e6:.2f} | {1 / seconds:,.0f} |")


class _Sink:
    """A Kinesis client that sends nothing."""

    def put_records(self, *, StreamName: str, Records: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: ARG002, N803
        return {"Records": [{} for _ in Records]}


def encode_only(points: list[Any]) -> None:
    sink: Any = _Sink()
    with ThreadPoolExecutor(1) as executor:
        streams = KinesisStreams(sink, dict.fromkeys(Classification, "stream"), executor=executor)
        streams.put([Delivery(Classification.NORMAL, "1-of-64", points)], time_left=lambda: 30.0)


if __name__ == "__main__":
    main()
