"""The contract of `BulkQueue`: packs arrive once, with their slot, and a repeated one has the number of the first."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import pytest

from afluente.adapters.aws.sqs_bulk_packs import SqsBulkQueue
from afluente.adapters.memory.ingest import MemoryBulkQueue
from afluente.application.errors import UnavailableError
from afluente.application.ingest.packs import ReceivedPack, Series, SeriesPack
from afluente.application.ingest.ports import BulkQueue
from tests.contract.conftest import MOTO_IS_UNFAITHFUL
from tests.contract.local_aws import LocalAws, fail
from tests.contract.test_pack_queue import received
from tests.factories import NOW


@dataclass
class Queue:
    """A queue from both ends."""

    sending: BulkQueue
    receive: Callable[[], list[ReceivedPack]]


@pytest.fixture
def queue(backend: LocalAws | None) -> Queue:
    if backend is None:
        memory = MemoryBulkQueue()
        return Queue(memory, lambda: memory.packs)
    client, url = backend.client("sqs"), backend.fifo_queue()
    return Queue(SqsBulkQueue(client, url), lambda: received(client, url))


def a_pack(points: int = 3, *, names: tuple[str, ...] = ("a", "b"), at: float = NOW) -> SeriesPack:
    times, noise = [NOW + step for step in range(points)], Random(7)  # noqa: S311 - no secret
    values = [noise.random() for _ in range(points)]
    series = tuple(Series(f"furnace-1:{name}", "temperature", times, values) for name in names)
    return SeriesPack("3-of-64", "iot", "furnace-1", at, series, "csv")


def test_a_pack_arrives_as_its_points_in_their_order_with_its_slot(queue: Queue) -> None:
    pack = a_pack()
    [sealed] = queue.sending.seal(pack)

    queue.sending.send(sealed)

    [found] = queue.receive()
    assert (found.group, found.points, found.transport, found.slot) == ("3-of-64", pack.points, "csv", sealed.slot)
    assert sealed.points == len(pack.points)


def test_the_slot_of_a_pack_follows_from_its_points(queue: Queue) -> None:
    slots = [sealed.slot for pack in (a_pack(), a_pack(at=NOW + 60), a_pack(4)) for sealed in queue.sending.seal(pack)]

    assert slots[0] == slots[1] != slots[2]


@MOTO_IS_UNFAITHFUL  # moto (5.2) draws sequence numbers at random, and those of repeated messages anew
def test_a_repeated_pack_changes_nothing_and_has_the_number_of_the_first(queue: Queue) -> None:
    first, other = (sealed for pack in (a_pack(), a_pack(4)) for sealed in queue.sending.seal(pack))

    numbers = [queue.sending.send(pack) for pack in (first, other, first)]

    assert numbers[0] == numbers[2] < numbers[1]
    assert [pack.sequence_number for pack in queue.receive()] == numbers[:2]
    assert queue.sending.send(first) == numbers[0]


def test_a_pack_that_no_message_holds_is_sealed_as_several() -> None:
    pack = a_pack(5_000, names=("é" * 118,))

    sealed = SqsBulkQueue.seal(pack)

    assert len(sealed) > 1
    assert sum(its.points for its in sealed) == 5_000
    assert len({its.slot for its in sealed}) == len(sealed)


def test_a_queue_that_does_not_answer_is_unavailable(aws: LocalAws) -> None:
    client = aws.client("sqs")
    queue = SqsBulkQueue(client, aws.fifo_queue())
    fail(client, "SendMessage")

    [sealed] = queue.seal(a_pack())
    with pytest.raises(UnavailableError):
        queue.send(sealed)
