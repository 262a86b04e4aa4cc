"""Rendering of a canary, for people and for programs."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from afluente.migration.application.canary import Decision, Verdict
from afluente.migration.application.gates import Gate, GateResult, GateStatus
from afluente.migration.application.trial import SHARED_PHASES, Phase, TrialCounts, TrialEvent, TrialSettings

_LISTED = 10
_COLOURS = {GateStatus.PASSED: "green", GateStatus.WAITING: "yellow", GateStatus.BROKEN: "red"}
_MINUTE, _HOUR = 60, 3600


class Snapshot(msgspec.Struct, frozen=True):
    """A canary at one moment.

    Attributes:
        settings: in force.
        counts: of their step.
        decision: of the classifier at this moment.
        now: in Unix seconds.
    """

    settings: TrialSettings
    counts: TrialCounts
    decision: Decision
    now: float

    @property
    def results(self) -> Sequence[GateResult]:
        """The results of the gates that matter: a complete canary waits for nothing."""
        results = self.decision.results
        if self.settings.phase is not Phase.COMPLETE:
            return results
        return [its for its in results if its.gate not in {Gate.TIME, Gate.TRAFFIC}]

    @property
    def waits_for(self) -> list[str]:
        """The gates that are not passed yet."""
        return [its.gate.value for its in self.decision.results if its.status is not GateStatus.PASSED]

    def as_document(self) -> dict[str, Any]:
        """The canary for a program, with all fields."""
        settings, counts = self.settings, self.counts
        return {
            "phase": settings.phase,
            "share": settings.share,
            "step": settings.step,
            "step_seconds": round(self.now - settings.step_began_at, 3) if settings.step else None,
            "steps": settings.steps,
            "shadow": settings.shadow,
            "include": sorted(settings.include),
            "exclude": sorted(settings.exclude),
            "points": counts.points,
            "compared": counts.compared,
            "errors": counts.errors,
            "differences": counts.differences,
            "invocations": counts.invocations,
            "added_p95_ms": counts.p95(),
            "gates": [
                {"gate": its.gate, "standing": its.status, "figure": its.figure, "limit": its.limit}
                for its in self.decision.results
            ],
            "verdict": self.decision.verdict,
            "waits_for": self.waits_for if settings.phase is Phase.RUNNING else [],
            "version": settings.version,
        }

    def in_a_line(self) -> str:
        """The canary in a line, for a log."""
        settings = self.settings
        if settings.phase not in SHARED_PHASES:
            return _phase(settings)
        return f"{_phase(settings)}: " + "; ".join(its.text for its in self.results)

    def show(self, console: Console) -> None:
        """Show the canary to people."""
        settings = self.settings
        since = f", step {settings.step} for {_duration(self.now - settings.step_began_at)}" if settings.step else ""
        console.print(f"[bold]{_phase(settings)}[/]{since}")
        for name, sources in (("included", settings.include), ("excluded", settings.exclude)):
            if sources:
                more = f" and {len(sources) - _LISTED:,} more" if len(sources) > _LISTED else ""
                console.print(f"{name}: {escape(', '.join(sorted(sources)[:_LISTED]))}{more}", soft_wrap=True)
        console.print(f"shadow is {'on' if settings.shadow else 'off'}")
        if settings.phase not in SHARED_PHASES:
            return
        table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
        for its in self.results:
            table.add_row(its.gate, f"[{_COLOURS[its.status]}]{its.status}[/]", its.text)
        console.print(table)
        console.print(self._next())

    def _next(self) -> str:
        settings = self.settings
        if self.decision.verdict is Verdict.ROLL_BACK:
            return "the next points of the canary take it back"
        if settings.phase is Phase.HELD:
            return "held: 'resume' lets the next step come"
        if settings.phase is Phase.COMPLETE:
            return "complete: set use_agnostic_constraints = true and deploy, when you are content"
        if self.decision.verdict is Verdict.WAIT:
            return f"waits for: {', '.join(self.waits_for)}"
        return "the next points of the canary take it on"


def history_table(events: Iterable[TrialEvent]) -> Table:
    """A table of events, the latest first."""
    table = Table("when", "what", "share", "by", "points", "errors", "differences", "p95", "after", "why", box=None)
    for its in events:
        p95 = its.counts.p95()
        table.add_row(
            datetime.fromtimestamp(its.at, UTC).isoformat(sep=" ", timespec="seconds")[:19],
            its.kind.replace("_", " "),
            f"{its.share_before} → {its.share} %",
            escape(its.by),
            f"{its.counts.points:,}",
            f"{its.counts.errors:,}",
            f"{its.counts.differences:,}",
            "" if p95 is None else f"{p95:g} ms",
            _duration(its.seconds) if its.seconds else "",
            escape(its.why),
        )
    return table


def event_document(event: TrialEvent) -> dict[str, Any]:
    """An event for a program, with all fields."""
    document = {name: getattr(event, name) for name in event.__struct_fields__ if name != "counts"}
    counted = {name: getattr(event.counts, name) for name in event.counts.__struct_fields__ if name != "added_ms"}
    return {**document, **counted, "added_p95_ms": event.counts.p95()}


def event_line(event: TrialEvent) -> str:
    """An event in a line."""
    return f"{event.kind.replace('_', ' ')}: {event.share} % of the sources go the new way"


def _phase(settings: TrialSettings) -> str:
    phase = settings.phase.replace("_", " ")
    if settings.phase not in SHARED_PHASES:
        return f"{phase}: every source goes the old way"
    return f"{phase} at {settings.share} % of {', '.join(map(str, settings.steps))}"


def _duration(seconds: float) -> str:
    whole = int(seconds)
    if whole < _MINUTE:
        return f"{seconds:.1f} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"
