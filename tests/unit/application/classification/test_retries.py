"""Retries of packs that failed."""

import pytest

from afluente.application.backoff import backoff_seconds
from afluente.application.classification.classify_packs import FailedPack
from afluente.application.classification.retries import MAX_TRIES, UNCOUNTED_BACKOFF_SECONDS
from afluente.application.ingest.packs import ReceivedPack
from tests.factories import GROUP, a_point, a_received_pack
from tests.unit.classifier_world import World


def a_failed_pack(number: int = 1) -> FailedPack:
    pack = a_received_pack(number, a_point(1))
    return FailedPack(ReceivedPack(pack.message_id, GROUP, number, pack.points, slot="token"), KeyError("a defect"))


def seconds(world: World, failed: FailedPack) -> list[int]:
    retried, moved = world.retry([failed])
    assert moved == []
    return [one.seconds for one in retried]


@pytest.mark.parametrize(("tries", "expected"), [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (60, 60), (10_000, 60)])
def test_the_backoff_doubles_up_to_a_minute(tries: int, expected: int) -> None:
    assert backoff_seconds(tries) == expected


def test_a_pack_waits_longer_after_each_failed_try_of_its_own() -> None:
    world = World()

    assert [seconds(world, a_failed_pack()) for _ in range(3)] == [[1], [2], [4]]
    assert seconds(world, a_failed_pack(2)) == [1]


def test_a_pack_that_failed_too_often_is_moved_and_its_slot_released() -> None:
    world = World()
    failed = a_failed_pack()
    for _ in range(MAX_TRIES - 1):
        world.retry([failed])
    assert world.dead_letters.packs == {}

    assert world.retry([failed]) == ([], [failed])

    assert world.dead_letters.packs == {"message-1": failed.pack}
    assert world.released == [(GROUP, "token", 1)]


def test_a_pack_whose_tries_are_not_known_is_retried() -> None:
    world = World()
    world.fail("count")

    assert seconds(world, a_failed_pack()) == [UNCOUNTED_BACKOFF_SECONDS]
