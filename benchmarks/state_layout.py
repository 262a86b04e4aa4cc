"""Requests, write units and bytes that a pack costs the state table, by layout and form.

    .venv/bin/python benchmarks/state_layout.py

Counts only, so that the machine does not matter: states with full windows are encoded by the real codecs, for a pack of
`touched` of a source's `streams`, in the steady state (every stream known, the container warm); and what a container
that starts reads of a source, for one of its streams.
"""

import random
from collections.abc import Callable, Sequence
from functools import cache
from math import ceil
from typing import NamedTuple

from afluente.adapters.aws.dynamodb_state_items import (
    BUCKETS_A_CHUNK,
    STREAMS_A_BUCKET,
    item_of_chunk,
    number_in_bytes,
)
from afluente.adapters.codecs.states import encode_state
from afluente.adapters.codecs.stored_streams import StoredStream, encode_streams
from afluente.domain.stream_state import OpenWindow, StreamState, WindowPoint

WRITE_UNIT = 1024
READ_UNIT = 4096
BATCH_GET = 100
ITEM_LIMIT = 400 * 1024
ATTRIBUTES = 90  # names, key and numbers of an item

Value = Callable[[random.Random], float]


class Cost(NamedTuple):
    reads: int
    writes: int
    write_units: int


VALUES: dict[str, tuple[Value, bool]] = {
    "two decimals": (lambda chance: round(chance.uniform(50, 100), 2), False),
    "two decimals, with sequences": (lambda chance: round(chance.uniform(50, 100), 2), True),
    "one decimal, close together": (lambda chance: round(20 + chance.gauss(0, 0.3), 1), False),
    "all digits": (lambda chance: chance.uniform(50, 100), False),
}


@cache
def item_bytes(streams: int, values: str, *, compact: bool) -> int:
    """Bytes of an item with so many streams, their points some milliseconds beside each second."""
    chance = random.Random(1)  # noqa: S311
    value, with_sequence = VALUES[values]
    stored: list[StoredStream] = []
    for number in range(streams):
        window = [
            WindowPoint(
                round(1_700_000_000.0 + place + chance.uniform(0, 0.005), 3),
                place if with_sequence else -1,
                value(chance),
                within_hard_limits=True,
            )
            for place in range(32)
        ]
        state = StreamState(window[-1][:2], window[-1], OpenWindow.of(window))
        encoded = encode_state(state, compact=compact)
        stored.append(StoredStream(f"sensor-{number}", number_in_bytes(18_849_496_460_467_696_128), encoded))
    return len(encode_streams(stored, compact=compact)) + ATTRIBUTES


def buckets_of(capacity: int, touched: int, streams: int, *, compact: bool) -> Cost | None:
    """Streams that came together share buckets; those touched here are the first, as a request names them."""
    buckets = ceil(touched / capacity)
    size = item_bytes(min(capacity, streams), "two decimals", compact=compact)
    if size > ITEM_LIMIT:
        return None
    return Cost(ceil(buckets / BATCH_GET), buckets, buckets * ceil(size / WRITE_UNIT))


def start_of_a_container(streams: int, *, compact: bool) -> tuple[str, str]:
    """Requests and read units for one stream in the first bucket, without and with the index."""
    size = item_bytes(STREAMS_A_BUCKET, "two decimals", compact=compact)
    buckets = ceil(streams / STREAMS_A_BUCKET)
    pages = ceil(buckets * size / 2**20)
    all_of_it = f"{pages}, {ceil(buckets * size / READ_UNIT)}"
    last = min(buckets, BUCKETS_A_CHUNK)
    units = ceil(last * size / READ_UNIT)
    if buckets <= BUCKETS_A_CHUNK:
        return all_of_it, f"1, {units}"
    homes = {f"sensor-{number}": number // STREAMS_A_BUCKET for number in range(STREAMS_A_BUCKET * BUCKETS_A_CHUNK)}
    chunk = len(item_of_chunk("iot/furnace-1", 0, homes)["ids"]["B"]) + ATTRIBUTES
    index = ceil((buckets - 1) // BUCKETS_A_CHUNK * chunk / READ_UNIT)
    return all_of_it, f"3, {units + index + ceil(size / READ_UNIT)}"


def main() -> None:
    print(table(["an item of eight streams", "before", "compact"], [*sizes()]))
    for compact in (False, True):
        print(f"\n{'compact' if compact else 'before'}: reads + writes, write units\n")
        rows = [[name, *layout(capacity, compact=compact)] for name, capacity in LAYOUTS.items()]
        print(table(["layout", *[f"{touched} of {streams}" for touched, streams in SHAPES]], rows))
    print("\na container that starts: requests, read units\n")
    rows = [[f"{streams:,}", *start_of_a_container(streams, compact=True)] for streams in (8, 100, 1_000, 10_000)]
    print(table(["streams", "all buckets", "with the index"], rows))


def sizes() -> Sequence[Sequence[str]]:
    """Bytes and write units of an item by form and values."""
    return [
        [
            values,
            *[
                f"{(size := item_bytes(STREAMS_A_BUCKET, values, compact=compact)):,} bytes, {ceil(size / WRITE_UNIT)}"
                for compact in (False, True)
            ],
        ]
        for values in VALUES
    ]


def layout(capacity: int, *, compact: bool) -> list[str]:
    """The cost of each shape of pack."""
    costs = [buckets_of(capacity or streams, touched, streams, compact=compact) for touched, streams in SHAPES]
    return [f"{c.reads} + {c.writes}, {c.write_units}" if c else "too large" for c in costs]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows])


# 0 streams an item: all of a source.
LAYOUTS = {
    "item a stream": 1,
    "item a source": 0,
    "buckets of 4": 4,
    f"**buckets of {STREAMS_A_BUCKET}**": STREAMS_A_BUCKET,
    "buckets of 16": 16,
    "buckets of 32": 32,
}
SHAPES = ((1, 1), (1, 8), (1, 100), (8, 8), (50, 50), (100, 1000), (1000, 1000))


if __name__ == "__main__":
    main()
