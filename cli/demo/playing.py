"""The demonstration: nine real streams through all transports, compared with the counts that are known."""

import time
from datetime import UTC, datetime
from typing import Any, NamedTuple

from rich.progress import MofNCompleteColumn, TimeElapsedColumn

from cli.core.output import err, step
from cli.core.progress import bars
from cli.core.target import Target
from cli.demo.results import collect, open_reader
from cli.demo.sending import send
from cli.demo.streams import DemoStream, apply_constraints, demo_streams, register_sensors, transports_of


class PlayedStream(NamedTuple):
    """A stream with its counts.

    Attributes:
        stream: of the demonstration.
        figures: its counts, as in `data/expected.json`.
    """

    stream: DemoStream
    figures: dict[str, Any]

    @property
    def differences(self) -> str:
        """The counts that are not as expected; empty if all are."""
        return ", ".join(
            f"{name} {self.figures[name]} instead of {expected}"
            for name, expected in self.stream.expected.items()
            if self.figures[name] != expected
        )


class Played(NamedTuple):
    """A demonstration.

    Attributes:
        streams: with their counts.
        seconds: from the first point sent to the last one classified.
    """

    streams: list[PlayedStream]
    seconds: float


def play(target: Target) -> Played:
    """Send the streams, and read the results."""
    started = datetime.now(UTC)
    streams = demo_streams(f"{started:%H%M%S}", transports_of(target))
    with step(f"writing the constraints of {len(streams)} streams"):
        apply_constraints(target, streams)
        register_sensors(target, streams)
        reader = open_reader(target)
    begun = time.monotonic()
    with bars(err(), MofNCompleteColumn(), TimeElapsedColumn(), is_transient=False) as progress:
        sending = progress.add_task("sending", total=sum(stream.expected["points"] for stream in streams))
        send(target, streams, lambda points: progress.advance(sending, points))
        classifying = progress.add_task("classified", total=sum(stream.distinct for stream in streams))
        since_ms = int(started.timestamp() * 1000)
        results = collect(target, reader, streams, since_ms, lambda points: progress.advance(classifying, points))
    seconds = time.monotonic() - begun
    return Played(
        [PlayedStream(stream, results[stream.key].figures(stream.expected["points"])) for stream in streams], seconds
    )
