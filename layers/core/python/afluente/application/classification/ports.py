"""Ports of classification: the classifier, the states of streams, and the Kinesis streams of the classes."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

import msgspec

from afluente.application.errors import UnavailableError
from afluente.domain.classification import ClassificationResult, ClassifiedDataPoint
from afluente.domain.datapoints import DataPoint
from afluente.domain.evaluation import Classification
from afluente.domain.stream_keys import StreamKey
from afluente.domain.stream_state import StreamState

TimeLeft = Callable[[], float]
"""Seconds that are left for the work at hand; none or fewer once it has to end."""

# --- classifier ------------------------------------------------------------------------------------------------------


class Classifier(Protocol):
    """Classifies points by rule sets of their streams, looked up once for a batch."""

    def look_up(self, streams: Mapping[StreamKey, str | None]) -> "BatchClassifier":
        """Look up the rule sets of some streams.

        Args:
            streams: streams with their types.

        Raises:
            UnavailableError: the rule sets of all of them are unavailable.
        """
        ...


class BatchClassifier(Protocol):
    """The rule sets of the streams of one batch."""

    @property
    def unavailable(self) -> Mapping[StreamKey, UnavailableError]:
        """Streams whose rule sets are unavailable; their packs are retried."""
        ...

    def classify(
        self, key: StreamKey, points: Sequence[DataPoint], state: StreamState, processed_at: float
    ) -> ClassificationResult:
        """Classify points of one of the streams; see `afluente.domain.classification.classify`.

        Args:
            key: of the stream.
            points: in stream order.
            state: of the stream before the points.
            processed_at: the time of classification, in Unix seconds.
        """
        ...

    def done(self, unsaved: Collection[str]) -> None:
        """End the batch: everything is delivered and saved, but for the states of some sources.

        Args:
            unsaved: those sources, whose packs are retried.
        """
        ...


# --- states of streams -----------------------------------------------------------------------------------------------

STREAMS_PER_SOURCE = 10_000
"""Streams that a source may have, where the stage has no other number."""


class StaleStateError(Exception):
    """Another writer saved the state since it was loaded, and keeps it."""


class DamagedStateError(Exception):
    """A stored state cannot be read, and is left as it is until somebody has looked at it."""


class TooManyStreamsError(Exception):
    """A new stream of a source that has as many as it may have.

    Attributes:
        limit: streams that a source may have.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(f"a source has at most {limit} streams")
        self.limit = limit


class StreamMemory(msgspec.Struct, frozen=True):
    """The state of one stream, and the sequence number of the last pack in it."""

    state: StreamState = StreamState()
    last_pack: int = -1


class StateStore(Protocol):
    """The states of all streams."""

    def load(self, groups: Mapping[StreamKey, str]) -> "LoadedStates":
        """Load the states of streams; sources that cannot be read are in `LoadedStates.unavailable`.

        Args:
            groups: streams, each with the message group of the packs at hand, which is the same for all streams of a
                source. Pack numbers of another group are not comparable, and are dropped.
        """
        ...


class LoadedStates(Protocol):
    """States of some streams, as they were when they were loaded or as they were saved since.

    Threads may share it as long as each source is used by one of them at a time.
    """

    @property
    def unavailable(self) -> Mapping[str, UnavailableError]:
        """Sources whose states could not be read; their packs are retried."""
        ...

    def of(self, key: StreamKey) -> StreamMemory:
        """The state of one of the streams; a fresh one where nothing is stored.

        A new stream counts among those of its source from the first time it is asked for.

        Raises:
            DamagedStateError: the stored state cannot be read.
            TooManyStreamsError: nothing is stored, and the source has no room for a new stream.
            UnavailableError: the states of the source could not be read.
        """
        ...

    def save(self, changed: Mapping[StreamKey, StreamMemory]) -> Mapping[str, StaleStateError | UnavailableError]:
        """Replace the states of some of the streams, if nobody else did since they were loaded; may be repeated.

        Args:
            changed: new states of streams that were loaded.

        Returns:
            The sources of which not every state is saved, with the reason: another writer was faster, or the store did
            not answer. A retry of their packs repairs it; until they are loaded again nothing more of them is saved.
        """
        ...


# --- streams of the classes ------------------------------------------------------------------------------------------


class Delivery(msgspec.Struct, frozen=True):
    """Classified points of one pack and one class, in the order in which they were classified.

    Attributes:
        classification: their class.
        group: the message group of the pack.
        points: of any sources of the group.
    """

    classification: Classification
    group: str
    points: Sequence[ClassifiedDataPoint]


class ClassifiedStreams(Protocol):
    """The Kinesis stream of each class."""

    def put(self, deliveries: Sequence[Delivery], *, time_left: TimeLeft) -> None:
        """Write the points, those of one group and class in the order given; at least once.

        Args:
            deliveries: of one group; a class or a group that fails is no reason to leave out another.
            time_left: seconds in which to be done; an attempt that would not be is left.

        Raises:
            UnavailableError: some points are not written; writing all of them again is safe.
        """
        ...


# --- packs that fail -------------------------------------------------------------------------------------------------


class PackTries(Protocol):
    """Counts of failed tries of packs.

    The queue counts receives, which are no tries: it hands over packs that wait for one before them in their group.
    """

    def count(self, group: str, sequence_number: int) -> int:
        """Count a failed try of a pack.

        Returns:
            The failed tries of the pack so far, this one included.

        Raises:
            UnavailableError: the count is not known.
        """
        ...
