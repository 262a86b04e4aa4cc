"""A large CSV file through the local stack: rows a second beside plain pandas, the function's peak memory, and kills.

    .venv/bin/python benchmarks/csv_throughput.py --points 50000000 --kills 20

Makes a file of 100 bytes a row with one point each, has plain pandas read it, drops it into the bucket of a local stack
of its own, and receives the packs from the queue itself, in place of the classifier: only the job is measured. Each
row has to come once and in its order. The file stays in the folder `--folder`.
"""

import argparse
import itertools
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any, Self

import numpy as np

from afluente.adapters.aws.dynamodb_csv_jobs import DynamoCsvJobs
from afluente.adapters.aws.dynamodb_slots import DynamoSlots
from afluente.adapters.codecs.csv.blocks import BLOCK_BYTES, blocks
from afluente.adapters.codecs.csv.columns import ColumnReader
from afluente.adapters.codecs.csv.inference import SAMPLE_BYTES, inspect
from afluente.adapters.codecs.csv.options import CSVIngestConfig
from afluente.adapters.codecs.csv.rows import RowReader, RowsRead, Streams
from afluente.adapters.codecs.packs import DecodedPack, decode_pack, encode_rows, rows_of
from afluente.application.csv.jobs import CsvJob
from cli.core.state import StateDir
from tests.stack import LocalStack, running_stack

