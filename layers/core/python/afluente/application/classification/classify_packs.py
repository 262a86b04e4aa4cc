"""Classify the packs of a batch: groups side by side, the packs of each one after the other."""

from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor, wait

import msgspec

from afluente.application.classification.classify_pack import ClassifyPack, PackCounts
from afluente.application.classification.ports import LoadedStates, StateStore, TimeLeft
from afluente.application.errors import UnavailableError
from afluente.application.ingest.packs import ReceivedPack, sharding_of
from afluente.domain.stream_keys import StreamKey

FINISH_SECONDS = 2.0
"""Time that has to be left for a pack to be begun, beside the time that it will take."""

ANSWER_SECONDS = 1.0
"""Time before the end of an invocation at which packs that are not done are given up, so that the answer is in time."""

_MARGIN = 1.5
"""A pack may take so many times as long as the longest of its group before it."""


class FailedPack(msgspec.Struct, frozen=True):
    """A pack that was begun and has to be retried, with the reason."""

    pack: ReceivedPack
    error: Exception


class BatchResult(msgspec.Struct, frozen=True):
    """The result for a batch of packs; those that are in neither list are done.

    Attributes:
        failed: the pack of each group that was begun and is not done, at most one a group.
        returned: packs that were not begun: those after a failed one, and those for which no time was left. That is no
            failure; they may be retried at once.
        counts: points and alarms of the packs that are done, and of streams that are done in failed ones.
    """

    failed: Sequence[FailedPack]
    returned: Sequence[ReceivedPack]
    counts: PackCounts


class _GroupRun(msgspec.Struct):
    """Progress of a group: written by the thread that runs it, read by others when it has ended or is given up."""

    waiting: deque[ReceivedPack]
    counts: PackCounts = msgspec.field(default_factory=PackCounts)
    begun: ReceivedPack | None = None
    error: Exception | None = None


class ClassifyPacks:
    """Classifies packs of the queue, as many as there is time for.

    Groups share the reading of states, and nothing else: where one fails or is slow, the others go through.

    Args:
        classify: classifies one pack.
        states: of streams.
        executor: runs groups side by side. Not one whose threads the ports use, too: they would wait for each other.
    """

    def __init__(self, *, classify: ClassifyPack, states: StateStore, executor: Executor) -> None:
        self._classify = classify
        self._states = states
        self._executor = executor

    def __call__(self, packs: Sequence[ReceivedPack], time_left: TimeLeft) -> BatchResult:
        """Classify packs, and deliver their points.

        Args:
            packs: of any groups, those of one group in the order of their sequence numbers.
            time_left: seconds until the invocation ends.
        """
        # While the number of shards changes, a source may be in two groups at once; one of them waits.
        sharding = sharding_of(packs[0].group)
        later = [pack for pack in packs if sharding_of(pack.group) != sharding]
        runs = _runs(pack for pack in packs if sharding_of(pack.group) == sharding)
        states = self._states.load(
            {
                StreamKey(point.domain, point.source_id, point.stream_id): pack.group
                for run in runs
                for pack in run.waiting
                for point in pack.points
            }
        )
        futures = [self._executor.submit(self._run, run, states, time_left) for run in runs]
        ended, _ = wait(futures, timeout=max(0.0, time_left() - ANSWER_SECONDS))
        for future in ended:
            future.result()
        return _result(runs, later)

    def _run(self, run: _GroupRun, states: LoadedStates, time_left: TimeLeft) -> None:
        longest = 0.0
        while run.waiting and time_left() > FINISH_SECONDS + _MARGIN * longest:
            began = time_left()
            run.begun = run.waiting.popleft()
            try:
                result = self._classify(run.begun, states, lambda: time_left() - ANSWER_SECONDS)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is of this pack alone
                run.error = error
                return
            run.counts.add(result.counts)
            if result.error is not None:
                run.error = result.error
                return
            run.begun = None
            longest = max(longest, began - time_left())


def _runs(packs: Iterable[ReceivedPack]) -> list[_GroupRun]:
    runs: dict[str, _GroupRun] = {}
    for pack in packs:
        runs.setdefault(pack.group, _GroupRun(deque())).waiting.append(pack)
    return list(runs.values())


def _result(runs: Iterable[_GroupRun], later: Iterable[ReceivedPack]) -> BatchResult:
    failed: list[FailedPack] = []
    returned: list[ReceivedPack] = []
    counts = PackCounts()
    for run in runs:
        counts.add(run.counts)
        if run.begun is not None:
            failed.append(FailedPack(run.begun, run.error or UnavailableError("it was not done in time")))
        returned += run.waiting
    return BatchResult(failed, [*returned, *later], counts)
