"""What the use cases need of the outside, each port with its promises; `afluente.adapters` keeps them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from afluente.application.constraint_history import ConstraintsChange
from afluente.application.packs import Pack, SeriesPack
from afluente.application.quarantine import QuarantinedRecord
from afluente.domain.alarms import AlarmEvent
from afluente.domain.classification import Baseline, Classification, ClassifiedDataPoint, StreamState, VersionedConfig
from afluente.domain.constraints import StreamConfig
from afluente.domain.keys import StreamKey


class UnavailableError(Exception):
    """A dependency did not do its part in time; the same call may succeed later."""


class StaleStateError(Exception):
    """Another writer saved the state since it was loaded; nothing of this save has replaced the other's work."""


class PackQueue(Protocol):
    """The queue between the transports and the classifier."""

    def send(self, packs: Sequence[Pack]) -> None:
        """Queue the packs, those of one group in the order given.

        On return every point is durable. A pack whose points were queued within the last five minutes changes nothing.

        Raises:
            UnavailableError: not every pack is queued; sending all of them again is safe.
        """
        ...


class SeriesQueue(Protocol):
    """The same queue, for transports that bring series."""

    def send_series(self, pack: SeriesPack) -> None:
        """Queue a pack of series, as `PackQueue.send` does with a pack of the same points.

        Raises:
            UnavailableError: not all of it is queued; sending it again is safe.
        """
        ...


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


class ConstraintsStore(Protocol):
    """Constraints by scope; see `afluente.application.constraint_scopes` for what a scope is."""

    def fetch(self, scopes: Iterable[str]) -> Mapping[str, VersionedConfig]:
        """The constraints of those of the scopes that have some.

        Raises:
            UnavailableError: the store does not answer.
        """
        ...


class StaleConstraintsError(Exception):
    """The constraints of a scope are not of the version that was expected; they were left as they are."""


class ConstraintsCatalogue(ConstraintsStore, Protocol):
    """The constraints store as those see it who write constraints, in the name of whom it was made for.

    Each change has a version, one more than the change before, deletions included: none comes twice. It is kept in the
    history together with what it changes, or nothing is changed.
    """

    def put(
        self,
        scope: str,
        config: StreamConfig,
        *,
        baseline: Baseline | None = None,
        expected_version: int | None = None,
        restored: int | None = None,
    ) -> int:
        """Write the constraints of a scope.

        Args:
            scope: which.
            config: the constraints.
            baseline: of the stream, from before it was known; without one, what was written with earlier constraints
                stays.
            expected_version: that the constraints have now, 0 for none; without one, whatever is there is replaced.
            restored: the version that is written again, where it is one.

        Returns:
            Their version.

        Raises:
            StaleConstraintsError: they are not of the expected version.
            UnavailableError: the store does not answer, or others write all the time.
        """
        ...

    def put_all(self, configs: Sequence[tuple[str, StreamConfig]]) -> Sequence[int]:
        """Write the constraints of many scopes, each named once, in the place of whatever is there.

        Returns:
            Their versions, in order.

        Raises:
            UnavailableError: as for `put`; some may be written, and writing all of them again is safe.
        """
        ...

    def changed_at(self, scope: str) -> float | None:
        """When the constraints of a scope were written last, in Unix seconds; None where there are none."""
        ...

    def delete(self, scope: str, *, expected_version: int | None = None) -> bool:
        """Take the constraints of a scope away; says whether there were any.

        Raises:
            StaleConstraintsError: there are some, and not of the expected version.
            UnavailableError: as for `put`.
        """
        ...

    def list(self) -> Iterable[tuple[str, VersionedConfig]]:
        """Every scope with its constraints, in no order."""
        ...

    def scopes(self, domain: str, *, start: str, end: str, limit: int) -> Sequence[str]:
        """Scopes of a domain that have constraints, the first in the order of their characters.

        Args:
            domain: which.
            start: the first that there may be.
            end: none from this one on; itself no scope.
            limit: how many.

        What was written a moment ago may be missing.
        """
        ...

    def history(self, scope: str, *, before: int | None = None, limit: int) -> Sequence[ConstraintsChange]:
        """Changes of the constraints of a scope, the newest first.

        Args:
            scope: which.
            before: the version before which they are; None for all.
            limit: how many.
        """
        ...


class AlarmSink(Protocol):
    """Where alarm events go."""

    def publish(self, events: Sequence[AlarmEvent]) -> None:
        """Publish the events in order; at least once.

        Raises:
            UnavailableError: some events are not published; publishing all of them again is safe.
        """
        ...


class Quarantine(Protocol):
    """Where records go that could not be taken."""

    def put(self, record: QuarantinedRecord) -> None:
        """Keep the record; one with the same id replaces it.

        Raises:
            UnavailableError: the record is not kept.
        """
        ...