ROW = "{time},furnace-1-temperature-north-wall,{value},degrees-celsius,{filler}\n"
ROW_BYTES = 100
FIRST_MS = 1_704_067_200_000
STEP_MS = 10
UPLOAD_PART_BYTES = 64 * 1024 * 1024
BATCH_ROWS = 200_000
READERS_BLOCKS = 40
PLAIN_PANDAS = """
import sys, time
import pandas as pd
begun = time.perf_counter()
rows = sum(len(chunk) for chunk in pd.read_csv(sys.argv[1], chunksize=int(sys.argv[2]), parse_dates=["timestamp"]))
print(rows, time.perf_counter() - begun)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=1_000_000, help="rows of one point each (default 1,000,000)")
    parser.add_argument("--kills", type=int, default=0, help="how often the function is killed at random (default 0)")
    parser.add_argument("--seed", type=int, default=1, help="of the times of the kills (default 1)")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="where the file is kept")
    arguments = parser.parse_args()
    file = arguments.folder / f"afluente-csv-throughput-{arguments.points}.csv"
    if not file.exists():
        make(file, arguments.points)
    size = file.stat().st_size
    print(f"{file.name}: {size / 1e9:.2f} GB, {arguments.points:,} rows of one point each")
    rows, seconds = plain_pandas(file)
    print(f"plain pandas, the same chunks: {rows / seconds:,.0f} rows/s ({seconds:.1f} s)")
    readers_alone(file)
    with tempfile.TemporaryDirectory() as folder, running_stack(StateDir.of(Path(folder))) as stack:
        through(stack, file, arguments.points, arguments.kills, Random(arguments.seed))  # noqa: S311 - no secret


def make(file: Path, rows: int) -> None:
    noise = np.random.default_rng(7)
    unfinished = file.with_suffix(".unfinished")
    with unfinished.open("w") as lines:
        lines.write("timestamp,sensor,value,unit,note\n")
        for first in range(0, rows, BATCH_ROWS):
            count = min(BATCH_ROWS, rows - first)
            moments = FIRST_MS + STEP_MS * np.arange(first, first + count)
            times = moments.astype("datetime64[ms]").astype(str)
            values = np.round(noise.normal(70, 8, count), 4)
            bare = len(ROW.format(time=times[0], value="", filler=""))
            lines.write(
                "".join(
                    ROW.format(time=moment, value=value, filler="-" * (ROW_BYTES - bare - len(str(value))))
                    for moment, value in zip(times, values.tolist(), strict=True)
                )
            )
    unfinished.rename(file)


def plain_pandas(file: Path) -> tuple[int, float]:
    """Rows and seconds of a process that only reads the file in chunks."""
    chunk = str(BLOCK_BYTES // ROW_BYTES)
    done = subprocess.run([sys.executable, "-c", PLAIN_PANDAS, file, chunk], check=True, capture_output=True, text=True)
    rows, seconds = done.stdout.split()
    return int(rows), float(seconds)


def readers_alone(file: Path) -> None:
    """Time the two readers and the encoding of messages in this process, without calls or a queue."""
    with file.open("rb") as content:
        given = CSVIngestConfig(source_id="furnace-1")
        layout = inspect(content.read(SAMPLE_BYTES), is_whole=False, given=given, file=file.name).layout
        content.seek(layout.begins.offset)
        some = list(itertools.islice(blocks(content, layout), READERS_BLOCKS))
    streams = Streams(layout, "furnace-1", 0, 1)
    quick, exact = ColumnReader(layout, streams), RowReader(layout, streams)
    now, begins = time.time(), layout.begins
    texts = [block.data.decode() for block in some[: READERS_BLOCKS // 5]]
    read = timed("the quick reader", lambda: [quick.read(block.data, 0, now) for block in some])
    timed("the exact reader", lambda: [exact.read(text, begins, now) for text in texts])
    timed("messages of what was read", lambda: [_message(rows) for rows in read])


def _message(read: RowsRead) -> RowsRead:
    encode_rows("iot", "furnace-1", rows_of(read.series), 0.0)
    return read


def timed(what: str, work: Callable[[], list[RowsRead]]) -> list[RowsRead]:
    begun = time.perf_counter()
    done = work()
    print(f"{what} alone: {sum(read.rows for read in done) / (time.perf_counter() - begun):,.0f} rows/s")
    return done


def through(stack: LocalStack, file: Path, points: int, kills: int, random: Random) -> None:
    store = DynamoCsvJobs(stack.client("dynamodb"), stack.target["CsvJobsTable"], retention_seconds=3600)
    seen = Seen(points)
    # Killed often, the job is to be retried soon: 11 s after it was received, of which it may work 10.
    with (
        stack.paused(),
        stack.visibility_timeout(11, "CsvJobsQueueUrl"),
        stack.configured("csv_trigger", timeout=10),
        Sampler(stack) as sampler,
        taking(stack, seen),
    ):
        upload(stack, file)
        job = wait(lambda: begun(store))
        started = time.perf_counter()
        chances = {"points": points, "kills": kills, "random": random}
        killer = threading.Thread(target=kill_at_random, args=(stack, store, job.job_id), kwargs=chances)
        killer.start()
        ended = wait(lambda: ended_or_none(store, job.job_id))
        seconds = time.perf_counter() - started
        killer.join()
        wait(lambda: stack.packs_under_way() == 0 or None)
    [part] = ended.parts
    print(
        f"the job: {ended.status}, {part.rows_read:,} rows, {part.points_queued:,} points, {part.rows_rejected:,} rows "
        f"rejected, in {seconds:.1f} s: {points / seconds:,.0f} rows/s; killed {kills} times\n"
        f"the function's peak memory: {sampler.peak_bytes / 2**20:,.0f} MiB in {sampler.processes} process(es)\n"
        f"from the queue: {seen.points:,} points in {seen.packs:,} packs; missing {seen.missing():,}, "
        f"twice {seen.twice():,}, out of order {seen.disordered:,}"
    )


class Seen:
    """Rows received, and their order; a row is recognised by its time."""

    def __init__(self, rows: int) -> None:
        self.points = self.packs = self.disordered = 0
        self._came = np.zeros(rows, dtype=np.uint8)
        self._last = -1

    def receive(self, pack: DecodedPack) -> None:
        rows = np.array([round((point.timestamp * 1000 - FIRST_MS) / STEP_MS) for point in pack.points])
        self.points += len(rows)
        self.packs += 1
        self.disordered += int(rows[0] <= self._last) + int((np.diff(rows) <= 0).sum())
        self._last = int(rows[-1])
        np.add.at(self._came, rows, 1)

    def missing(self) -> int:
        return int((self._came == 0).sum())

    def twice(self) -> int:
        return int((self._came > 1).sum())


@contextmanager
def taking(stack: LocalStack, seen: Seen) -> Iterator[None]:
    """Receive packs from the queue for the block, in place of the classifier."""
    is_over = threading.Event()
    sqs, url = stack.client("sqs"), stack.target["DatapointsQueueUrl"]
    table = f"afluente-{stack.target.name}-csv-slots"
    slots = DynamoSlots(stack.client("dynamodb"), table, limit=2, lease_seconds=900, clock=time.time)

    def receive() -> None:
        while not is_over.is_set():
            answer = sqs.receive_message(
                QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1, MessageSystemAttributeNames=["All"]
            )
            for message in answer.get("Messages", []):
                pack, attributes = decode_pack(message["Body"]), message["Attributes"]
                seen.receive(pack)
                slots.release(attributes["MessageGroupId"], str(pack.slot), int(attributes["SequenceNumber"]))
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    with ThreadPoolExecutor(1) as pool:
        receiving = pool.submit(receive)
        try:
            yield
        finally:
            is_over.set()
            receiving.result()


class Sampler:
    """The largest resident set that a process of the function has had (VmHWM of /proc)."""

    def __init__(self, stack: LocalStack) -> None:
        self.peak_bytes = 0
        self._stack = stack
        self._seen: set[int] = set()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._sample)

    @property
    def processes(self) -> int:
        return len(self._seen)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._is_over.wait(0.2):
            for pid in self._stack.workers("csv_trigger"):
                self._seen.add(pid)
                self.peak_bytes = max(self.peak_bytes, _high_water_mark(pid))


def _high_water_mark(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:  # it has ended
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)


def upload(stack: LocalStack, file: Path) -> None:
    s3, place = stack.client("s3"), {"Bucket": stack.target["CsvBucket"], "Key": "inbox/iot/furnace-1/large.csv"}
    upload_id = s3.create_multipart_upload(**place)["UploadId"]
    parts: list[dict[str, Any]] = []
    with file.open("rb") as content:
        while body := content.read(UPLOAD_PART_BYTES):
            number = len(parts) + 1
            answer = s3.upload_part(**place, UploadId=upload_id, PartNumber=number, Body=body)
            parts.append({"PartNumber": number, "ETag": answer["ETag"]})
    s3.complete_multipart_upload(**place, UploadId=upload_id, MultipartUpload={"Parts": parts})


def kill_at_random(
    stack: LocalStack, store: DynamoCsvJobs, job_id: str, *, points: int, kills: int, random: Random
) -> None:
    """Kill the function so many times, each a moment after a random share of the rows is read."""
    for share in sorted(random.random() * 0.95 for _ in range(kills)):
        while queued(store, job_id) < share * points:
            time.sleep(0.05)
        time.sleep(random.random() * 0.2)
        for pid in stack.workers("csv_trigger"):
            os.kill(pid, signal.SIGKILL)


def queued(store: DynamoCsvJobs, job_id: str) -> int:
    job = store.find(job_id)
    return sum(part.points_queued for part in job.parts) if job else 0


def begun(store: DynamoCsvJobs) -> CsvJob | None:
    return next((job for job in store.newest("iot", before=None, limit=1) if job.parts), None)


def ended_or_none(store: DynamoCsvJobs, job_id: str) -> CsvJob | None:
    job = store.find(job_id)
    return job if job is not None and job.status.is_final else None


def wait(condition: Any) -> Any:
    while not (found := condition()):
        time.sleep(0.1)
    return found


if __name__ == "__main__":
    main()
