"""Watch the trial from where points are judged: its settings, what comes of it, and the canary's machine.

Points never wait for it, and none is lost by it: where the store does not answer, the settings last known go on, and
what was to be counted is dropped.
"""

from collections.abc import Callable, Sequence

from afluente.application.migration.canary import review
from afluente.application.migration.trial import Difference, TrialCounts, TrialEvent, TrialSettings, TrialStore
from afluente.application.ports import UnavailableError

SETTINGS_SECONDS = 1.0
"""How old the settings may be that points are judged by, and for how long counts gather."""

RETRY_SECONDS = 5.0
"""How long a store that did not answer is left alone."""

NOTED_AT_ONCE = 10
"""How many differences one report notes; all are counted."""


class Trial:
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
        self._report_at = clock()
        self._away_until = clock()

    def settings(self) -> TrialSettings:
        """The settings in force; those of an idle canary until they could be read."""
        now = self._clock()
        if now >= self._stale_at and now >= self._away_until:
            try:
                self._take(self._store.settings())
            except UnavailableError as error:
                self._leave(error)
        return self._settings

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
        urgent = bool(counts.errors or counts.differences)
        if self._gathered == TrialCounts() or not (urgent or self._clock() >= self._report_at):
            return
        if self._clock() < self._away_until:
            self._gathered = TrialCounts()
            return
        try:
            self._send(differences)
        except UnavailableError as error:
            self._leave(error)

    def _send(self, differences: Sequence[Difference]) -> None:
        gathered, self._gathered = self._gathered, TrialCounts()
        self._report_at = self._clock() + SETTINGS_SECONDS
        settings = self._settings
        total = self._store.add(gathered, step=settings.step)
        if differences:
            self._store.note(differences[:NOTED_AT_ONCE], step=settings.step)
        reviewed = review(self._store, settings, total, now=self._now())
        if reviewed.settings is not settings:
            self._take(reviewed.settings)
        if reviewed.event:
            self._on_event(reviewed.event)

    def _take(self, settings: TrialSettings) -> None:
        if settings.step != self._settings.step:
            self._gathered = TrialCounts()
        self._settings = settings
        self._stale_at = self._clock() + SETTINGS_SECONDS

    def _leave(self, error: UnavailableError) -> None:
        self._gathered = TrialCounts()
        self._away_until = self._clock() + RETRY_SECONDS
        self._on_unavailable(error)
