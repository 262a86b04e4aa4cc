"""MQTT on the local stack: from PUBLISH to PUBACK, from PUBLISH to Kinesis, messages a second, and late points.

    .venv/bin/afluente up
    .venv/bin/python benchmarks/mqtt_latency.py

Publishes to the running local stack only, from devices that it makes. The batching window of the inbox, a second, is
part of the time to Kinesis; the PUBACK does not wait for it.
"""

import argparse
import json
import os
import secrets
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from awscrt import mqtt5
from awsiot import mqtt5_client_builder

from afluente.adapters.codecs.kinesis_records import lines_of
from cli.core.state import StateDir
from cli.core.target import Target, TargetChoice, resolve
from cli.devices.connection import read_connection
from cli.devices.devices import device_for
from cli.reading.shards import LATEST, ShardReader

CLASSES = ("Alert", "Warning", "Anomaly", "Normal")
RATES = (1, 10, 100)
"""Messages a second of a device."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=20, help="how long each rate is kept (default 20)")
    parser.add_argument("--devices", type=int, default=4, help="devices side by side (default 4)")
    parser.add_argument("--messages", type=int, default=4000, help="messages at full speed, in all (default 4000)")
    parser.add_argument(
        "--state-dir", type=Path, default=os.environ.get("AFLUENTE_STATE_DIR"), help="of the local stack"
    )
    arguments = parser.parse_args()
    target = resolve(TargetChoice(StateDir.of(arguments.state_dir and Path(arguments.state_dir))))
    devices = [Device(target) for _ in range(arguments.devices)]
    print("| messages/s of a device | PUBACK p50, p95, p99 | to Kinesis p50, p95, p99 | points | late |")
    print("|---|---|---|---|---|")
    for rate in RATES:
        paced(target, devices, rate, rate * arguments.seconds)
    full_speed(target, devices, arguments.messages // arguments.devices)
    for device in devices:
        device.client.stop()


class Device:
    """A device of its own source; each point is of the time at which it is published."""

    def __init__(self, target: Target) -> None:
        self.source = f"bench-{secrets.token_hex(4)}"
        folder = device_for(target, "iot", self.source)
        connection = read_connection(folder)
        connected: Future[Any] = Future()
        self.client: mqtt5.Client = mqtt5_client_builder.mtls_from_path(
            endpoint=connection.endpoint,
            port=connection.port,
            cert_filepath=str(folder / connection.certificate),
            pri_key_filepath=str(folder / connection.private_key),
            ca_filepath=str(folder / str(connection.ca)),
            client_id=connection.client_id,
            # The SDK would keep to the 100 messages a second of a connection that AWS allows.
            extended_validation_and_flow_control_options=mqtt5.ExtendedValidationAndFlowControlOptions.AWS_IOT_CORE_DEFAULTS,
            on_lifecycle_connection_success=connected.set_result,
        )
        self.client.start()
        connected.result(30)

    def publish(self) -> "Future[float]":
        """Publish a point; the result is the time to its PUBACK, in milliseconds."""
        now = time.time()
        payload = json.dumps({"value": 20.0 + now % 7, "timestamp": now})
        packet = mqtt5.PublishPacket(
            topic=f"iot/{self.source}/temperature", payload=payload, qos=mqtt5.QoS.AT_LEAST_ONCE
        )
        puback: Future[float] = Future()
        self.client.publish(packet).add_done_callback(lambda _: puback.set_result((time.time() - now) * 1000))
        return puback


def paced(target: Target, devices: Sequence[Device], rate: int, each: int) -> None:
    reader = _reader(target)
    begun, published = time.perf_counter(), []
    for number in range(each):
        time.sleep(max(0.0, begun + number / rate - time.perf_counter()))
        published += [device.publish() for device in devices]
    pubacks = [one.result(60) for one in published]
    points = _collected(reader, devices, len(published))
    latencies = [(point["processed_at"] - point["timestamp"]) * 1000 for point in points]
    late = sum(point["late"] for point in points)
    print(
        f"| {rate} | {_rendered(pubacks)} | {_rendered(latencies)} | {len(points):,} of {len(published):,} "
        f"| {late / len(points):.2%} |"
    )


def full_speed(target: Target, devices: Sequence[Device], each: int) -> None:
    reader = _reader(target)
    begun = time.perf_counter()
    published = [device.publish() for _ in range(each) for device in devices]
    for one in published:
        one.result(120)
    acknowledged = time.perf_counter() - begun
    points = _collected(reader, devices, len(published))
    through = time.perf_counter() - begun
    late = sum(point["late"] for point in points)
    print(
        f"\n{len(published):,} messages of one point at full speed from {len(devices)} devices: "
        f"acknowledged {len(published) / acknowledged:,.0f} messages/s, "
        f"through to Kinesis {len(published) / through:,.0f} messages/s; "
        f"{len(points):,} points came out, {late / len(points):.2%} of them late"
    )


def _reader(target: Target) -> ShardReader:
    return ShardReader(target.client("kinesis"), [target[f"{name}Stream"] for name in CLASSES], LATEST)


def _collected(reader: ShardReader, devices: Sequence[Device], awaited: int) -> list[dict[str, Any]]:
    sources, points = {device.source for device in devices}, []
    for record in reader.records(until_idle=20):
        lines = [json.loads(line) for line in lines_of(record)]
        points += [point for point in lines if point["source_id"] in sources]
        if len(points) >= awaited:
            break
    return points


def _rendered(milliseconds: Sequence[float]) -> str:
    cuts = statistics.quantiles(milliseconds, n=100)
    return ", ".join(f"{cuts[place - 1]:.0f}" for place in (50, 95, 99)) + " ms"


if __name__ == "__main__":
    main()
