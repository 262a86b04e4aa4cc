"""The trial as one classifier sees it: its settings, its counts, and the canary's state machine.

Points never wait for the trial, and none is lost by it: if the store does not answer, the settings last known stay in
force, and counts are dropped.
"""

from collections import deque
from collections.abc import Callable, Sequence

from afluente.application.errors import UnavailableError
from afluente.migration.application.canary import review
from afluente.migration.application.gates import RECENT_SECONDS
from afluente.migration.application.ports import TrialStore
from afluente.migration.application.trial import (
    DifferenceCause,
    NotedDifference,
    PointDifference,
    TrialCounts,
    TrialEvent,
    TrialSettings,
)

SETTINGS_SECONDS = 1.0
"""The oldest age of settings in use, and the longest time for which counts are gathered."""

RETRY_SECONDS = 5.0
"""The time for which a store that did not answer is not asked again."""

NOTED_AT_ONCE = 10
"""Streams and causes whose differences one report notes; the others wait for the next."""

MAX_GATHERED = 1_000
"""Streams and causes whose differences wait; those of more are counted, but not noted."""


class TrialMonitor:
    """Reads the settings of the trial, and reports counts and differences to its store.

    Args:
        store: of the trial.
        clock: in seconds, from any time on.
        now: in Unix seconds.
        on_event: called with a change that the figures of this classifier caused.
        on_unavailable: called when the store did not answer.
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
        # The step's counts by all classifiers, at times of the last minute.
        self._totals: deque[tuple[float, TrialCounts]] = deque()
        self._report_at = clock()
        self._away_until = clock()

    def settings(self) -> TrialSettings:
        """The settings in force; those of an idle canary until they could be read."""
        now = self._clock()
        if now >= self._stale_at and now >= self._away_until:
            try:
                self._adopt(self._read())
            except UnavailableError as error:
                self._pause(error)
        return self._settings

    def report(self, settings: TrialSettings, counts: TrialCounts, differences: Sequence[PointDifference] = ()) -> None:
        """Count an invocation, and change the settings where the counts demand it.

        Counts are gathered for a second at most; errors and differences are reported at once.

        Args:
            settings: in force when the points were classified.
            counts: of the invocation.
            differences: of the invocation.
        """
        if settings.step != self._settings.step:
            # The settings changed while the points were classified: they are not part of the current step.
            return
        self._gathered = self._gathered.plus(counts)
        self._gather(differences)
        is_urgent = bool(counts.errors or counts.differences)
        if not (is_urgent or self._clock() >= self._report_at):
            return
        if self._clock() < self._away_until:
            self._discard()
            return
        try:
            self._send()
        except UnavailableError as error:
            self._pause(error)

    def _read(self) -> TrialSettings:
        try:
            return self._store.settings()
        except UnavailableError:
            if self._clock() - self._stale_at < RETRY_SECONDS:
                raise
            # After a rest of the container the connection may have ended, and the canary may have been rolled back
            # long ago: one more attempt before old settings are used.
            return self._store.settings()

    def _gather(self, differences: Sequence[PointDifference]) -> None:
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
                self._adopt(reviewed.settings)
            if reviewed.event:
                self._on_event(reviewed.event)
        # Last: they help to find the cause, and no rollback depends on them.
        if noted:
            self._store.note(noted, step=settings.step)

    def _recent(self, total: TrialCounts, own: TrialCounts) -> TrialCounts:
        """The step's counts of the last minute; `own` is the part of `total` that was just added."""
        now = self._clock()
        while self._totals and self._totals[0][0] < now - RECENT_SECONDS:
            self._totals.popleft()
        if not self._totals:
            self._totals.append((now, total.minus(own)))
        self._totals.append((now, total))
        return total.minus(self._totals[0][1])

    def _adopt(self, settings: TrialSettings) -> None:
        if settings.step != self._settings.step:
            self._discard()
            self._totals.clear()
        self._settings = settings
        self._stale_at = self._clock() + SETTINGS_SECONDS

    def _discard(self) -> None:
        self._gathered = TrialCounts()
        self._differences.clear()

    def _pause(self, error: UnavailableError) -> None:
        self._discard()
        self._away_until = self._clock() + RETRY_SECONDS
        self._on_unavailable(error)
