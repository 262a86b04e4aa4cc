"""HTTP on the local stack: latency of answers, points a second, and processor time by process.

    .venv/bin/afluente up
    .venv/bin/python benchmarks/http_latency.py

Sends to the running local stack only. A request that is refused before it reaches the queue is the floor of the
emulator and of the function's runtime in the same run.
"""

import argparse
import http.client
import json
import os
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from afluente.adapters.codecs.kinesis_records import lines_of
from cli.access.api_key import key_for
from cli.core.local_stack import find_emulator
from cli.core.state import StateDir
from cli.core.target import Target, TargetChoice, resolve
from cli.reading.shards import LATEST, ShardReader

GOAL = 10_000
"""Points a second that the design asks of HTTP on a small machine."""

TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=300, help="requests of each latency figure (default 300)")
    parser.add_argument("--points", type=int, default=300_000, help="points of the throughput figure (default 300,000)")
    parser.add_argument("--sources", type=int, default=4, help="sources that send side by side (default 4)")
    parser.add_argument("--batch", type=int, default=1000, help="points a request of the throughput (default 1000)")
    parser.add_argument(
        "--state-dir", type=Path, default=os.environ.get("AFLUENTE_STATE_DIR"), help="of the local stack"
    )
    arguments = parser.parse_args()
    target = resolve(TargetChoice(StateDir.of(arguments.state_dir and Path(arguments.state_dir))))
    key = key_for(target, None)
    print("| what | p50 | p95 | p99 |\n|---|---|---|---|")
    with Client(target, key) as client:
        for _ in range(50):
            client.ingest("warm-up", 1)
        report("refused: the floor", arguments.requests, client.refused)
        for points in (1, 100, 1000):
            report(f"{points} point(s) a request", arguments.requests, partial(client.ingest, "latency", points))
    settle(target)
    throughput(target, key, arguments)


class Client:
    """One connection, one request in flight; each source's points go on where its last request ended."""

    def __init__(self, target: Target, key: str) -> None:
        address = urlsplit(target.api_url)
        self._path = address.path
        self._connection = http.client.HTTPConnection(address.hostname or "", address.port)
        self._headers = {"X-API-Key": key, "Content-Type": "application/json"}
        self._next = time.time() - 10_000_000
        self._run = f"bench-{time.time_ns()}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def refused(self) -> None:
        self._call("POST", "/ingest/datapoints", "{}", 400)

    def ingest(self, source: str, points: int) -> None:
        first, self._next = self._next, self._next + points
        datapoints = [
            {
                "stream_id": f"sensor-{n % 5}",
                "value": 20.0 + n % 17 / 7,
                "timestamp": first + n,
                "stream_type": "temperature",
            }
            for n in range(points)
        ]
        body = json.dumps({"domain": "iot", "source_id": f"{source}-{self._run}", "datapoints": datapoints})
        self._call("POST", "/ingest/datapoints", body, 202)

    def _call(self, method: str, path: str, body: str | None, expected: int) -> None:
        self._connection.request(method, self._path + path, body, self._headers)
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status != expected:
            raise RuntimeError(f"{answer.status}: {text!r}")


def timed(count: int, call: Callable[[], None]) -> list[float]:
    """Seconds of each of some calls."""
    durations = []
    for _ in range(count):
        begun = time.perf_counter()
        call()
        durations.append(time.perf_counter() - begun)
    return durations


def report(what: str, count: int, call: Callable[[], None]) -> None:
    cuts = statistics.quantiles([1000 * seconds for seconds in timed(count, call)], n=100)
    print(f"| {what} | {cuts[49]:.1f} ms | {cuts[94]:.1f} ms | {cuts[98]:.1f} ms |", flush=True)


def throughput(target: Target, key: str, arguments: argparse.Namespace) -> None:
    reader = ShardReader(target.client("kinesis"), [target[f"{name}Stream"] for name in CLASSES], LATEST)
    requests = arguments.points // arguments.batch // arguments.sources
    awaited = requests * arguments.sources * arguments.batch
    clients = [Client(target, key) for _ in range(arguments.sources)]

    def send(source: int) -> None:
        for _ in range(requests):
            clients[source].ingest(f"throughput-{source}", arguments.batch)

    before, begun = processor_seconds(target), time.perf_counter()
    with ThreadPoolExecutor(arguments.sources) as pool:
        for future in [pool.submit(send, source) for source in range(arguments.sources)]:
            future.result()
    acknowledged = time.perf_counter() - begun
    came = 0
    for record in reader.records(until_idle=30):
        came += len(lines_of(record))
        if came >= awaited:
            break
    through = time.perf_counter() - begun
    after = processor_seconds(target)
    print(f"\n{awaited:,} points in requests of {arguments.batch}, {arguments.sources} sources side by side:")
    print(
        f"acknowledged {awaited / acknowledged:,.0f} points/s, through to Kinesis {awaited / through:,.0f} points/s; ",
        end="",
    )
    print(f"goal {GOAL:,} points/s; {came:,} of {awaited:,} points came out\n")
    spent = {name: after[name] - before.get(name, 0.0) for name in after}
    total = sum(spent.values())
    print("| process | processor seconds | share | µs a point |\n|---|---|---|---|")
    for name, seconds in sorted(spent.items(), key=lambda item: -item[1]):
        print(f"| {name} | {seconds:.1f} | {seconds / total:.0%} | {seconds / awaited * 1e6:.0f} |")
    print(f"\n{total:.1f} processor seconds in {through:.1f} s on {os.cpu_count()} processors")


CLASSES = ("Alert", "Warning", "Anomaly", "Normal")


def settle(target: Target) -> None:
    """Wait until the queue is empty, a minute at most."""
    client = target.client("sqs")
    for _ in range(120):
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = client.get_queue_attributes(QueueUrl=target["DatapointsQueueUrl"], AttributeNames=names)["Attributes"]
        if all(found[name] == "0" for name in names):
            return
        time.sleep(0.5)


def processor_seconds(target: Target) -> dict[str, float]:
    """Processor seconds of the emulator, of each function's processes and of this one."""
    running = find_emulator(target.state)
    if running is None:
        raise RuntimeError("no local stack is running: .venv/bin/afluente up")
    spent = {
        "emulator (API Gateway, SQS, Kinesis, DynamoDB, …)": _seconds(running.pid),
        "this client": _seconds(os.getpid()),
    }
    for pid, command in _children(running.pid):
        name = next((name for name in ("http-ingest", "http-authorizer", "classifier") if name in command), "other")
        spent[name] = spent.get(name, 0.0) + _seconds(pid)
    return spent


def _children(pid: int) -> Iterator[tuple[int, str]]:
    listed = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(pid)], capture_output=True, text=True, check=False)  # noqa: S607
    for line in listed.stdout.splitlines():
        child, command = line.split(maxsplit=1)
        yield int(child), command


def _seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


if __name__ == "__main__":
    main()
