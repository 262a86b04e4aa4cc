"""Delays from acceptance to delivery."""

from afluente.application.classification.delays import delivery_delays
from afluente.application.ingest.packs import ReceivedPack
from tests.factories import NOW, a_classified_point, a_point, arrived


def a_pack(transport: str | None, *arrivals: float) -> ReceivedPack:
    points = [arrived(a_point(at=place), ingested_at=at)[0] for place, at in enumerate(arrivals)]
    return ReceivedPack("message-1", "1-of-64", 1, tuple(points), transport)


def test_the_points_of_a_request_are_one_delay_and_each_message_is_its_own() -> None:
    delivered = [a_classified_point(ingested_at=NOW - before) for before in (4, 3, 4)]

    delays = delivery_delays(a_pack("mqtt", NOW - 4, NOW - 3, NOW - 4), delivered, NOW)

    assert {transport: sorted(seconds) for transport, seconds in delays.items()} == {"mqtt": [3, 4]}


def test_a_pack_that_names_no_transport_has_none() -> None:
    assert delivery_delays(a_pack(None, NOW - 2), [a_classified_point(ingested_at=NOW - 2)], NOW) == {}
