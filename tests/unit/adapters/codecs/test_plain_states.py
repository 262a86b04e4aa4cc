"""The binary form of a stream's state in releases before the compact one."""

import msgspec
import pytest
from hypothesis import given

from afluente.adapters.codecs.plain_states import encode_plain_state
from afluente.adapters.codecs.states import decode_state
from afluente.domain.alarms import AlarmState, StandingAlarm
from afluente.domain.classification import classify
from afluente.domain.constraints import Severity
from afluente.domain.datapoints import MAX_SEQUENCE
from afluente.domain.stream_state import (
    NO_SEQUENCE,
    WINDOW,
    OpenWindow,
    StreamState,
    WindowPoint,
)
from tests import strategies
from tests.factories import NOW, a_point, constraints


@given(strategies.stream_states())
def test_a_state_reads_back_as_it_was_written(state: StreamState) -> None:
    assert decode_state(encode_plain_state(state)) == state


def test_a_fresh_state_reads_back_and_is_tiny() -> None:
    encoded = encode_plain_state(StreamState())

    assert decode_state(encoded) == StreamState()
    assert len(encoded) < 20


@pytest.mark.parametrize(
    "timestamps",
    [
        [NOW],
        [NOW, NOW + 0.001, NOW - 3600.5],
        [NOW, NOW + 2**31 / 1000],
        [NOW, NOW + (2**31 - 1) / 1000],
        [NOW, NOW - 2**31 / 1000],
        [NOW + 1 / 3],
        [-62_135_596_800.0, 253_402_300_799.0],
        [-0.0, 0.0],
        [1e-9, 5e-324],
    ],
)
def test_times_of_every_kind_read_back_exactly(timestamps: list[float]) -> None:
    window = OpenWindow.of(
        WindowPoint(timestamp, NO_SEQUENCE, 1.0, within_hard_limits=True) for timestamp in timestamps
    )

    assert decode_state(encode_plain_state(StreamState(window=window))).window == window


@pytest.mark.parametrize("place", [0, 1, WINDOW - 1])
def test_a_baseline_in_the_window_is_encoded_as_its_place(place: int) -> None:
    window = OpenWindow.of(
        WindowPoint(NOW + step, NO_SEQUENCE, float(step), within_hard_limits=True) for step in range(WINDOW)
    )
    state = StreamState(baseline=window.points()[place], window=window)

    assert decode_state(encode_plain_state(state)) == state
    assert len(encode_plain_state(state)) == len(encode_plain_state(StreamState(window=window)))


def test_a_baseline_that_left_the_window_is_encoded_whole() -> None:
    window = OpenWindow.of(
        WindowPoint(NOW + step, NO_SEQUENCE, 999.0, within_hard_limits=False) for step in range(WINDOW)
    )
    state = StreamState(baseline=WindowPoint(NOW - 5, 3, 20.0, within_hard_limits=True), window=window)

    assert decode_state(encode_plain_state(state)) == state


def test_a_usual_state_with_a_full_window_has_about_450_bytes() -> None:
    points = [a_point(20 + step / 7, at=step * 60) for step in range(100)]
    state = classify(points, constraints(warning_max=0), StreamState(), NOW).state

    assert 400 < len(encode_plain_state(state)) < 500


def test_the_largest_state_has_at_most_900_bytes() -> None:
    window = OpenWindow.of(
        WindowPoint(NOW + step / 3, MAX_SEQUENCE - step, 1 / 3, within_hard_limits=False) for step in range(WINDOW)
    )
    standing = StandingAlarm("ff" * 12, NOW, Severity.CRITICAL)
    state = StreamState(
        newest=(NOW + 1 / 3, MAX_SEQUENCE),
        baseline=WindowPoint(NOW - 1 / 3, MAX_SEQUENCE, 1 / 3, within_hard_limits=True),
        window=window,
        alarm=AlarmState(violations=2**31, normals=2**31, last_raise=NOW, standing=standing),
    )

    assert len(encode_plain_state(state)) <= 900


@given(strategies.stream_states())
def test_a_state_of_an_earlier_release_reads_without_what_it_did_not_have(state: StreamState) -> None:
    wire = msgspec.msgpack.decode(encode_plain_state(state))
    its_standing = wire[-2][:3] if wire[-2] else None

    before = decode_state(msgspec.msgpack.encode([*wire[:-2], its_standing]))

    standing = state.alarm.standing and msgspec.structs.replace(state.alarm.standing, transitions=1)
    alarm = msgspec.structs.replace(state.alarm, standing=standing, budget_restored_at=0)
    assert before == msgspec.structs.replace(state, alarm=alarm)


# --- what is no state ------------------------------------------------------------------------------------------------

_FRESH = [None, None, b"d", b"", b"", 0, 0, 0, None, None]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {0: "newest"},
        {0: [NOW]},
        {1: 0},
        {1: 32},
        {1: [NOW, -1]},
        {2: b""},
        {2: b"m"},
        {2: b"m" + bytes(7)},
        {2: b"m" + bytes(9)},
        {2: b"d" + bytes(8)},
        {2: b"d" + bytes(3), 4: bytes(8)},
        {2: b"x" + bytes(8), 4: bytes(8)},
        {3: bytes(8)},
        {4: bytes(8)},
        {4: bytes(7)},
        {5: "0"},
        {6: 1.5},
        {9: [b"", NOW, "grave"]},
        {9: [b"", NOW]},
    ],
)
def test_what_is_no_state_is_refused(fields: dict[int, object]) -> None:
    wire = [fields.get(place, value) for place, value in enumerate(_FRESH)] if fields else ["no", "state"]

    with pytest.raises(msgspec.DecodeError):
        decode_state(msgspec.msgpack.encode(wire))
