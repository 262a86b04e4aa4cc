"""The classifier's way of judging in a stage that moves away from an older IoT service."""

import time

from afluente.application.constraints.lookup import ConstraintsLookup
from afluente.application.constraints.ports import ConstraintsStore
from afluente.migration.adapters.sql.constraints import MigratedFirst, SqlConstraintsManager
from afluente.migration.application.ports import LegacyTables
from afluente.migration.application.shadow_classifier import ShadowClassifier, TrialObserver
from afluente.migration.application.thresholds_lookup import ThresholdsLookup
from afluente.migration.application.trial import TrialCounts
from afluente.runtime.migration.legacy_tables import ContradictionLog
from afluente.runtime.migration.trial import trial
from afluente.runtime.observability import LogCode, Metric, count, logger

SETTLING_TTLS = 3
"""How many times `constraints_ttl_seconds` a change may take to reach both ways: thresholds are remembered, what they
come to is remembered, and dual writing takes its time in between."""


def shadow_classifier(
    table: ConstraintsStore, tables: LegacyTables, *, trial_table: str, ttl_seconds: float
) -> ShadowClassifier:
    """Judge sensors of the old tables by the old rules, by constraints, or by both, as the trial says."""
    contradictions = ContradictionLog()
    old = ThresholdsLookup(tables, ttl_seconds=ttl_seconds, clock=time.monotonic)
    store = MigratedFirst(table, SqlConstraintsManager(old.find, on_contradiction=contradictions))
    return ShadowClassifier(
        old=old,
        new=ConstraintsLookup(store, ttl_seconds=ttl_seconds, clock=time.monotonic),
        trial=trial(trial_table),
        witness=TrialObserver(contradiction=contradictions, error=tell_error, compared=tell_compared),
        timer=time.perf_counter,
        settling_seconds=SETTLING_TTLS * ttl_seconds,
    )


def tell_error(error: Exception) -> None:
    """Log that the shadow classifier failed; what the legacy classifier made of the points was delivered."""
    logger().error("shadow classifier failed", code=LogCode.SHADOW_CLASSIFIER_FAILED, cause=repr(error), exc_info=error)


def tell_compared(counts: TrialCounts) -> None:
    """Report what came of points that were judged by both ways."""
    count({Metric.SHADOW_DIFFERENCES: counts.differences, Metric.CANARY_ERRORS: counts.errors})
