"""Judge the old service's sensors by its rules or by constraints, or by both, as the trial of the new way says.

| stream | is judged by |
|---|---|
| of no sensor of the old tables | its constraints |
| of a sensor whose thresholds contradict each other | the old rules, whatever the trial says |
| of a sensor whose source is not on trial | the old rules |
| of a sensor whose source is judged by both ways | both, and the one that its source goes is delivered |

No point is lost by the new way, and none waits for it: where it fails, what the old way made of them is delivered.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

import msgspec
from cachetools import LRUCache

from afluente.application.constraints.lookup import ConstraintsLookup
from afluente.application.errors import UnavailableError
from afluente.domain.classification import ClassificationResult, classify, classify_with
from afluente.domain.constraints import Baseline, StreamConfig, VersionedConfig
from afluente.domain.datapoints import DataPoint
from afluente.domain.evaluation import Evaluation, RuleSet, rule_set_of
from afluente.domain.faults import Fault
from afluente.domain.stream_keys import StreamKey
from afluente.domain.stream_state import StreamState, WindowPoint
from afluente.migration.application.comparison import cause_in_constraints, compare
from afluente.migration.application.monitor import TrialMonitor
from afluente.migration.application.thresholds_lookup import CACHED_STREAMS, ThresholdsLookup
from afluente.migration.application.trial import Difference, TrialCounts, TrialSettings, added
from afluente.migration.domain.evaluation import LegacyRules, legacy_rule_set
from afluente.migration.domain.legacy_service import LEGACY_DOMAIN
from afluente.migration.domain.thresholds import SensorThresholds

Configs = tuple[StreamConfig | None, StreamConfig | None]
"""The constraints that the old way's thresholds come to, and those of the new way."""


class TrialObserver(msgspec.Struct, frozen=True):
    """Those who are told of what the ways do.

    Attributes:
        contradiction: of a stream whose thresholds contradict each other, with how, each time it is looked up.
        error: why the new way failed, once a batch.
        compared: what came of points judged by both ways, once a batch.
    """

    contradiction: Callable[[StreamKey, Sequence[Fault]], None]
    error: Callable[[Exception], None]
    compared: Callable[[TrialCounts], None]


class OnTrial(msgspec.Struct, frozen=True):
    """The streams of a batch that are judged by both ways.

    Attributes:
        constraints: by which the new way judges each, None where there are none.
        error: why the new way cannot judge any of them.
        added_seconds: how much longer its look-up took than that of the old way; 0 where it was the first of a stream.
    """

    constraints: Mapping[StreamKey, VersionedConfig | None]
    error: Exception | None = None
    added_seconds: float = 0.0


class _Agreement(NamedTuple):
    """Since when a stream's constraints have not judged as its thresholds do; None where they do."""

    configs: Configs
    differing_since: float | None


