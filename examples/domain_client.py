"""An example client: sends the points of points.json over HTTP, or as a device over MQTT.

    export AFLUENTE_API_URL=…   # what `afluente status` calls HTTP API
    export AFLUENTE_API_KEY=…   # what `afluente keys create` shows
    python client.py

    python client.py --device ../../devices/NAME   # the folder that `afluente devices create` wrote

Needs `pip install httpx`; with `--device` it needs `pip install awsiotsdk` instead. Sending the same points again is
safe: with the same times they are known to be the same.
"""

import argparse
import json
import os
import sys
import time
from itertools import groupby
from operator import itemgetter
from pathlib import Path

ATTEMPTS = 8
TAKEN = 202
PASSING = {408, 429, 500, 502, 503, 504}
"""Status codes of transient failures: the same request may succeed later."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", type=Path, help="send over MQTT as this device, what is of its source")
    arguments = parser.parse_args()

    document = json.loads((Path(__file__).parent / "points.json").read_text(encoding="utf-8"))
    domain, points = document["domain"], measured(document["points"])
    if arguments.device:
        points = over_mqtt(domain, points, arguments.device)
    else:
        over_http(domain, points)
    for point in points:
        print(f"{domain}/{point['source_id']}/{point['stream_id']}  {point['value']}  is to become {point['becomes']}")


def measured(points: list[dict]) -> list[dict]:
    """The points with times, as if they had just been measured; each source's together, in order."""
    now = round(time.time(), 3)
    timed = [{**point, "timestamp": now - point["seconds_ago"]} for point in points]
    return sorted(timed, key=lambda point: (point["source_id"], point["timestamp"]))


def as_sent(point: dict) -> dict:
    """The fields of a point in a request, without its stream and source."""
    fields = ("stream_type", "value", "timestamp")
    return {name: point[name] for name in fields if point.get(name) is not None}


def over_http(domain: str, points: list[dict]) -> None:
    """A request a source, with all its points."""
    import httpx  # noqa: PLC0415 - not needed over MQTT

    url = os.environ["AFLUENTE_API_URL"].rstrip("/") + "/ingest/datapoints"
    headers = {"X-API-Key": os.environ["AFLUENTE_API_KEY"]}
    with httpx.Client(headers=headers, timeout=30) as client:
        for source_id, its in groupby(points, key=itemgetter("source_id")):
            datapoints = [{"stream_id": point["stream_id"], **as_sent(point)} for point in its]
            body = {"domain": domain, "source_id": source_id, "datapoints": datapoints}
            for left in reversed(range(ATTEMPTS)):
                try:
                    answer = client.post(url, json=body)
                except httpx.TransportError as error:
                    # It may have been accepted all the same, which does no harm.
                    if not left:
                        sys.exit(f"no answer: {error}")
                    time.sleep(1)
                    continue
                if answer.status_code not in PASSING:
                    break
                time.sleep(float(answer.headers.get("Retry-After", 1)))
            if answer.status_code != TAKEN or answer.json()["rejected"]:
                sys.exit(f"{answer.status_code}: {answer.text}")


def over_mqtt(domain: str, points: list[dict], folder: Path) -> list[dict]:
    """A message a stream, since only the points of one message are sure to keep their order; each is acknowledged.

    A device sends what is of its own source.
    """
    from awscrt import mqtt5  # noqa: PLC0415 - not needed over HTTP
    from awsiot import mqtt5_client_builder  # noqa: PLC0415

    connection = json.loads((folder / "connection.json").read_text())
    source_id = connection["client_id"]
    own = [point for point in points if point["source_id"] == source_id]
    if not own:
        sys.exit(f"points.json has no points of the source {source_id!r}")
    client = mqtt5_client_builder.mtls_from_path(
        endpoint=connection["endpoint"],
        port=connection["port"],
        cert_filepath=str(folder / connection["certificate"]),
        pri_key_filepath=str(folder / connection["private_key"]),
        ca_filepath=str(folder / connection["ca"]) if connection.get("ca") else None,
        client_id=source_id,
    )
    client.start()
    by_stream = sorted(own, key=itemgetter("stream_id"))
    for stream_id, its in groupby(by_stream, key=itemgetter("stream_id")):
        packet = mqtt5.PublishPacket(
            topic=f"{domain}/{source_id}/{stream_id}",
            payload=json.dumps([as_sent(point) for point in its]),
            qos=mqtt5.QoS.AT_LEAST_ONCE,
        )
        answer = client.publish(packet).result(timeout=30).puback
        if answer.reason_code >= mqtt5.PubackReasonCode.UNSPECIFIED_ERROR:
            sys.exit(f"the broker refuses {packet.topic}: {answer.reason_code.name}")
    client.stop()
    return own


if __name__ == "__main__":
    main()
