"""Watch the trial from where points are judged: its settings, what comes of it, and the canary's machine.

Points never wait for it, and none is lost by it: where the store does not answer, the settings last known go on, and
what was to be counted is dropped.
"""

from collections import deque
from collections.abc import Callable, Sequence

from afluente.application.errors import UnavailableError
from afluente.migration.application.canary import RECENT_SECONDS, review
from afluente.migration.application.trial import (
    Difference,
    DifferenceCause,
    NotedDifference,
    TrialCounts,
    TrialEvent,
    TrialSettings,
    TrialStore,
)

SETTINGS_SECONDS = 1.0
"""How old the settings may be that points are judged by, and for how long counts gather."""

RETRY_SECONDS = 5.0
"""How long a store that did not answer is left alone."""

NOTED_AT_ONCE = 10
"""Of how many streams and causes one report notes differences; those of others wait for the next."""

MAX_GATHERED = 1_000
"""Of how many streams and causes differences wait; those of more are counted, but not noted."""


class TrialMonitor:
    """The trial, as one classifier sees it.

    Args:
        store: of the trial.
        clock: in seconds, from any time on.
        now: in Unix seconds.
        on_event: told of what this classifier's figures changed.
        on_unavailable: told where the store did not answer.
    """

    def __init__(
        self,
        store: TrialStore,
        *,
        clock: Callable[[], float],
        now: Callable[[], float],
        on_event: Callable[[TrialEvent], None],
        on_unavailable: Callable[[UnavailableError], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._now = now
        self._on_event = on_event
        self._on_unavailable = on_unavailable
        self._settings = TrialSettings()
        self._stale_at = clock()
        self._gathered = TrialCounts()
        self._differences: dict[tuple[str, DifferenceCause], NotedDifference] = {}
        # What was counted of the step, by all classifiers, at times of the last minute.
        self._totals: deque[tuple[float, TrialCounts]] = deque()
        self._report_at = clock()
        self._away_until = clock()

    def settings(self) -> TrialSettings:
        """The settings in force; those of an idle canary until they could be read."""
        now = self._clock()
        if now >= self._stale_at and now >= self._away_until:
            try:
                self._take(self._read())
            except UnavailableError as error:
                self._leave(error)
        return self._settings

    def _read(self) -> TrialSettings:
        try:
            return self._store.settings()
        except UnavailableError:
            if self._clock() - self._stale_at < RETRY_SECONDS:
                raise
            # A container that rested: its connection may have ended meanwhile, and what it knows, long ago, may have
            # been rolled back.
            return self._store.settings()

    def report(self, settings: TrialSettings, counts: TrialCounts, differences: Sequence[Difference] = ()) -> None:
        """Count what came of an invocation, and do what follows from it.

        Counts gather for a second at most, those of errors and differences not at all.

        Args:
            settings: that the points were judged by.
            counts: of the invocation.
            differences: between the ways, in it.
        """
        if settings.step != self._settings.step:
            # The settings went on while the points were judged: they are no part of the step that is now.
            return
        self._gathered = self._gathered.plus(counts)
        self._gather(differences)
        urgent = bool(counts.errors or counts.differences)
        if not (urgent or self._clock() >= self._report_at):
            return
        if self._clock() < self._away_until:
            self._forget()
            return
        try:
            self._send()
        except UnavailableError as error:
            self._leave(error)

    def _gather(self, differences: Sequence[Difference]) -> None:
        for difference in differences:
            place = (difference.stream, difference.cause)
            so_far = self._differences.get(place)
            if so_far is not None:
                self._differences[place] = NotedDifference(so_far.count + 1, so_far.example)
            elif len(self._differences) < MAX_GATHERED:
                self._differences[place] = NotedDifference(1, difference)

    def _send(self) -> None:
        settings, gathered = self._settings, self._gathered
        noted = [self._differences.pop(place) for place in list(self._differences)[:NOTED_AT_ONCE]]
        self._gathered = TrialCounts()
        self._report_at = self._clock() + SETTINGS_SECONDS
        if gathered != TrialCounts():
            total = self._store.add(gathered, step=settings.step)
            recent = self._recent(total, gathered)
            reviewed = review(self._store, settings, total, now=self._now(), recent=recent)
            if reviewed.settings is not settings:
                self._take(reviewed.settings)
            if reviewed.event:
                self._on_event(reviewed.event)
        # Last: they help those who look for the cause, and no source goes back by them.
        if noted:
            self._store.note(noted, step=settings.step)

    def _recent(self, total: TrialCounts, own: TrialCounts) -> TrialCounts:
        """What was counted lately of the step, of which there is that total now, these among it."""
        now = self._clock()
        while self._totals and self._totals[0][0] < now - RECENT_SECONDS:
            self._totals.popleft()
        if not self._totals:
            self._totals.append((now, total.minus(own)))
        self._totals.append((now, total))
        return total.minus(self._totals[0][1])

    def _take(self, settings: TrialSettings) -> None:
        if settings.step != self._settings.step:
            self._forget()
            self._totals.clear()
        self._settings = settings
        self._stale_at = self._clock() + SETTINGS_SECONDS

    def _forget(self) -> None:
        self._gathered = TrialCounts()
        self._differences.clear()

    def _leave(self, error: UnavailableError) -> None:
        self._forget()
        self._away_until = self._clock() + RETRY_SECONDS
        self._on_unavailable(error)
