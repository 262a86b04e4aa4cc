"""What people, and programs, see of a canary."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from afluente.migration.application.canary import (
    Decision,
    Gate,
    Standing,
    StepReading,
    Verdict,
)
from afluente.migration.application.trial import SHARED_PHASES, Phase, TrialCounts, TrialEvent, TrialSettings

_LISTED = 10
_COLOURS = {Standing.PASSED: "green", Standing.WAITING: "yellow", Standing.BROKEN: "red"}
_MINUTE, _HOUR = 60, 3600


class Look(msgspec.Struct, frozen=True):
    """A canary at one moment.

    Attributes:
        settings: in force.
        counts: of their step.
        decision: what the classifier would decide by them.
        now: in Unix seconds.
    """

    settings: TrialSettings
    counts: TrialCounts
    decision: Decision
    now: float

    @property
    def told(self) -> Sequence[StepReading]:
        """The gates that matter: a complete canary waits for nothing."""
        readings = self.decision.readings
        if self.settings.phase is not Phase.COMPLETE:
            return readings
        return [its for its in readings if its.gate not in {Gate.TIME, Gate.TRAFFIC}]

    @property
    def waits_for(self) -> list[str]:
        """The gates that are not passed yet."""
        return [its.gate.value for its in self.decision.readings if its.standing is not Standing.PASSED]

    def as_document(self) -> dict[str, Any]:
        """For a program to read, with all fields."""
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
                {"gate": its.gate, "standing": its.standing, "figure": its.figure, "limit": its.limit}
                for its in self.decision.readings
            ],
            "verdict": self.decision.verdict,
            "waits_for": self.waits_for if settings.phase is Phase.RUNNING else [],
            "version": settings.version,
        }

    def in_a_line(self) -> str:
        """For a log that is watched."""
        settings = self.settings
        if settings.phase not in SHARED_PHASES:
            return _phase(settings)
        return f"{_phase(settings)}: " + "; ".join(its.told for its in self.told)

    def show(self, console: Console) -> None:
        """For people to read."""
        settings = self.settings
        since = f", step {settings.step} for {_span(self.now - settings.step_began_at)}" if settings.step else ""
        console.print(f"[bold]{_phase(settings)}[/]{since}")
        for name, sources in (("included", settings.include), ("excluded", settings.exclude)):
            if sources:
                more = f" and {len(sources) - _LISTED:,} more" if len(sources) > _LISTED else ""
                console.print(f"{name}: {escape(', '.join(sorted(sources)[:_LISTED]))}{more}", soft_wrap=True)
        console.print(f"shadow is {'on' if settings.shadow else 'off'}")
        if settings.phase not in SHARED_PHASES:
            return
        table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
        for its in self.told:
            table.add_row(its.gate, f"[{_COLOURS[its.standing]}]{its.standing}[/]", its.told)
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
    """What happened, the latest first."""
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
            _span(its.seconds) if its.seconds else "",
            escape(its.why),
        )
    return table


def event_document(event: TrialEvent) -> dict[str, Any]:
    """What happened, for a program to read, with all fields."""
    document = {name: getattr(event, name) for name in event.__struct_fields__ if name != "counts"}
    counted = {name: getattr(event.counts, name) for name in event.counts.__struct_fields__ if name != "added_ms"}
    return {**document, **counted, "added_p95_ms": event.counts.p95()}


def told(event: TrialEvent) -> str:
    """What an order did, in a sentence."""
    return f"{event.kind.replace('_', ' ')}: {event.share} % of the sources go the new way"


def _phase(settings: TrialSettings) -> str:
    phase = settings.phase.replace("_", " ")
    if settings.phase not in SHARED_PHASES:
        return f"{phase}: every source goes the old way"
    return f"{phase} at {settings.share} % of {', '.join(map(str, settings.steps))}"


def _span(seconds: float) -> str:
    whole = int(seconds)
    if whole < _MINUTE:
        return f"{seconds:.1f} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"
