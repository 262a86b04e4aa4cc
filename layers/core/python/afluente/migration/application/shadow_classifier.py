"""Classify points of the legacy service's sensors by thresholds, by constraints, or by both, as the trial says.

| stream | is classified by |
|---|---|
| of no sensor of the legacy tables | its constraints |
| of a sensor whose thresholds contradict each other | its thresholds, whatever the trial says |
| of a sensor whose source is not on trial | its thresholds |
| of a sensor whose source is on trial | both; delivered are the points by constraints if the source is in the canary |

No point is lost and none waits because of the constraints: if they fail, the points by thresholds are delivered.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from operator import is_
from typing import NamedTuple

import msgspec
from cachetools import LRUCache

from afluente.application.constraints.lookup import ConstraintsLookup
from afluente.application.errors import UnavailableError
from afluente.domain.classification import ClassificationResult, classify, classify_with
from afluente.domain.constraints import Baseline, VersionedConfig
from afluente.domain.datapoints import DataPoint
from afluente.domain.evaluation import Evaluation, RuleSet, rule_set_of
from afluente.domain.faults import Fault
from afluente.domain.stream_keys import StreamKey
from afluente.domain.stream_state import StreamState, WindowPoint
from afluente.migration.application.comparison import Configs, Results, cause_in_configs, compare
from afluente.migration.application.monitor import TrialMonitor
from afluente.migration.application.thresholds_lookup import CACHED_STREAMS, ThresholdsLookup
from afluente.migration.application.trial import PointDifference, TrialCounts, TrialSettings, added
from afluente.migration.domain.evaluation import LegacyRuleSet, legacy_rule_set
from afluente.migration.domain.legacy_service import LEGACY_DOMAIN
from afluente.migration.domain.thresholds import SensorThresholds


class TrialObserver(msgspec.Struct, frozen=True):
    """Callbacks of the shadow classifier.

    Attributes:
        contradiction: called for a stream whose thresholds contradict each other, each time it is looked up.
        error: called with a failure of classification by constraints, once a batch.
        compared: called with the counts of the points that were on trial, once a batch.
    """

    contradiction: Callable[[StreamKey, Sequence[Fault]], None]
    error: Callable[[Exception], None]
    compared: Callable[[TrialCounts], None]


class OnTrial(msgspec.Struct, frozen=True):
    """The streams of a batch that are on trial.

    Attributes:
        constraints: of each, None for none.
        error: the failure of their look-up.
        added_seconds: the time of their look-up beyond that of the thresholds; 0 if it was the first of a stream.
    """

    constraints: Mapping[StreamKey, VersionedConfig | None]
    error: Exception | None = None
    added_seconds: float = 0.0


class _Agreement(NamedTuple):
    """The time since which a stream's constraints differ from its thresholds; None if they are equivalent."""

    configs: Configs
    differing_since: float | None


