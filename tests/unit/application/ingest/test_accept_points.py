"""Accept points: good ones are queued, bad ones quarantined, and an unavailable queue is reported."""

import json
from collections.abc import Sequence

import pytest

from afluente.adapters.memory.ingest import MemoryPackQueue, MemoryQuarantine
from afluente.application.errors import UnavailableError
from afluente.application.ingest.accept_points import AcceptPoints
from afluente.application.ingest.packs import Pack
from afluente.application.ingest.quarantine import QuarantinedRecord, QuarantineReason
from afluente.application.ingest.rejection import RejectedPoint
from afluente.application.limits.decisions import Batch
from afluente.domain.faults import Fault, FaultCode
from tests.factories import NOW, a_point, a_rejected_point, a_request, arrived


class UnavailableQueue:
    def send(self, packs: Sequence[Pack]) -> None:
        raise UnavailableError("away")


class UnavailableQuarantine:
    def put(self, record: QuarantinedRecord) -> None:
        raise UnavailableError("away")


def test_good_points_are_queued_in_packs_by_shard_and_in_their_order() -> None:
    queue = MemoryPackQueue()
    here = [a_point(1), a_point(2, at=1)]
    there = [a_point(3, source_id="furnace-2")]

    kept = AcceptPoints(queue=queue, quarantine=MemoryQuarantine(), shards=64)(a_request(here[0], *there, here[1]))

    assert kept
    assert {pack.group: pack.points for pack in queue.packs} == {
        "0-of-64": arrived(*here),
        "10-of-64": arrived(*there),
    }
    assert {pack.transport for pack in queue.packs} == {"http"}


def test_a_repeated_request_changes_nothing() -> None:
    queue = MemoryPackQueue()
    accept = AcceptPoints(queue=queue, quarantine=MemoryQuarantine(), shards=64)

    for _ in range(3):
        accept(a_request(a_point(1), a_point(2, at=1)))

    assert [pack.points for pack in queue.packs] == [arrived(a_point(1), a_point(2, at=1))]


def test_bad_points_are_quarantined_with_their_faults_and_as_they_came() -> None:
    queue, quarantine = MemoryPackQueue(), MemoryQuarantine()
    bad = [
        a_rejected_point(0),
        RejectedPoint(
            7,
            (Fault(FaultCode.NOT_FINITE, "value", "nan"), Fault(FaultCode.EMPTY, "stream_id", "empty")),
            {"value": float("nan"), "stream_id": "", "metadata": {"a": "\ud800", "b": 10**30}},
        ),
    ]

    kept = AcceptPoints(queue=queue, quarantine=quarantine, shards=64)(a_request(rejected=bad))

    assert kept
    assert queue.packs == []
    record = quarantine.records["request-1"]
    assert (record.reason, record.transport, record.failed_at) == (QuarantineReason.REJECTED_POINTS, "http", NOW)
    assert record.origin == {"domain": "iot", "source_id": "furnace-1"}
    assert record.faults == {0: bad[0].faults, 7: bad[1].faults}
    assert (record.schema, record.payload_encoding) == ("afluente/quarantined-record/1", "json")
    assert json.loads(record.payload)[0] == bad[0].raw
    assert json.loads(record.payload)[1]["metadata"] == {"a": "\ud800", "b": 10**30}


def test_a_request_without_bad_points_leaves_nothing_in_quarantine() -> None:
    quarantine = MemoryQuarantine()

    assert AcceptPoints(queue=MemoryPackQueue(), quarantine=quarantine, shards=64)(a_request(a_point()))

    assert quarantine.records == {}


def test_points_are_not_accepted_while_the_queue_is_unavailable() -> None:
    quarantine = MemoryQuarantine()
    accept = AcceptPoints(queue=UnavailableQueue(), quarantine=quarantine, shards=64)

    with pytest.raises(UnavailableError):
        accept(a_request(a_point(), rejected=[a_rejected_point()]))

    # The client will send all of it again.
    assert quarantine.records == {}


def test_bad_points_alone_do_not_need_the_queue() -> None:
    quarantine = MemoryQuarantine()

    assert AcceptPoints(queue=UnavailableQueue(), quarantine=quarantine, shards=64)(
        a_request(rejected=[a_rejected_point()])
    )

    assert list(quarantine.records) == ["request-1"]


def test_an_unavailable_quarantine_is_reported_and_does_not_fail_the_request() -> None:
    queue = MemoryPackQueue()

    kept = AcceptPoints(queue=queue, quarantine=UnavailableQuarantine(), shards=64)(
        a_request(a_point(), rejected=[a_rejected_point()])
    )

    assert not kept
    assert len(queue.packs) == 1


def test_the_points_of_each_source_are_counted_the_rejected_ones_with_those_of_the_request() -> None:
    here, there = [a_point(1), a_point(2, at=1)], a_point(3, source_id="furnace-2")

    assert a_request(*here, there).batches == [Batch("iot/furnace-1", 2), Batch("iot/furnace-2", 1)]
    assert a_request(there, rejected=[a_rejected_point(1)]).batches == [
        Batch("iot/furnace-2", 1),
        Batch("iot/furnace-1", 1),
    ]
    assert a_request().batches == [Batch("iot/furnace-1", 0)]
