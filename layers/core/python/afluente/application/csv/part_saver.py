"""Saving of the progress of a part: at once, or from time to time."""

from collections.abc import Callable

from afluente.application.csv.jobs import CsvJob
from afluente.application.csv.ports import CsvJobStore
from afluente.application.csv.progress import PartProgress

SAVE_SECONDS = 10.0
"""Time after which progress within a chunk is saved: a loader that is killed repeats no more than it sent in it."""


class PartSaver:
    """The progress of a part during one call.

    Args:
        store: of the jobs.
        job: of the part.
        number: of the part.
        clock: Unix seconds.

    Attributes:
        part: its newest progress.
    """

    part: PartProgress

    def __init__(self, store: CsvJobStore, job: CsvJob, number: int, *, clock: Callable[[], float]) -> None:
        self._store = store
        self._job = job
        self._number = number
        self._clock = clock
        self._saved_at = clock()

    def save(self, part: PartProgress) -> PartProgress:
        """Save progress; returns it with its next version.

        Raises:
            StaleJobError: another loader works on the part, or the job was cancelled.
            UnavailableError: it may not be saved.
        """
        self.part = self._store.save_part(self._job, self._number, part)
        self._saved_at = self._clock()
        return self.part

    def advance(self, part: PartProgress) -> None:
        """Make progress, and save it if that was not done for a while; raises as `save`."""
        self.part = part
        if self._clock() - self._saved_at >= SAVE_SECONDS:
            self.save(part)