class ShadowClassifier:
    """The classifier of a stage that moves away from the legacy service.

    Args:
        thresholds: finds the thresholds of streams.
        constraints: finds the constraints of streams.
        monitor: has the settings of the trial, and gets its counts.
        observer: is called with errors and counts.
        timer: in seconds, from any time on, to measure the time that constraints add.
        settling_seconds: the time for which thresholds and constraints may differ without being counted: a change
            takes its time to reach both.
    """

    def __init__(
        self,
        *,
        thresholds: ThresholdsLookup,
        constraints: ConstraintsLookup,
        monitor: TrialMonitor,
        observer: TrialObserver,
        timer: Callable[[], float],
        settling_seconds: float,
    ) -> None:
        self.monitor = monitor
        self.observer = observer
        self.timer = timer
        self._thresholds = thresholds
        self._constraints = constraints
        self._settling_seconds = settling_seconds
        self._rule_sets: LRUCache[StreamKey, LegacyRuleSet] = LRUCache(CACHED_STREAMS)
        self._agreements: LRUCache[StreamKey, _Agreement] = LRUCache(CACHED_STREAMS)
        self._looked_up: LRUCache[StreamKey, bool] = LRUCache(CACHED_STREAMS)

    def look_up(self, streams: Mapping[StreamKey, str | None]) -> "ShadowBatch":
        """Look up thresholds and constraints; a stream whose own are unavailable waits without the others."""
        settings = self.monitor.settings()
        on_trial = {key for key in streams if key.domain == LEGACY_DOMAIN and settings.on_trial(key.source_id)}
        began = self.timer()
        found_on_trial = self._thresholds.find_now(on_trial)
        seconds = self.timer() - began
        # A database that has just failed is not asked for the other streams.
        absence = next(iter(found_on_trial.unavailable.values()), None)
        found = self._thresholds.find_now(streams.keys() - on_trial, absence=absence)
        unavailable = found_on_trial.unavailable | found.unavailable
        legacy = self._legacy_rule_sets(found_on_trial.known)
        sound = {key: streams[key] for key, its in legacy.items() if not its.faults}
        legacy |= self._legacy_rule_sets(found.known)
        others = {
            key: stream_type for key, stream_type in streams.items() if key not in legacy and key not in unavailable
        }
        constraints: Mapping[StreamKey, VersionedConfig | None] = {}
        try:
            constraints = self._constraints.find(others)
        except UnavailableError as error:
            unavailable |= dict.fromkeys(others, error)
        return ShadowBatch(
            self, settings, legacy, constraints, self._put_on_trial(sound, seconds), unavailable=unavailable
        )

    def settled(self, key: StreamKey, configs: Configs, differences: list[PointDifference]) -> list[PointDifference]:
        """The differences of a stream that count: none while a change of its configs settles."""
        since = self._differing_since(key, configs)
        return differences if since is None or self.timer() - since >= self._settling_seconds else []

    def _differing_since(self, key: StreamKey, configs: Configs) -> float | None:
        """The time since which the configs differ; they are compared once for as long as both are cached."""
        known = self._agreements.get(key)
        if known is not None and all(map(is_, known.configs, configs)):
            return known.differing_since
        since = self.timer() if cause_in_configs(configs) else None
        if since is not None and known is not None and known.differing_since is not None:
            # The time goes on, unless one of the configs has changed meanwhile: that change has a time of its own.
            changes = zip(known.configs, configs, strict=True)
            is_same = not any(cause_in_configs(Configs(before, after)) for before, after in changes)
            since = known.differing_since if is_same else since
        self._agreements[key] = _Agreement(configs, since)
        return since

    def _legacy_rule_sets(self, found: Mapping[StreamKey, SensorThresholds | None]) -> dict[StreamKey, LegacyRuleSet]:
        return {key: self._legacy_rule_set(key, thresholds) for key, thresholds in found.items() if thresholds}

    def _legacy_rule_set(self, key: StreamKey, thresholds: SensorThresholds) -> LegacyRuleSet:
        """The rule set of thresholds, made once for as long as they are cached."""
        its = self._rule_sets.get(key)
        if its is None or its.thresholds is not thresholds:
            its = self._rule_sets[key] = legacy_rule_set(thresholds)
        if its.faults:
            self.observer.contradiction(key, its.faults)
        return its

    def _put_on_trial(self, streams: Mapping[StreamKey, str | None], thresholds_seconds: float) -> OnTrial:
        if not streams:
            return OnTrial({})
        began = self.timer()
        error: Exception | None = None
        found: Mapping[StreamKey, VersionedConfig | None] = dict.fromkeys(streams)
        try:
            found = self._constraints.find(streams)
        except Exception as failure:  # noqa: BLE001 - whatever it is, the points by thresholds are delivered
            error = failure
        seconds = self.timer() - began - thresholds_seconds
        # The thresholds of a stream have been in the cache for long: the first look-up of its constraints, which are
        # not, says nothing about latency.
        is_first = any(key not in self._looked_up for key in streams)
        self._looked_up.update(dict.fromkeys(streams, True))
        return OnTrial(found, error, 0.0 if is_first else seconds)


