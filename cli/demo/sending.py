"""The files of the demonstration are sent, each over its transport."""

import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from afluente.application.csv.files import INBOX
from cli.access.api_key import key_for
from cli.core.errors import CommandError
from cli.core.target import Target
from cli.csv.client import CsvApi
from cli.demo.streams import DemoStream
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


class SentFile(NamedTuple):
    """A file of the demonstration.

    Attributes:
        transport: by which it is sent.
        domain, source: of its points.
        path: of the file.
        streams: ids of its streams, by column.
        types: their types, which a file of one type is sent with.
    """

    transport: str
    domain: str
    source: str
    path: Path
    streams: dict[str, str]
    types: set[str]

    @property
    def options(self) -> dict[str, Any]:
        """Options of a CSV file, by their names."""
        named = {"stream_type": next(iter(self.types))} if len(self.types) == 1 else {}
        return {"value_columns": list(self.streams), **named}


def send(target: Target, streams: Sequence[DemoStream], on_sent: Callable[[int], None]) -> None:
    """Send the files of the streams, each over its transport and in order, several side by side.

    Args:
        target: the deployment.
        streams: with their files.
        on_sent: called with the number of points that were sent since it was called last.
    """
    with ThreadPoolExecutor(_SENDERS) as pool:
        for sent in [pool.submit(_send_file, target, file, on_sent) for file in _files_of(streams)]:
            sent.result()


def _files_of(streams: Sequence[DemoStream]) -> list[SentFile]:
    """The files with their streams: several may be columns of one file."""
    files: dict[tuple[str, str, Path], SentFile] = {}
    for stream in streams:
        key = stream.key
        found = files.setdefault(
            (key.domain, key.source_id, stream.file),
            SentFile(stream.transport, key.domain, key.source_id, stream.file, {}, set()),
        )
        found.streams[stream.column] = key.stream_id
        found.types.add(stream.constraints["stream_type"])
    return list(files.values())


def _send_file(target: Target, file: SentFile, on_sent: Callable[[int], None]) -> None:
    if file.transport == "csv":
        _upload(target, file, on_sent)
        return
    before = Totals()

    def on_progress(totals: Totals) -> None:
        nonlocal before
        on_sent(totals.inserted - before.inserted)
        before = totals

    with closing(_transport(target, file)) as transport, open_input(str(file.path)) as opened:
        reads = CsvReader(opened, source=file.source, options=file.options, now=time.time()).reads()
        send_all(reads, transport, batch=_BATCH, begin=before, on_rejected=_ignore, on_progress=on_progress)


def _upload(target: Target, file: SentFile, on_sent: Callable[[int], None]) -> None:
    """Put a file into the bucket, and wait until its job has ended."""
    target.client("s3").put_object(
        Bucket=target.csv_bucket,
        Key=f"{INBOX}/{file.domain}/{file.source}/{file.path.name}",
        Body=file.path.read_bytes(),
        Metadata={
            f"afluente-{name.replace('_', '-')}": value if isinstance(value, str) else json.dumps(value)
            for name, value in file.options.items()
        },
    )
    queued = 0
    deadline = time.monotonic() + _JOB_SECONDS
    with CsvApi.of(target, key_for(target, None)) as api:
        while time.monotonic() < deadline:
            for job in api.jobs(domain=file.domain, source_id=file.source, status=None, limit=1):
                on_sent(job.points_queued - queued)
                queued = job.points_queued
                if job.status.is_final:
                    return
            time.sleep(_POLL_SECONDS)
    raise CommandError(
        f"the job of {file.path.name} did not end", hint="see 'afluente csv jobs' and 'afluente logs csv_trigger'"
    )


def _transport(target: Target, file: SentFile) -> Transport:
    domain, source = file.domain, file.source
    match file.transport:
        case "old mqtt":
            device = device_for(target, domain, source, legacy=True)
            return LegacyMqttClient(device, domain, source, _sensors(file))
        case "old http":
            return PacketClient(target.api_url, key_for(target, None), source, _sensors(file))
        case "ws":
            url, key = target.websocket_url, key_for(target, None)
            return WsTransport(url, key, domain=domain, source=source, use_proxies=False)
        case "mqtt":
            return MqttTransport(device_for(target, domain, source), domain=domain, source=source)
        case _:
            key = key_for(target, None)
            return HttpTransport(target.api_url, key, domain=domain, source=source, use_proxies=False)


def _sensors(file: SentFile) -> dict[str, int]:
    """The sensors of a legacy client, by the streams that the file's columns would be."""
    return {f"{file.source}:{column}": int(sensor) for column, sensor in file.streams.items()}


def _ignore(_rejected: Sequence[object]) -> None:
    """Rejected points show in the counts."""
