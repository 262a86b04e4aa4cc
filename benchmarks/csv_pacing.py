"""Large CSV files beside live points and a small file, through the local stack: who waits for whom, and for how long.

    .venv/bin/python benchmarks/csv_pacing.py --points 300000 --files 20

Drops a large file while two neighbours send a point a second, one in the message group of the file and one in another.
Then drops many files of one tenant and, while they are loaded, a small one of another.
"""

import argparse
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from random import Random

from afluente.application.ingest.packs import shard_group
from cli.core.state import StateDir
from tests.csv_bucket import CsvBucket
from tests.factories import a_point
from tests.outbox import Outbox
from tests.stack import LocalStack, running_stack

SHARDS = 64
START = 1_704_067_200
WITHIN_SECONDS = 200.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=300_000, help="of the large file (default 300,000); 0 for none")
    parser.add_argument("--files", type=int, default=20, help="of one tenant (default 20); 0 for none")
    parser.add_argument("--rows", type=int, default=100_000, help="of each of them (default 100,000)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, running_stack(StateDir.of(Path(folder))) as stack:
        if arguments.points:
            beside_live_points(stack, arguments.points)
        if arguments.files:
            beside_many_files(stack, arguments.files, arguments.rows)


def beside_live_points(stack: LocalStack, points: int) -> None:
    bucket, outbox = CsvBucket(stack), Outbox(stack)
    bucket.drop("iot/warm/file.csv", table(10))
    bucket.ended("iot/warm")
    neighbour = a_source_of(shard_group("iot/furnace-1", SHARDS), is_same=True)
    other = a_source_of(shard_group("iot/furnace-1", SHARDS), is_same=False)
    with live_points(stack, [neighbour, other]):
        began = time.monotonic()
        bucket.drop("iot/furnace-1/large.csv", table(points))
        [job] = bucket.ended("iot/furnace-1", within=WITHIN_SECONDS)
        seconds = time.monotonic() - began
    stack.drained(within=WITHIN_SECONDS)
    print(f"a file of {points:,} points: {job.status}, {seconds:.1f} s, {points / seconds:,.0f} points/s")
    for name, source in [("in its message group", neighbour), ("in another", other)]:
        waits = sorted(line["processed_at"] - line["ingested_at"] for line in outbox.lines(f"iot/{source}"))
        half, p95 = statistics.median(waits), waits[int(len(waits) * 0.95)]
        print(f"live points {name}: {len(waits)}, p50 {half:.2f} s, p95 {p95:.2f} s, at most {waits[-1]:.2f} s")


def beside_many_files(stack: LocalStack, files: int, rows: int) -> None:
    bucket = CsvBucket(stack)
    content = table(rows)
    for number in range(files):
        bucket.drop(f"iot/acme-{number}/large.csv", content)
    while not any(job.parts for number in range(files) for job in bucket.jobs(f"iot/acme-{number}")):
        time.sleep(0.5)
    time.sleep(5)
    began = time.monotonic()
    bucket.drop("iot/globex-1/small.csv", table(1_000))
    [job] = bucket.ended("iot/globex-1", within=WITHIN_SECONDS)
    seconds = time.monotonic() - began
    jobs = [job for number in range(files) for job in bucket.jobs(f"iot/acme-{number}")]
    done = sum(job.status.is_final for job in jobs)
    print(
        f"a small file beside {files} of another tenant: {job.status} after {seconds:.1f} s; {done} of those were done"
    )


def table(rows: int) -> bytes:
    noise = Random(7)  # noqa: S311 - no secret
    return ("timestamp,value\n" + "".join(f"{START + row},{noise.gauss(70, 8):.2f}\n" for row in range(rows))).encode()


def a_source_of(group: str, *, is_same: bool) -> str:
    names = (f"live-{number}" for number in count())
    return next(name for name in names if (shard_group(f"iot/{name}", SHARDS) == group) is is_same)


@contextmanager
def live_points(stack: LocalStack, sources: Sequence[str]) -> Iterator[None]:
    """Send a point a second of each source for the block."""
    is_over = threading.Event()

    def send() -> None:
        for number in count():
            if is_over.wait(1):
                return
            for source in sources:
                stack.send([a_point(number, at=number, source_id=source)])

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield
    finally:
        is_over.set()
        sender.join()


if __name__ == "__main__":
    main()
