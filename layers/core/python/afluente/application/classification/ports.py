"""Ports of classification: the states of streams, and the streams of the classes."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from afluente.application.errors import UnavailableError
from afluente.domain.classification import ClassifiedDataPoint
from afluente.domain.evaluation import Classification
from afluente.domain.stream_keys import StreamKey
from afluente.domain.stream_state import StreamState


class StaleStateError(Exception):
    """Another writer saved the state since it was loaded; nothing of this save has replaced the other's work."""


class Delivery(msgspec.Struct, frozen=True):
    """Classified points of one source and one class, in the order in which they were taken."""

    classification: Classification
    source: str
    points: Sequence[ClassifiedDataPoint]


class ClassifiedStreams(Protocol):
    """The stream of each class."""

    def put(self, deliveries: Sequence[Delivery]) -> None:
        """Write the points, those of one source and class in the order given; at least once.

        Raises:
            UnavailableError: some points are not written; writing all of them again is safe.
        """
        ...


class StreamMemory(msgspec.Struct, frozen=True):
    """The state of one stream, and the sequence number of the last pack that it holds."""

    state: StreamState = StreamState()
    last_pack: int = -1


class DamagedStateError(Exception):
    """What is stored of a stream cannot be read, and is left as it is until somebody has looked at it."""


class LoadedStates(Protocol):
    """States of some streams as they were when they were loaded."""

    def of(self, key: StreamKey) -> StreamMemory:
        """The state of one of the streams; a fresh one where nothing is stored.

        Raises:
            DamagedStateError: what is stored cannot be read.
        """
        ...

    def save(self, changed: Mapping[StreamKey, StreamMemory]) -> Mapping[str, StaleStateError | UnavailableError]:
        """Replace the states of some of the streams.

        Returns:
            The sources of which not every state is saved, with the reason: another writer was faster, or the store did
            not answer. A repetition of their packs repairs it.
        """
        ...


class StateStore(Protocol):
    """The states of all streams."""

    def load(self, groups: Mapping[StreamKey, str]) -> LoadedStates:
        """Load the states of streams.

        Args:
            groups: streams, each with the message group of the packs at hand, which is the same for all streams of a
                source. Numbers of packs of another group are not comparable, and are forgotten.

        Raises:
            UnavailableError: the store does not answer.
        """
        ...
