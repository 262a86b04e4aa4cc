"""Requests, write units and bytes that a pack costs the state table, by layout.

    uv run python benchmarks/state_layout.py

Counts only, so that the machine does not matter: states are encoded by the real codec with full windows, for a
pack of `touched` of a source's `streams`, in the steady state (every stream known, the container warm).
"""

import random
from collections.abc import Callable
from math import ceil
from typing import NamedTuple

from afluente.adapters.aws.dynamodb_state_items import STREAMS_A_BUCKET
from afluente.adapters.codecs.states import encode_state
from afluente.domain.stream_state import OpenWindow, StreamState, WindowPoint

WRITE_UNIT = 1024
READ_UNIT = 4096
BATCH_GET = 100
ITEM_LIMIT = 400 * 1024
ATTRIBUTES = 90  # names, key and numbers of an item
ENTRY = 40  # a stream's id and the number of its last pack


class Cost(NamedTuple):
    reads: int
    writes: int
    read_units: int
    write_units: int


def state_bytes(*, with_sequence: bool = False) -> int:
    """Bytes of a state with a full window of readings a second apart, such as 73.96732207."""
    chance = random.Random(1)  # noqa: S311
    window = [
        WindowPoint(1_700_000_000.0 + place, place if with_sequence else -1, chance.uniform(50, 100), True)
        for place in range(32)
    ]
    return len(encode_state(StreamState(window[-1][:2], window[-1], OpenWindow.of(window))))


def item_a_stream(touched: int, _streams: int, size: int) -> Cost:
    units = ceil((size + ENTRY + ATTRIBUTES) / WRITE_UNIT)
    return Cost(ceil(touched / BATCH_GET), touched, touched * 1, touched * units)


def item_a_source(_touched: int, streams: int, size: int) -> Cost | None:
    item = streams * (size + ENTRY) + ATTRIBUTES
    if item > ITEM_LIMIT:
        return None
    return Cost(1, 1, ceil(item / READ_UNIT), ceil(item / WRITE_UNIT))


def buckets_of(capacity: int) -> Callable[[int, int, int], Cost]:
    def cost(touched: int, streams: int, size: int) -> Cost:
        # Streams that came together share buckets; those touched here are the first, as a request names them.
        buckets = ceil(touched / capacity)
        item = min(capacity, streams) * (size + ENTRY) + ATTRIBUTES
        return Cost(
            ceil(buckets / BATCH_GET), buckets, buckets * ceil(item / READ_UNIT), buckets * ceil(item / WRITE_UNIT)
        )

    return cost


LAYOUTS: dict[str, Callable[[int, int, int], Cost | None]] = {
    "item a stream": item_a_stream,
    "item a source": item_a_source,
    "buckets of 4": buckets_of(4),
    f"buckets of {STREAMS_A_BUCKET}": buckets_of(STREAMS_A_BUCKET),
    "buckets of 16": buckets_of(16),
    "buckets of 32": buckets_of(32),
}


def main() -> None:
    size = state_bytes()
    print(f"state of a stream: {size} bytes, with sequences {state_bytes(with_sequence=True)} bytes\n")
    print("| layout | " + " | ".join(f"{touched} of {streams}" for touched, streams in SHAPES) + " |")
    print("|---|" + "---|" * len(SHAPES))
    for name, layout in LAYOUTS.items():
        costs = [layout(touched, streams, size) for touched, streams in SHAPES]
        cells = [f"{c.reads} + {c.writes}, {c.write_units}" if c else "too large" for c in costs]
        print(f"| {name} | " + " | ".join(cells) + " |")


SHAPES = ((1, 1), (1, 8), (1, 100), (8, 8), (50, 50), (100, 1000), (1000, 1000))


if __name__ == "__main__":
    main()
