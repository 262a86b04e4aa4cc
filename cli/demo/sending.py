"""The files of the demonstration are sent, each over its transport."""

import json
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from afluente.domain.stream_keys import StreamKey
from cli.access.api_key import key_for
from cli.core.errors import CommandError
from cli.core.target import Target
from cli.csv.client import CsvApi
from cli.demo.streams import LEGACY_TRANSPORTS, DemoStream
from cli.devices.devices import device_for
from cli.migration.demo_clients import LegacyMqttClient, PacketClient
from cli.sending.csv_reader import CsvReader
from cli.sending.http import HttpTransport
from cli.sending.inputs import open_input
from cli.sending.mqtt import MqttTransport
from cli.sending.run import Totals, Transport, send_all
from cli.sending.ws import WsTransport

_BATCH = 1000
_SENDERS = 3
_JOB_SECONDS = 120.0
_POLL_SECONDS = 0.1


def send(target: Target, streams: Sequence[DemoStream], on_sent: Callable[[int], None]) -> None:
    """Send the files of the streams, each over its transport and in order, several side by side."""
    files: dict[tuple[str, str, str, Path], dict[str, str]] = defaultdict(dict)
    for stream in streams:
        place = (stream.transport, stream.key.domain, stream.key.source_id, stream.file)
        files[place][stream.column] = stream.key.stream_id

    def send_file(name: str, domain: str, source: str, file: Path, ids: Mapping[str, str]) -> None:
        sent = Totals()
        columns = list(ids)

        def on_progress(totals: Totals) -> None:
            nonlocal sent
            on_sent(totals.inserted - sent.inserted)
            sent = totals

        if name == "csv":
            _upload(target, f"{domain}/{source}", file, columns, on_sent)
            return
        with (
            closing(_transport(target, name, StreamKey(domain, source, "_"), ids)) as transport,
            open_input(str(file)) as opened,
        ):
            reader = CsvReader(opened, source=source, options={"value_columns": columns}, now=time.time())
            send_all(
                reader.reads(),
                transport,
                batch=_BATCH,
                begin=sent,
                on_rejected=lambda _rejected: None,
                on_progress=on_progress,
            )

    with ThreadPoolExecutor(_SENDERS) as pool:
        for future in [pool.submit(send_file, *file, ids) for file, ids in files.items()]:
            future.result()


def _upload(target: Target, place: str, file: Path, columns: Sequence[str], on_sent: Callable[[int], None]) -> None:
    """Put a file into the bucket, and wait until its job has ended."""
    target.client("s3").put_object(
        Bucket=target.csv_bucket,
        Key=f"inbox/{place}/{file.name}",
        Body=file.read_bytes(),
        Metadata={"afluente-value-columns": json.dumps(list(columns))},
    )
    domain, _, source = place.partition("/")
    queued = 0
    deadline = time.monotonic() + _JOB_SECONDS
    with CsvApi(target.api_url, key_for(target, None), use_proxies=False) as api:
        while time.monotonic() < deadline:
            for job in api.jobs(domain=domain, source_id=source, status=None, limit=1):
                on_sent(job.points_queued - queued)
                queued = job.points_queued
                if job.status.is_final:
                    return
            time.sleep(_POLL_SECONDS)
    raise CommandError(
        f"the job of {file.name} did not end", hint="see 'afluente csv jobs' and 'afluente logs csv_trigger'"
    )


def _transport(target: Target, name: str, place: StreamKey, ids: Mapping[str, str]) -> Transport:
    domain, source = place.domain, place.source_id
    sensors = (
        {f"{source}:{column}": int(stream_id) for column, stream_id in ids.items()} if name in LEGACY_TRANSPORTS else {}
    )
    match name:
        case "old mqtt":
            return LegacyMqttClient(device_for(target, domain, source, legacy=True), domain, source, sensors)
        case "old http":
            return PacketClient(target.api_url, key_for(target, None), source, sensors)
        case "ws":
            url, key = target.websocket_url, key_for(target, None)
            return WsTransport(url, key, domain=domain, source=source, use_proxies=False)
        case "mqtt":
            return MqttTransport(device_for(target, domain, source), domain=domain, source=source)
        case _:
            key = key_for(target, None)
            return HttpTransport(target.api_url, key, domain=domain, source=source, use_proxies=False)
