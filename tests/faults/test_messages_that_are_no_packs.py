"""Messages on the queue that are no packs: quarantined with the reason, while their group goes on."""

import base64
import zlib

import msgspec
import pytest

from tests.faults.conftest import NewRun
from tests.faults.faults import refused
from tests.faults.proxy import FaultProxy
from tests.stack import LocalStack

pytestmark = pytest.mark.integration


def packed(document: object) -> str:
    return base64.b64encode(zlib.compress(msgspec.msgpack.encode(document))).decode()


NO_PACKS = {
    "text": "not a pack",
    "base64 of something else": base64.b64encode(b"not a pack").decode(),
    "cut off": packed([1, [1.0], []])[:-8],
    "another shape": packed({"version": 1}),
    "another version": packed([99, [1.0], [["iot", "furnace-1", [["temperature", 1.0, 1.0, None, None, None]]]]]),
    "a point that cannot be": packed([1, [1.0], [["iot", "a/b", [["temperature", 1.0, 1.0, None, None, None]]]]]),
    "fewer arrivals than points": packed([1, [1.0, 2.0], [["iot", "a", [["t", 1.0, 1.0, None, None, None]]]]]),
}


def test_they_are_quarantined_and_their_group_goes_on(local_stack: LocalStack, new_run: NewRun) -> None:
    run = new_run()
    run.begin()
    with local_stack.paused():
        messages = {local_stack.queue_message(body, run.group): body for body in NO_PACKS.values()}
        run.go_on()
    run.end()

    assert run.repeats() == 0
    for message_id, body in messages.items():
        (record,) = local_stack.quarantined("sqs", message_id)
        assert (record["reason"], record["transport"]) == ("undecodable_pack", "sqs")
        assert "not a pack of this version" in record["message"]
        assert record["origin"]["group"] == run.group
        assert record["origin"]["queue"].endswith(":afluente-local-datapoints.fifo")
        assert base64.b64decode(record["payload"]).decode() == body


def test_one_waits_with_its_group_while_the_quarantine_is_away(
    local_stack: LocalStack, classifier_calls: FaultProxy, new_run: NewRun
) -> None:
    run = new_run()
    run.begin()
    with classifier_calls.injected(refused(503, "SlowDown"), "S3", "PUT", times=3) as injection:
        with local_stack.paused():
            message_id = local_stack.queue_message("not a pack", run.group)
            run.go_on()
        local_stack.drained()

    assert injection.strikes == 3
    assert len(local_stack.quarantined("sqs", message_id)) == 1
    run.end()
    assert run.repeats() == 0