class ShadowBatch:
    """The batch classifier of a shadow classifier, with the counts of the batch.

    Args:
        classifier: of which it is a batch.
        settings: of the trial, when the batch began.
        legacy: rule sets of the streams of a sensor.
        constraints: of the other streams.
        on_trial: the streams of a sensor that are classified by both.
        unavailable: streams whose thresholds or constraints are unavailable.
    """

    def __init__(
        self,
        classifier: ShadowClassifier,
        settings: TrialSettings,
        legacy: Mapping[StreamKey, LegacyRuleSet],
        constraints: Mapping[StreamKey, VersionedConfig | None],
        on_trial: OnTrial,
        *,
        unavailable: Mapping[StreamKey, UnavailableError],
    ) -> None:
        self.unavailable = unavailable
        self._classifier = classifier
        self._settings = settings
        self._legacy = legacy
        self._constraints = constraints
        self._on_trial = on_trial
        self._error = on_trial.error
        self._added_seconds = on_trial.added_seconds
        self._compared: dict[StreamKey, tuple[TrialCounts, list[PointDifference]]] = {}

    def classify(
        self, key: StreamKey, points: Sequence[DataPoint], state: StreamState, processed_at: float
    ) -> ClassificationResult:
        """Classify points of a stream by its thresholds, its constraints or both."""
        legacy = self._legacy.get(key)
        if legacy is None:
            return classify(points, self._constraints[key], state, processed_at)
        if key not in self._on_trial.constraints:
            return classify_with(legacy.rule_set, points, state, processed_at)
        return self._classify_by_both(key, points, state, processed_at)

    def done(self, unsaved: Collection[str]) -> None:
        """Report the counts of the sources that are saved; the points of the others are retried, and counted then."""
        saved = [its for key, its in self._compared.items() if key.source not in unsaved]
        if not saved:
            return
        total = TrialCounts(invocations=1, added_ms=added(self._added_seconds * 1000))
        for counts, _ in saved:
            total = total.plus(counts)
        if self._error:
            self._classifier.observer.error(self._error)
        self._classifier.observer.compared(total)
        differences = [difference for _, found in saved for difference in found]
        self._classifier.monitor.report(self._settings, total, differences)

    def _classify_by_both(
        self, key: StreamKey, points: Sequence[DataPoint], state: StreamState, processed_at: float
    ) -> ClassificationResult:
        timer, legacy, constraints = self._classifier.timer, self._legacy[key], self._on_trial.constraints[key]
        # The first point of a new stream is measured against the same reading on both sides.
        baseline = legacy.rule_set.baseline or (constraints.baseline if constraints else None)
        references: list[WindowPoint | None] = []
        began = timer()
        by_thresholds = classify_with(_noting(legacy.rule_set, references, baseline), points, state, processed_at)
        seconds = timer() - began
        by_constraints: ClassificationResult | None = None
        differences: list[PointDifference] = []
        if self._on_trial.error is None:
            try:
                began = timer()
                rule_set = rule_set_of(constraints)._replace(baseline=baseline)
                by_constraints = classify_with(rule_set, points, state, processed_at)
                self._added_seconds += timer() - began - seconds
                configs = Configs(legacy.config, constraints.config if constraints else None)
                # The first reference may be that of the baseline.
                of_points = references[len(references) - len(by_thresholds.points) :]
                found = compare(key, Results(by_thresholds, by_constraints), configs, of_points)
                differences = self._classifier.settled(key, configs, found)
            except Exception as error:  # noqa: BLE001 - whatever it is, the points by thresholds are delivered
                by_constraints = None
                self._error = self._error or error
        in_canary = self._settings.in_canary(key.source_id)
        number = len(by_thresholds.points)
        counts = TrialCounts(
            points=number if in_canary else 0,
            compared=number,
            errors=number if by_constraints is None else 0,
            differences=len(differences),
        )
        self._compared[key] = (counts, differences)
        return by_constraints if by_constraints is not None and in_canary else by_thresholds


def _noting(rule_set: RuleSet, references: list[WindowPoint | None], baseline: Baseline | None) -> RuleSet:
    """The rule set, noting in a list the point that the change of each value is measured against."""

    def evaluate(value: float, timestamp: float, reference: WindowPoint | None) -> Evaluation:
        references.append(reference)
        return rule_set.evaluate(value, timestamp, reference)

    return rule_set._replace(evaluate=evaluate, baseline=baseline)
