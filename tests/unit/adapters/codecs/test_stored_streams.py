"""The binary form of the streams of a bucket."""

from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from afluente.adapters.codecs.stored_streams import StoredStream, decode_streams, encode_streams

streams = st.lists(
    st.builds(StoredStream, st.text(min_size=1, max_size=128), st.binary(min_size=17, max_size=17), st.binary()),
    max_size=8,
)


@given(streams, st.booleans())
def test_streams_read_back_as_they_were_written(its: list[StoredStream], compact: bool) -> None:
    assert decode_streams(encode_streams(its, compact=compact)) == its


@given(streams)
def test_the_form_of_earlier_releases_is_a_list_of_message_pack(its: list[StoredStream]) -> None:
    assert msgspec.msgpack.decode(encode_streams(its, compact=False), type=list[StoredStream]) == its


def test_streams_are_deflated_where_it_saves_a_write_unit() -> None:
    small = [StoredStream("a", bytes(17), bytes(800))]
    large = [StoredStream("a", bytes(17), bytes(900))]

    assert encode_streams(small, compact=True) == encode_streams(small, compact=False)
    assert len(encode_streams(large, compact=True)) < 100


def test_deflated_streams_are_no_list_of_message_pack_so_that_earlier_releases_refuse_them() -> None:
    deflated = encode_streams([StoredStream("a", bytes(17), bytes(900))], compact=True)

    with pytest.raises(msgspec.DecodeError):
        msgspec.msgpack.decode(deflated, type=list[StoredStream])


def test_deflated_streams_have_the_largest_bucket() -> None:
    largest = [StoredStream("\U0001f321" * 127 + str(place), bytes(17), bytes(range(256)) * 4) for place in range(8)]

    assert decode_streams(encode_streams(largest, compact=True)) == largest


@pytest.mark.parametrize(
    "damage",
    [
        lambda deflated: deflated[:-3],
        lambda deflated: deflated + b"x",
        lambda deflated: b"\x03" + deflated[1:],
        lambda deflated: b"\x02" + bytes(20),
        lambda deflated: b"",
    ],
    ids=["cut", "longer", "another version", "not deflated", "empty"],
)
def test_what_is_no_list_of_streams_is_refused(damage: "type[bytes]") -> None:
    deflated = encode_streams([StoredStream("a", bytes(17), bytes(900))], compact=True)

    with pytest.raises(msgspec.DecodeError):
        decode_streams(damage(deflated))


def test_deflated_streams_that_would_fill_the_memory_are_refused() -> None:
    bomb = encode_streams([StoredStream("a", bytes(17), bytes(10**6))], compact=True)

    with pytest.raises(msgspec.DecodeError):
        decode_streams(bomb)


@given(st.binary(), st.booleans())
def test_garbage_is_read_or_refused(garbage: bytes, deflated: bool) -> None:
    with suppress(msgspec.DecodeError):
        decode_streams(b"\x02" + garbage if deflated else garbage)
