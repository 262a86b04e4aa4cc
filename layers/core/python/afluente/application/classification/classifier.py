"""Classifier by constraints."""

from collections.abc import Collection, Mapping, Sequence

from afluente.application.constraints.lookup import ConstraintsLookup
from afluente.application.errors import UnavailableError
from afluente.domain.classification import ClassificationResult, classify
from afluente.domain.constraints import VersionedConfig
from afluente.domain.datapoints import DataPoint
from afluente.domain.stream_keys import StreamKey
from afluente.domain.stream_state import StreamState


class ConstraintClassifier:
    """Classifies points by the constraints of their streams."""

    def __init__(self, constraints: ConstraintsLookup) -> None:
        self._constraints = constraints

    def look_up(self, streams: Mapping[StreamKey, str | None]) -> "ConstraintBatchClassifier":
        return ConstraintBatchClassifier(self._constraints.find(streams))


class ConstraintBatchClassifier:
    """Constraints by stream, None where a stream has none; found for all streams or for none."""

    def __init__(self, found: Mapping[StreamKey, VersionedConfig | None]) -> None:
        self.unavailable: Mapping[StreamKey, UnavailableError] = {}
        self._found = found

    def classify(
        self, key: StreamKey, points: Sequence[DataPoint], state: StreamState, processed_at: float
    ) -> ClassificationResult:
        return classify(points, self._found[key], state, processed_at)

    def done(self, unsaved: Collection[str]) -> None:
        """Do nothing: constraints keep no record of a batch."""