class ShadowClassifier:
    """The way of judging of a service that is moving.

    Args:
        old: finds the thresholds of streams.
        new: finds the constraints of streams.
        trial: says which way sources go, and is told what came of it.
        witness: is told, too.
        timer: in seconds, from any time on, to measure what the new way adds.
        settling_seconds: how long thresholds and constraints may differ before that counts: a change takes its time to
            reach both.
    """

    def __init__(
        self,
        *,
        old: ThresholdsLookup,
        new: ConstraintsLookup,
        trial: TrialMonitor,
        witness: TrialObserver,
        timer: Callable[[], float],
        settling_seconds: float,
    ) -> None:
        self.trial = trial
        self.witness = witness
        self.timer = timer
        self._old = old
        self._new = new
        self._settling_seconds = settling_seconds
        self._rules: LRUCache[StreamKey, LegacyRules] = LRUCache(CACHED_STREAMS)
        self._agreements: LRUCache[StreamKey, _Agreement] = LRUCache(CACHED_STREAMS)
        self._known_to_new: LRUCache[StreamKey, bool] = LRUCache(CACHED_STREAMS)

    def look_up(self, streams: Mapping[StreamKey, str | None]) -> "ShadowBatch":
        """See `WayOfJudging.look_up`; streams that have to wait do so alone."""
        settings = self.trial.settings()
        by_both = {key for key in streams if key.domain == LEGACY_DOMAIN and settings.judged_by_both(key.source_id)}
        began = self.timer()
        on_trial = self._old.find_now(by_both)
        seconds = self.timer() - began
        # A database that did not answer is not asked for the others in the same breath.
        absence = next(iter(on_trial.waiting.values()), None)
        found = self._old.find_now(streams.keys() - by_both, absence=absence)
        waiting = on_trial.waiting | found.waiting
        old = self._old_rules(on_trial.known)
        sound = {key: streams[key] for key, rules in old.items() if not rules.faults}
        old |= self._old_rules(found.known)
        others = {key: stream_type for key, stream_type in streams.items() if key not in old and key not in waiting}
        by_constraints: Mapping[StreamKey, VersionedConfig | None] = {}
        try:
            by_constraints = self._new.find(others)
        except UnavailableError as error:
            waiting |= dict.fromkeys(others, error)
        return ShadowBatch(self, settings, old, by_constraints, self._put_on_trial(sound, seconds), waiting=waiting)

    def counting(self, key: StreamKey, configs: Configs, differences: list[Difference]) -> list[Difference]:
        """The differences of a stream, if they count: while what it is judged by has just changed they may pass."""
        since = self._differing_since(key, configs)
        return differences if since is None or self.timer() - since >= self._settling_seconds else []

    def _differing_since(self, key: StreamKey, configs: Configs) -> float | None:
        """See `_Agreement`; compared once, for as long as both are remembered."""
        known = self._agreements.get(key)
        if known is not None and known.configs[0] is configs[0] and known.configs[1] is configs[1]:
            return known.differing_since
        since = self.timer() if cause_in_constraints(*configs) else None
        if since is not None and known is not None and known.differing_since is not None:
            # A change that came in between has its own time.
            is_same = not any(map(cause_in_constraints, known.configs, configs))
            since = known.differing_since if is_same else since
        self._agreements[key] = _Agreement(configs, since)
        return since

    def _old_rules(self, found: Mapping[StreamKey, SensorThresholds | None]) -> dict[StreamKey, LegacyRules]:
        return {key: self._rules_of(key, thresholds) for key, thresholds in found.items() if thresholds}

    def _rules_of(self, key: StreamKey, thresholds: SensorThresholds) -> LegacyRules:
        """What thresholds come to; made once, for as long as they are remembered."""
        rules = self._rules.get(key)
        if rules is None or rules.thresholds is not thresholds:
            rules = self._rules[key] = legacy_rule_set(thresholds)
        if rules.faults:
            self.witness.contradiction(key, rules.faults)
        return rules

    def _put_on_trial(self, streams: Mapping[StreamKey, str | None], old_seconds: float) -> OnTrial:
        if not streams:
            return OnTrial({})
        began = self.timer()
        error: Exception | None = None
        found: Mapping[StreamKey, VersionedConfig | None] = dict.fromkeys(streams)
        try:
            found = self._new.find(streams)
        except Exception as failure:  # noqa: BLE001 - whatever it is, the old way judges
            error = failure
        seconds = self.timer() - began - old_seconds
        # What the old way knows of a stream has been remembered for long: that the new way has to learn of it once
        # says nothing of how quick it is.
        is_first = any(key not in self._known_to_new for key in streams)
        self._known_to_new.update(dict.fromkeys(streams, True))
        return OnTrial(found, error, 0.0 if is_first else seconds)


