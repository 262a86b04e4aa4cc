"""A broker that is away for a while, and a connection that breaks anywhere: acknowledged points arrive in order."""

import secrets
from collections.abc import Callable

import pytest

from tests.faults.relay import Relay
from tests.outbox import Outbox
from tests.senders import ACCEPTED, MqttSender
from tests.stack import PATIENCE_SECONDS, LocalStack

pytestmark = pytest.mark.integration

IN_FLIGHT = 20
"""Fewer than the window of a stream (32), so that a repeated point is recognised as a duplicate."""


# TLS makes of each message a record of about 130 bytes.
BREAKS: dict[str, Callable[[Relay], None]] = {
    "in the first message": lambda relay: relay.cut_after(20),
    "between messages in flight": lambda relay: relay.cut_after(1_300),
    "in place of an acknowledgement": lambda relay: relay.cut_at_answer(),
}


@pytest.fixture
def source_id() -> str:
    """Not longer than the name of a thing may be."""
    return f"breaks-{secrets.token_hex(3)}"


@pytest.mark.parametrize("place", BREAKS)
def test_a_device_whose_connection_breaks_repeats_and_loses_nothing(
    local_stack: LocalStack, outbox: Outbox, source_id: str, place: str
) -> None:
    with Relay(local_stack.mqtt_port) as relay:
        device = MqttSender(local_stack, "iot", source_id, port=relay.port)
        for begin in range(0, 3 * IN_FLIGHT, IN_FLIGHT):
            BREAKS[place](relay)
            publish(device, source_id, range(begin, begin + IN_FLIGHT))
        connections = relay.connections
        device.close()

    assert connections > 3
    local_stack.drained()
    assert came(outbox, source_id) == list(range(3 * IN_FLIGHT))


def test_what_is_published_while_the_broker_is_away_arrives_in_order_when_it_is_back(
    local_stack: LocalStack, outbox: Outbox, source_id: str
) -> None:
    with Relay(local_stack.mqtt_port) as relay:
        device = MqttSender(local_stack, "iot", source_id, port=relay.port)
        publish(device, source_id, range(IN_FLIGHT))
        relay.stop()
        waiting = [device.publish(f"iot/{source_id}/s", point(place)) for place in range(IN_FLIGHT, 5 * IN_FLIGHT)]
        assert not any(one.done() for one in waiting)
        relay.start()
        assert {one.result(PATIENCE_SECONDS).puback.reason_code for one in waiting} == {ACCEPTED}
        device.close()

    local_stack.drained()
    assert came(outbox, source_id) == list(range(5 * IN_FLIGHT))


def publish(device: MqttSender, source_id: str, places: range) -> None:
    """Publish a message a point, all in flight together, and wait until all are acknowledged."""
    sent = [device.publish(f"iot/{source_id}/s", point(place)) for place in places]
    assert {one.result(PATIENCE_SECONDS).puback.reason_code for one in sent} == {ACCEPTED}


def point(place: int) -> dict[str, object]:
    return {"value": place, "timestamp": 1_700_000_000 + place, "sequence": place}


def came(outbox: Outbox, source_id: str) -> list[int]:
    """The sequences that came out, without repeats."""
    points = outbox.points(f"iot/{source_id}")
    assert not any(one["late"] for one in points)
    return [one["sequence"] for one in points]
