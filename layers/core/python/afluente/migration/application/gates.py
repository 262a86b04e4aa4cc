"""The gates of a canary's step: each measures a figure against its limit."""

from enum import StrEnum

import msgspec

from afluente.migration.application.trial import Gates, TrialCounts, TrialSettings

EARLY_ERRORS = 5
"""Errors that break the gate whatever the traffic, if their rate is above the limit."""

EARLY_POINTS = 200
"""Compared points from which on a rate of errors is significant."""

EARLY_INVOCATIONS = 20
"""Invocations from which on a p95 is significant."""

EARLY_SLOW = 10
"""Slow invocations that break the gate, if the p95 is above the limit: a few may be caches that fill."""

RECENT_SECONDS = 60.0
"""The time for which counts are recent. Errors and latency of a long step are measured over the last minute as well:
else as much as was sound before would have to go wrong first."""

RECENT_INVOCATIONS = 40
"""Invocations from which on the p95 of the last minute is significant."""


class Gate(StrEnum):
    """A condition that a step has to meet."""

    DIFFERENCES = "differences"
    ERRORS = "errors"
    LATENCY = "latency"
    TIME = "time"
    TRAFFIC = "traffic"


class GateStatus(StrEnum):
    """The status of a step at a gate."""

    PASSED = "passed"
    WAITING = "waiting"
    BROKEN = "broken"


class GateResult(msgspec.Struct, frozen=True):
    """The result of a step at one gate.

    Attributes:
        gate: the gate.
        status: of the step.
        figure: measured, in the gate's unit; None if there is nothing to measure yet.
        limit: of the gate.
        text: the same in words.
    """

    gate: Gate
    status: GateStatus
    figure: float | None
    limit: float
    text: str


def gate_results(
    settings: TrialSettings, counts: TrialCounts, now: float, *, recent: TrialCounts
) -> tuple[GateResult, ...]:
    """The result of a step at every gate.

    Args:
        settings: in force.
        counts: of their step.
        now: in Unix seconds.
        recent: counts of the last `RECENT_SECONDS`.
    """
    gates = settings.gates
    return (
        _differences(gates, counts),
        _recent_errors(gates, recent) or _errors(gates, counts),
        _recent_latency(gates, recent) or _latency(gates, counts),
        _time(gates, now - settings.step_began_at),
        _traffic(gates, counts),
    )


def _differences(gates: Gates, counts: TrialCounts) -> GateResult:
    limit = gates.max_differences
    status = GateStatus.BROKEN if counts.differences > limit else GateStatus.PASSED
    text = f"{counts.differences:,} differences, {limit:,} at most"
    return GateResult(Gate.DIFFERENCES, status, counts.differences, limit, text)


def _errors(gates: Gates, counts: TrialCounts) -> GateResult:
    rate, limit = counts.error_rate, gates.max_error_rate
    status = GateStatus.PASSED
    if rate > limit:
        is_significant = counts.errors >= EARLY_ERRORS or counts.compared >= EARLY_POINTS
        status = GateStatus.BROKEN if is_significant else GateStatus.WAITING
    text = f"{rate * 100:.2f} % errors ({counts.errors:,} of {counts.compared:,} points), {limit * 100:g} % at most"
    return GateResult(Gate.ERRORS, status, rate, limit, text)


def _recent_errors(gates: Gates, recent: TrialCounts) -> GateResult | None:
    """The gate of errors, if the last minute breaks it."""
    rate, limit = recent.error_rate, gates.max_error_rate
    if recent.compared < EARLY_POINTS or rate <= limit:
        return None
    text = f"{rate * 100:.2f} % errors in the last minute ({recent.errors:,} of {recent.compared:,} points), "
    return GateResult(Gate.ERRORS, GateStatus.BROKEN, rate, limit, f"{text}{limit * 100:g} % at most")


def _latency(gates: Gates, counts: TrialCounts) -> GateResult:
    p95, limit = counts.p95(), gates.max_added_p95_ms
    if p95 is None or counts.invocations < EARLY_INVOCATIONS:
        text = f"added latency: {counts.invocations} invocations, {EARLY_INVOCATIONS} are needed to tell"
        return GateResult(Gate.LATENCY, GateStatus.WAITING, p95, limit, text)
    status = GateStatus.PASSED
    if p95 > limit:
        status = GateStatus.BROKEN if counts.slower_than(limit) >= EARLY_SLOW else GateStatus.WAITING
    text = f"added latency p95 {p95:g} ms in {counts.invocations:,} invocations, {limit:g} ms at most"
    return GateResult(Gate.LATENCY, status, p95, limit, text)


def _recent_latency(gates: Gates, recent: TrialCounts) -> GateResult | None:
    """The gate of latency, if the last minute breaks it."""
    p95, limit = recent.p95(), gates.max_added_p95_ms
    is_significant = recent.invocations >= RECENT_INVOCATIONS and recent.slower_than(limit) >= EARLY_SLOW
    if p95 is None or not is_significant or p95 <= limit:
        return None
    text = (
        f"added latency p95 {p95:g} ms in {recent.invocations:,} invocations of the last minute, {limit:g} ms at most"
    )
    return GateResult(Gate.LATENCY, GateStatus.BROKEN, p95, limit, text)


def _time(gates: Gates, seconds: float) -> GateResult:
    status = GateStatus.PASSED if seconds >= gates.min_seconds else GateStatus.WAITING
    text = f"{seconds:,.0f} s of {gates.min_seconds:,.0f} s"
    return GateResult(Gate.TIME, status, seconds, gates.min_seconds, text)


def _traffic(gates: Gates, counts: TrialCounts) -> GateResult:
    status = GateStatus.PASSED if counts.points >= gates.min_points else GateStatus.WAITING
    text = f"{counts.points:,} points the new way of {gates.min_points:,}"
    return GateResult(Gate.TRAFFIC, status, counts.points, gates.min_points, text)