class ShadowBatch:
    """What the points of a batch are judged by, and what came of it.

    Args:
        ways: whose judges they are.
        settings: of the trial, when the batch began.
        old: rules of the streams that are of a sensor.
        others: constraints of those that are not.
        on_trial: which of the sensors are judged by both ways.
        unavailable: streams that may be of a sensor, while the database does not answer; and those that are of none,
            while the constraints do not.
    """

    def __init__(
        self,
        ways: ShadowClassifier,
        settings: TrialSettings,
        old: Mapping[StreamKey, LegacyRules],
        others: Mapping[StreamKey, VersionedConfig | None],
        on_trial: OnTrial,
        *,
        waiting: Mapping[StreamKey, UnavailableError],
    ) -> None:
        self.unavailable = waiting
        self._ways = ways
        self._settings = settings
        self._old = old
        self._others = others
        self._on_trial = on_trial
        self._error = on_trial.error
        self._added_seconds = on_trial.added_seconds
        self._compared: dict[StreamKey, tuple[TrialCounts, list[Difference]]] = {}

    def classify(
        self, key: StreamKey, points: Sequence[DataPoint], state: StreamState, processed_at: float
    ) -> ClassificationResult:
        """See `Judges.classify`."""
        old = self._old.get(key)
        if old is None:
            return classify(points, self._others[key], state, processed_at)
        if key not in self._on_trial.constraints:
            return classify_with(old.rules, points, state, processed_at)
        return self._classify_by_both(key, points, state, processed_at)

    def done(self, unsaved: Collection[str]) -> None:
        """See `Judges.done`; points that come again are counted when they do."""
        saved = [its for key, its in self._compared.items() if key.source not in unsaved]
        if not saved:
            return
        total = TrialCounts(invocations=1, added_ms=added(self._added_seconds * 1000))
        for counts, _ in saved:
            total = total.plus(counts)
        if self._error:
            self._ways.witness.error(self._error)
        self._ways.witness.compared(total)
        self._ways.trial.report(self._settings, total, [each for _, differences in saved for each in differences])

    def _classify_by_both(
        self, key: StreamKey, points: Sequence[DataPoint], state: StreamState, processed_at: float
    ) -> ClassificationResult:
        timer, old, constraints = self._ways.timer, self._old[key], self._on_trial.constraints[key]
        # Where the stream is new, both ways have it begin at the same reading.
        baseline = old.rules.baseline or (constraints.baseline if constraints else None)
        references: list[WindowPoint | None] = []
        began = timer()
        by_old = classify_with(_noting(old.rules, references, baseline), points, state, processed_at)
        half_way = timer()
        by_new: ClassificationResult | None = None
        differences: list[Difference] = []
        if self._on_trial.error is None:
            try:
                by_new = classify_with(
                    rule_set_of(constraints)._replace(baseline=baseline), points, state, processed_at
                )
                self._added_seconds += timer() - half_way - (half_way - began)
                configs = old.config, constraints.config if constraints else None
                # The first reference may be that of the baseline.
                of_points = references[len(references) - len(by_old.points) :]
                differences = self._ways.counting(key, configs, compare(key, (by_old, by_new), configs, of_points))
            except Exception as error:  # noqa: BLE001 - whatever it is, what the old way made of the points goes on
                by_new = None
                self._error = self._error or error
        goes_new_way = self._settings.goes_new_way(key.source_id)
        number = len(by_old.points)
        counts = TrialCounts(
            points=number if goes_new_way else 0,
            compared=number,
            errors=number if by_new is None else 0,
            differences=len(differences),
        )
        self._compared[key] = (counts, differences)
        return by_new if by_new is not None and goes_new_way else by_old


def _noting(rules: RuleSet, references: list[WindowPoint | None], baseline: Baseline | None) -> RuleSet:
    """The rules, with a list of what the change of each value was measured by."""

    def evaluate(value: float, timestamp: float, reference: WindowPoint | None) -> Evaluation:
        references.append(reference)
        return rules.evaluate(value, timestamp, reference)

    return rules._replace(evaluate=evaluate, baseline=baseline)
