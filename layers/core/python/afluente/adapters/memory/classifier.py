"""A classifier whose ports are in memory, and whose groups run one after the other."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

from afluente.adapters.memory.alarms import MemoryAlarms
from afluente.adapters.memory.classification import MemoryStates, MemoryStreams
from afluente.adapters.memory.ingest import MemoryQuarantine, MemorySlots
from afluente.application.classification.classify_pack import ClassifyPack
from afluente.application.classification.classify_packs import BatchResult, ClassifyPacks
from afluente.application.classification.ports import Classifier, StateStore
from afluente.application.ingest.packs import ReceivedPack

UNLIMITED_SECONDS = 3600.0


class MemoryClassifier:
    """Classifies packs into memory, with all the time it needs.

    Args:
        classifier: of points.
        states: of streams.
        streams: of the classes.
        alarms: sink of alarm events.
        clock: the time of classification, in Unix seconds.
    """

    def __init__(
        self,
        classifier: Classifier,
        *,
        states: StateStore | None = None,
        streams: MemoryStreams | None = None,
        alarms: MemoryAlarms | None = None,
        clock: Callable[[], float],
    ) -> None:
        classify = ClassifyPack(
            classifier=classifier,
            streams=streams or MemoryStreams(),
            alarms=alarms or MemoryAlarms(),
            quarantine=MemoryQuarantine(),
            # No sender waits for them.
            slots=MemorySlots(limit=1, lease_seconds=UNLIMITED_SECONDS, clock=clock),
            clock=clock,
        )
        self._classify = ClassifyPacks(classify=classify, states=states or MemoryStates(), executor=_Inline())

    def __call__(self, *packs: ReceivedPack) -> BatchResult:
        return self._classify(packs, lambda: UNLIMITED_SECONDS)


class _Inline(Executor):
    """Runs a call when it is submitted."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future
