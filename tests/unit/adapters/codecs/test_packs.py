"""The form of a pack on the queue."""

import base64
import zlib
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from afluente.adapters.codecs.packs import (
    VERSION,
    DecodedPack,
    UndecodablePackError,
    decode_pack,
    encode_pack,
    encode_rows,
    rows_of,
    slot_of,
)
from afluente.application.ingest.packs import Series, SeriesPack
from afluente.domain.datapoints import DataPoint
from tests import strategies
from tests.factories import NOW, a_point, arrived

POINT = ["temperature", 20.0, NOW, None, None, None]
SOURCE = ["iot", "furnace-1", [POINT]]


def body_of(pack: object) -> str:
    """The codec's body of any document as a pack."""
    return base64.b64encode(zlib.compress(msgspec.msgpack.encode(pack))).decode()


@given(st.lists(strategies.datapoints(), min_size=1, max_size=12))
def test_a_pack_reads_back_as_it_was_written(its_points: list[DataPoint]) -> None:
    assert decode_pack(encode_pack(its_points).body).points == tuple(its_points)


@given(st.lists(strategies.datapoints(arrivals=st.just(NOW)), min_size=1, max_size=12))
def test_a_pack_of_one_request_reads_back_as_it_was_written(its_points: list[DataPoint]) -> None:
    assert decode_pack(encode_pack(its_points).body).points == tuple(its_points)


@pytest.mark.parametrize(
    "metadata",
    [
        {"big": 2**64, "bigger": -(10**400)},
        {"text": "\ufffe\uffff\x00\u2028😀", "\x01": '\\"'},
        {"nested": [[{"a": [None, True, -0.0, 1e-300]}], {}]},
        {"": ""},
    ],
)
def test_metadata_reads_back_whatever_json_can_hold(metadata: dict[str, Any]) -> None:
    (point,) = decode_pack(encode_pack(arrived(a_point(metadata=metadata))).body).points

    assert point.metadata == metadata


def test_the_sources_of_a_pack_may_take_turns() -> None:
    its_points = arrived(*(a_point(step, at=step, source_id=f"furnace-{step % 2}") for step in range(6)))

    assert decode_pack(encode_pack(its_points).body).points == its_points


def test_a_body_is_text_that_the_queue_accepts() -> None:
    body = encode_pack(arrived(a_point(metadata={"text": "\x00\ufffe"}))).body

    assert body.isascii()
    assert body.isprintable()


def test_a_thousand_points_of_a_stream_are_small() -> None:
    its_points = arrived(*(a_point(20 + step % 7 / 10, at=step) for step in range(1_000)))

    assert len(encode_pack(its_points).body) < 16 * 1024


# --- deduplication ---------------------------------------------------------------------------------------------------


def test_the_same_points_have_the_same_deduplication_id_whenever_they_arrive() -> None:
    once = encode_pack(arrived(a_point(1), a_point(2, at=1), ingested_at=NOW))
    again = encode_pack(arrived(a_point(1), a_point(2, at=1), ingested_at=NOW + 60))

    assert once.deduplication_id == again.deduplication_id
    assert once.body != again.body


@pytest.mark.parametrize(
    "changed",
    [
        {"value": 2.0},
        {"at": 1.0},
        {"sequence": 0},
        {"stream_id": "pressure"},
        {"source_id": "furnace-2"},
        {"domain": "health"},
        {"stream_type": "thermocouple"},
        {"metadata": {"a": 1}},
    ],
)
def test_other_points_have_another_deduplication_id(changed: dict[str, Any]) -> None:
    first = encode_pack(arrived(a_point(1.0)))
    other = encode_pack(arrived(a_point(**{"value": 1.0} | changed)))

    assert first.deduplication_id != other.deduplication_id


def test_a_deduplication_id_is_one_that_the_queue_accepts() -> None:
    identity = encode_pack(arrived(a_point())).deduplication_id

    assert len(identity) <= 128
    assert identity.isalnum()


