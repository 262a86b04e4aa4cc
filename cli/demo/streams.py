"""The streams of the demonstration: real data, with the counts that must come out of it."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from afluente.application.constraints.documents import parse_entry
from afluente.domain.stream_keys import StreamKey
from afluente.migration.domain.legacy_service import LEGACY_DOMAIN
from cli.constraints.catalogue import catalogue_of
from cli.core.state import CHECKOUT
from cli.core.target import Target
from cli.migration.demo_clients import enter_sensors, takes_packets

DATA = CHECKOUT / "data"

LEGACY_TRANSPORTS = ("old mqtt", "old http")

# Each with an output that a stage has where the transport is switched on.
_TRANSPORTS = {"mqtt": "IotPolicy", "http": "HttpApiId", "ws": "WebSocketApiId", "csv": "CsvBucket"}


@dataclass(frozen=True, slots=True)
class DemoStream:
    """A stream of the demonstration.

    Attributes:
        name: for a table.
        key: of the stream in this run.
        file: of its points.
        column: of its values in the file.
        constraints: the entry of `data/constraints.json`.
        expected: the counts of `data/expected.json`.
        transport: of its file; two of them are those of legacy clients.
    """

    name: str
    key: StreamKey
    file: Path
    column: str
    constraints: Mapping[str, Any]
    expected: Mapping[str, Any]
    transport: str

    @property
    def distinct(self) -> int:
        """The number of its points that come out."""
        points: int = self.expected["points"]
        duplicates: int = self.expected["duplicates"]
        return points - duplicates


def transports_of(target: Target) -> list[str]:
    """The transports of the stage, those of legacy clients first."""
    legacy = zip(LEGACY_TRANSPORTS, ("LegacyIotPolicy" in target.outputs, takes_packets(target.api_url)), strict=True)
    new = [name for name, output in _TRANSPORTS.items() if output in target.outputs]
    return [name for name, is_there in legacy if is_there] + new


def demo_streams(run: str, transports: Sequence[str]) -> list[DemoStream]:
    """The streams, their sources named after this run: a stream that had the points before would know them again.

    Args:
        run: name of the run.
        transports: over which their files go, in turn; the columns of one file go together. Legacy clients have sensors
            alone, and each of their transports takes one file.
    """
    expected = {stream.pop("key"): stream for stream in _listed("expected.json")}
    streams: list[DemoStream] = []
    legacy = [name for name in transports if name in LEGACY_TRANSPORTS]
    new = cycle(name for name in transports if name not in LEGACY_TRANSPORTS)
    over: dict[str, str] = {}
    for entry in _listed("constraints.json"):
        known = StreamKey.parse(entry["key"])
        if entry["file"] not in over:
            over[entry["file"]] = legacy.pop(0) if legacy and known.domain == LEGACY_DOMAIN else next(new)
        transport = over[entry["file"]]
        source = f"{known.source_id}-{run}"
        key = StreamKey(known.domain, source, f"{source}:{entry['column']}")
        if transport in LEGACY_TRANSPORTS:
            # A device by its UUID, a sensor by its number; no two runs have the same.
            key = StreamKey(known.domain, str(uuid5(NAMESPACE_URL, source)), str(int(f"{run}{len(streams)}")))
        constraints = {**entry, "key": str(key)}
        name = f"{known.domain} {known.source_id} {entry['column']}"
        file, column = DATA / entry["file"], entry["column"]
        streams.append(DemoStream(name, key, file, column, constraints, expected[entry["key"]], transport))
    return streams


def apply_constraints(target: Target, streams: Iterable[DemoStream]) -> None:
    """Write the constraints of the streams."""
    catalogue = catalogue_of(target, "demo")
    for stream in streams:
        entry = parse_entry(stream.constraints)
        catalogue.put(entry.scope, entry.config)


def register_sensors(target: Target, streams: Iterable[DemoStream]) -> None:
    """Enter the sensors of legacy clients into the sensor directory."""
    enter_sensors(target, [stream.key for stream in streams if stream.transport in LEGACY_TRANSPORTS])


def _listed(name: str) -> list[dict[str, Any]]:
    document: dict[str, list[dict[str, Any]]] = json.loads((DATA / name).read_text())
    return document["streams"]
