"""A small device: measures once a second, publishes over MQTT with QoS 1, and loses nothing while the broker is away.

    afluente devices create oven-1 --domain iot --stream-type temperature
    python examples/mqtt_device.py devices/oven-1 temperature

It measures a made-up temperature; with `--stdin` it takes a value a line instead. Needs `pip install awsiotsdk`. Ctrl-C
ends it once everything it measured is acknowledged.
"""

import argparse
import json
import math
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, wait
from pathlib import Path

from awscrt import mqtt5
from awsiot import mqtt5_client_builder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("device", type=Path, help="the folder that `afluente devices create` wrote")
    parser.add_argument("stream", help="name of the stream, such as temperature")
    parser.add_argument(
        "--type", help="type of the stream, which constraints are found by; that of the folder, else the stream"
    )
    parser.add_argument("--stdin", action="store_true", help="take values from standard input, one a line")
    arguments = parser.parse_args()

    connection = json.loads((arguments.device / "connection.json").read_text())
    client = connect(arguments.device, connection)
    # Past the broker where the stage has that: AWS bills no message then, and nobody else is to read them.
    topic = (connection.get("basic_ingest_topic") or connection["topic"]).format(stream_id=arguments.stream)
    # Constraints for the streams of a type apply to points that name it.
    stream_type = arguments.type or connection.get("stream_type") or arguments.stream
    unacknowledged: set[Future] = set()
    try:
        for sequence, value in enumerate(from_stdin() if arguments.stdin else measured()):
            point = {"value": value, "timestamp": time.time(), "stream_type": stream_type, "sequence": sequence}
            # While the broker is away the client keeps what it is given, and sends it when the broker is back.
            packet = mqtt5.PublishPacket(topic=topic, payload=json.dumps(point), qos=mqtt5.QoS.AT_LEAST_ONCE)
            unacknowledged.add(client.publish(packet))
            unacknowledged -= acknowledged(unacknowledged, topic)
    except KeyboardInterrupt:
        print(f"ending; {len(unacknowledged)} message(s) are not acknowledged yet", file=sys.stderr)
    wait(unacknowledged, timeout=60)
    unacknowledged -= acknowledged(unacknowledged, topic)
    print(f"{len(unacknowledged)} message(s) lost", file=sys.stderr)
    client.stop()


def acknowledged(published: set[Future], topic: str) -> set[Future]:
    """Those the broker has acknowledged; the program ends where it refuses one, since it would refuse all."""
    done = {one for one in published if one.done()}
    for one in done:
        code = one.result().puback.reason_code
        if code >= mqtt5.PubackReasonCode.UNSPECIFIED_ERROR:
            sys.exit(f"the broker refuses {topic}: {code.name}")
    return done


def connect(folder: Path, connection: dict) -> mqtt5.Client:
    """A client that reconnects by itself, with growing pauses."""
    client = mqtt5_client_builder.mtls_from_path(
        endpoint=connection["endpoint"],
        port=connection["port"],
        cert_filepath=str(folder / connection["certificate"]),
        pri_key_filepath=str(folder / connection["private_key"]),
        ca_filepath=str(folder / connection["ca"]) if connection.get("ca") else None,
        client_id=connection["client_id"],
        # A connection that died without a word shows by a ping; what it carried is sent again over the next one.
        keep_alive_interval_sec=30,
        ping_timeout_ms=10_000,
        ack_timeout_sec=24 * 3600,
        min_reconnect_delay_ms=500,
        max_reconnect_delay_ms=30_000,
        on_lifecycle_connection_success=lambda _: report("connected"),
        on_lifecycle_disconnection=lambda _: report("disconnected"),
        on_lifecycle_connection_failure=lambda data: report(f"not connected: {data.exception}"),
    )
    client.start()
    return client


def report(line: str) -> None:
    """Write a line at once: the client reports from a thread of its own, into the midst of another line otherwise."""
    sys.stderr.write(f"{line}\n")


def measured() -> Iterator[float]:
    """A temperature a second."""
    while True:
        yield round(180 + 5 * math.sin(time.time() / 60), 2)
        time.sleep(1)


def from_stdin() -> Iterator[float]:
    """A value a line."""
    for line in sys.stdin:
        if line.strip():
            yield float(line)


if __name__ == "__main__":
    main()