# --- what is no pack -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        "",
        "no base64!",
        "é",
        "\ud800",
        "AAAA",
        base64.b64encode(zlib.compress(b"")).decode(),
        base64.b64encode(zlib.compress(b"\xc1")).decode(),
        base64.b64encode(zlib.compress(b"{}")[:-3]).decode(),
        encode_pack(arrived(a_point())).body[:-8],
        body_of(None),
        body_of([VERSION]),
        body_of(["1", [NOW], [SOURCE]]),
        body_of([VERSION, [NOW], "sources"]),
        body_of([VERSION, [NOW], [["iot", "furnace-1"]]]),
        body_of([VERSION, [NOW], [["IoT", "furnace-1", [POINT]]]]),
        body_of([VERSION, [NOW], [["iot", "a/b", [POINT]]]]),
        body_of([VERSION, [NOW], [["iot", "furnace-1", [["temperature", "hot", NOW, None, None, None]]]]]),
        body_of([VERSION, [NOW], [["iot", "furnace-1", [["temperature", float("nan"), NOW, None, None, None]]]]]),
        body_of([VERSION, [NOW], [["iot", "furnace-1", [[*POINT[:5], b"[]"]]]]]),
        body_of([VERSION, [NOW], [["iot", "furnace-1", [[*POINT[:5], b"{"]]]]]),
        body_of([VERSION, [NOW], [["iot", "furnace-1", [[*POINT[:5], b'{"a":"\xff"}']]]]]),
        body_of([VERSION, [NOW], [["iot", "furnace-1", [[*POINT[:5], b'{"a":' + b"[" * 100_000]]]]]),
        body_of([VERSION, [], [SOURCE]]),
        body_of([VERSION, [NOW, NOW], [SOURCE]]),
        body_of([VERSION, [float("inf")], [SOURCE]]),
    ],
)
def test_what_is_no_pack_is_refused(body: str) -> None:
    with pytest.raises(UndecodablePackError):
        decode_pack(body)


def test_a_pack_of_another_version_is_refused_by_its_version() -> None:
    with pytest.raises(UndecodablePackError, match=f"version 2 is not {VERSION}"):
        decode_pack(body_of([2, [NOW], {"what": "is not known yet"}]))


def test_a_pack_written_by_the_first_release_is_read() -> None:
    body = body_of([1, [NOW], [["iot", "furnace-1", [["temperature", 20.0, NOW, 7, "thermocouple", b'{"a":1}']]]]])

    assert decode_pack(body) == DecodedPack(
        arrived(a_point(20.0, timestamp=NOW, sequence=7, stream_type="thermocouple", metadata={"a": 1})), transport=None
    )


def test_a_pack_names_the_transport_of_its_points() -> None:
    assert decode_pack(encode_pack(arrived(a_point()), "mqtt").body).transport == "mqtt"


_json_like = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats()
    | st.text(max_size=5)
    | st.binary(max_size=5),
    lambda children: st.lists(children, max_size=4),
    max_leaves=12,
)


@given(st.one_of(st.text(), st.binary().map(lambda raw: base64.b64encode(raw).decode()), _json_like.map(body_of)))
def test_garbage_is_refused_and_never_breaks_anything(body: str) -> None:
    with pytest.raises(UndecodablePackError):
        decode_pack(body)


@given(st.data())
def test_a_pack_with_one_field_put_wrong_is_read_or_refused(data: st.DataObject) -> None:
    pack: list[Any] = [VERSION, [NOW], [["iot", "furnace-1", [[*POINT[:5], b'{"a":1}']]]]]
    place = data.draw(st.sampled_from([pack, pack[1], pack[2], pack[2][0], pack[2][0][2], pack[2][0][2][0]]))
    place[data.draw(st.integers(0, len(place) - 1))] = data.draw(_json_like)

    with suppress(UndecodablePackError):
        decode_pack(body_of(pack))


@given(
    st.lists(
        st.builds(
            lambda stream, kind, points: Series(stream, kind, *map(list, zip(*points, strict=True))),
            st.sampled_from(["furnace-1:a", "furnace-1:ñ"]),
            st.sampled_from([None, "temperature"]),
            st.lists(st.tuples(st.floats(0, 1e9), st.floats(-1e300, 1e300)), min_size=1, max_size=5),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_series_are_the_same_message_as_their_points_one_by_one(series: list[Series]) -> None:
    pack = SeriesPack("3-of-64", "iot", "furnace-1", NOW, tuple(series))

    encoded = encode_rows(pack.domain, pack.source_id, rows_of(pack.series), pack.ingested_at)

    assert encoded == encode_pack(pack.points)


def test_a_pack_of_bulk_carries_its_slot_which_follows_from_its_points_alone() -> None:
    rows = rows_of([Series("furnace-1:a", None, [NOW], [1.0])])

    first, again = (encode_rows("iot", "furnace-1", rows, NOW + step, holds_slot=True) for step in (0, 60))
    without = encode_rows("iot", "furnace-1", rows, NOW)

    assert decode_pack(first.body).slot == decode_pack(again.body).slot == slot_of(first.deduplication_id)
    assert decode_pack(first.body).points == decode_pack(without.body).points
    assert first.deduplication_id == without.deduplication_id
    assert decode_pack(without.body).slot is None
