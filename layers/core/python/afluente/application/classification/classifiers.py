"""Ways of judging: what the points of a batch are classified by, looked up once for all its streams."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from afluente.application.constraints.lookup import ConstraintsLookup
from afluente.application.errors import UnavailableError
from afluente.domain.classification import ClassificationResult, classify
from afluente.domain.constraints import VersionedConfig
from afluente.domain.datapoints import DataPoint
from afluente.domain.stream_keys import StreamKey
from afluente.domain.stream_state import StreamState


class BatchClassifier(Protocol):
    """What the points of some streams are judged by."""

    @property
    def waiting(self) -> Mapping[StreamKey, UnavailableError]:
        """Streams of which that cannot be known by now: their points have to wait."""
        ...

    def classify(
        self, key: StreamKey, points: Sequence[DataPoint], state: StreamState, processed_at: float
    ) -> ClassificationResult:
        """Classify points of one of the streams; see `afluente.domain.classification.classify`.

        Args:
            key: of the stream.
            points: in the order in which they are to be taken.
            state: of the stream before the points.
            processed_at: the time of classification, in Unix seconds.
        """
        ...

    def done(self, unsaved: Collection[str]) -> None:
        """Everything is delivered and saved, but for the states of some sources, whose points come again.

        Args:
            unsaved: those sources.
        """
        ...


class Classifier(Protocol):
    """A way of judging points."""

    def look_up(self, streams: Mapping[StreamKey, str | None]) -> BatchClassifier:
        """Look up what the points of some streams are judged by.

        Args:
            streams: streams with their types.

        Raises:
            UnavailableError: it cannot be known of any of them by now.
        """
        ...


class ConstraintClassifier:
    """BatchClassifier points by the constraints of their streams."""

    def __init__(self, constraints: ConstraintsLookup) -> None:
        self._constraints = constraints

    def look_up(self, streams: Mapping[StreamKey, str | None]) -> "ConstraintBatchClassifier":
        """See `Classifier.look_up`."""
        return ConstraintBatchClassifier(self._constraints.find(streams))


class ConstraintBatchClassifier:
    """Constraints by stream, None where a stream has none; no stream waits alone."""

    def __init__(self, found: Mapping[StreamKey, VersionedConfig | None]) -> None:
        self.waiting: Mapping[StreamKey, UnavailableError] = {}
        self._found = found

    def classify(
        self, key: StreamKey, points: Sequence[DataPoint], state: StreamState, processed_at: float
    ) -> ClassificationResult:
        """See `BatchClassifier.classify`."""
        return classify(points, self._found[key], state, processed_at)

    def done(self, unsaved: Collection[str]) -> None:
        """See `BatchClassifier.done`; constraints remember nothing."""
