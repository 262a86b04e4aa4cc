"""The binary form of a stream's state, and the forms of earlier releases."""

import json
import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from afluente.adapters.codecs.plain_states import decode_plain_state
from afluente.adapters.codecs.states import decode_state, encode_state
from afluente.domain.alarms import AlarmState, StandingAlarm
from afluente.domain.classification import classify
from afluente.domain.constraints import Severity
from afluente.domain.datapoints import MAX_SEQUENCE
from afluente.domain.stream_state import NO_SEQUENCE, WINDOW, OpenWindow, StreamState, WindowPoint
from tests import strategies
from tests.factories import NOW, a_point, constraints

RELEASES = json.loads((Path(__file__).parents[3] / "suites" / "states_of_releases.json").read_bytes())
"""Bytes that earlier releases wrote, by their form, with the states that they hold."""

OF_RELEASES = [pytest.param(case, id=f"{form}: {case['name']}") for form, cases in RELEASES.items() for case in cases]


@given(strategies.stream_states(), st.booleans())
def test_a_state_reads_back_as_it_was_written(state: StreamState, compact: bool) -> None:
    assert decode_state(encode_state(state, compact=compact)) == state


@given(strategies.stream_states(), st.booleans())
def test_a_state_that_was_read_is_written_as_it_was(state: StreamState, compact: bool) -> None:
    encoded = encode_state(state, compact=compact)

    assert encode_state(decode_state(encoded), compact=compact) == encoded


def test_a_fresh_state_reads_back_and_is_tiny() -> None:
    encoded = encode_state(StreamState())

    assert decode_state(encoded) == StreamState()
    assert len(encoded) < 30


@pytest.mark.parametrize(
    ("value", "most"),
    [
        pytest.param(lambda chance: round(chance.uniform(50, 100), 2), 110, id="any of two decimals"),
        pytest.param(lambda chance: round(20 + chance.gauss(0, 0.2), 1), 75, id="of one decimal, close together"),
        pytest.param(lambda chance: chance.randint(0, 1) * 1.0, 75, id="a switch"),
        pytest.param(lambda chance: 21.5, 45, id="constant"),
        pytest.param(lambda chance: chance.uniform(50, 100), 320, id="of all digits"),
    ],
)
def test_the_size_of_a_state_with_a_full_window_is_known(value: Callable[[random.Random], float], most: int) -> None:
    chance = random.Random(1)  # noqa: S311
    points = [a_point(value(chance), at=NOW + step * 60) for step in range(100)]
    state = classify(points, constraints(max_value=1000), StreamState(), NOW).state

    assert len(encode_state(state)) <= most


def test_the_largest_state_has_at_most_950_bytes() -> None:
    window = OpenWindow.of(
        WindowPoint(NOW + step / 3, MAX_SEQUENCE - step**12, step / 7, within_hard_limits=False)
        for step in range(WINDOW)
    )
    standing = StandingAlarm("ff" * 12, NOW, Severity.CRITICAL, 2**31)
    state = StreamState(
        newest=(NOW + 1 / 3, MAX_SEQUENCE),
        baseline=WindowPoint(NOW - 1 / 3, MAX_SEQUENCE, 1 / 3, within_hard_limits=True),
        window=window,
        alarm=AlarmState(2**31, 2**31, NOW, standing, budget_restored_at=2**40),
    )

    assert len(encode_state(state)) <= 950
    assert decode_state(encode_state(state)) == state


# --- earlier releases, and a roll back to them -----------------------------------------------------------------------


def state_of(case: dict[str, Any]) -> StreamState:
    alarm, standing = case["alarm"], case["alarm"]["standing"]
    return StreamState(
        newest=tuple(case["newest"]) if case["newest"] else None,
        baseline=WindowPoint(*case["baseline"]) if case["baseline"] else None,
        window=OpenWindow.of(WindowPoint(*point) for point in case["window"]),
        alarm=AlarmState(
            violations=alarm["violations"],
            normals=alarm["normals"],
            last_raise=alarm["last_raise"],
            standing=msgspec.convert(standing, StandingAlarm) if standing else None,
            budget_restored_at=alarm["budget_restored_at"],
        ),
    )


@pytest.mark.parametrize("case", OF_RELEASES)
def test_a_state_that_an_earlier_release_wrote_is_read(case: dict[str, Any]) -> None:
    assert decode_state(bytes.fromhex(case["bytes"])) == state_of(case)


@pytest.mark.parametrize("case", OF_RELEASES)
def test_a_compact_state_is_refused_by_earlier_releases_and_one_for_them_is_not(case: dict[str, Any]) -> None:
    state = state_of(case)

    assert decode_plain_state(encode_state(state, compact=False)) == state
    with pytest.raises(msgspec.DecodeError):
        decode_plain_state(encode_state(state))


# --- what is no state ------------------------------------------------------------------------------------------------

_EMPTY: Any = [0, 0, 0, b""]
_FRESH: Any = [[0, _EMPTY, _EMPTY, _EMPTY, 0], None, None, None]
_ONE: Any = [[1, [3, 5, 0, b""], [0, -1, 0, b""], [2, 205, 0, b""], 0], 0, 0, None]


@pytest.mark.parametrize(
    "wire",
    [
        pytest.param(["no", "state"], id="another record"),
        pytest.param([_FRESH[0], 0, None, None], id="the newest of no points"),
        pytest.param([_FRESH[0], None, 0, None], id="the baseline of no points"),
        pytest.param([_ONE[0], 1, None, None], id="another point than the last"),
        pytest.param([[-1, *_FRESH[0][1:]], None, None, None], id="fewer points than none"),
        pytest.param([[33, *_ONE[0][1:]], None, None, None], id="too many points"),
        pytest.param([[1, *_ONE[0][1:4], 2], None, None, None], id="a hard limit of no point"),
        pytest.param([[2, [3, 5, 0, b"abc"], *_ONE[0][2:]], None, None, None], id="steps of three bytes"),
        pytest.param([[3, [3, 5, 0, b"abc"], *_ONE[0][2:]], None, None, None], id="steps of one and a half bytes"),
        pytest.param([[1, [3, 5, 0, b"a"], *_ONE[0][2:]], None, None, None], id="a step of one point"),
        pytest.param([[1, [-1, 0, 0, bytes(9)], *_ONE[0][2:]], None, None, None], id="a double of nine bytes"),
        pytest.param([[1, [10, 5, 0, b""], *_ONE[0][2:]], None, None, None], id="too many decimals"),
        pytest.param([[1, [-2, 0, 0, bytes(8)], *_ONE[0][2:]], None, None, None], id="integers for times"),
        pytest.param([[1, _ONE[0][1], [-1, 0, 0, bytes(8)], _ONE[0][3], 0], None, None, None], id="double sequences"),
        pytest.param([_FRESH[0], None, None, [0, 0, None, [b"", NOW, "grave", 1], 0]], id="an unknown severity"),
    ],
)
def test_what_is_no_state_is_refused(wire: list[object]) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_state(b"\x02" + msgspec.msgpack.encode(wire))


@pytest.mark.parametrize("wire", [_FRESH, _ONE])
def test_the_states_that_these_are_made_of_are_read(wire: list[object]) -> None:
    decode_state(b"\x02" + msgspec.msgpack.encode(wire))


@pytest.mark.parametrize("version", [0, 1, 3, 127])
def test_a_state_of_an_unknown_version_is_refused(version: int) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_state(bytes([version]) + encode_state(StreamState())[1:])


@given(st.binary(), st.sampled_from([b"", b"\x02"]))
def test_garbage_is_refused_and_never_breaks_anything(garbage: bytes, version: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_state(version + garbage)


@given(strategies.stream_states(), st.booleans(), st.data())
def test_a_state_that_was_damaged_is_read_or_refused(state: StreamState, compact: bool, data: st.DataObject) -> None:
    encoded = bytearray(encode_state(state, compact=compact))
    place = data.draw(st.integers(0, len(encoded) - 1))
    encoded[place] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.just(len(encoded)) | st.integers(0, len(encoded)))

    with suppress(msgspec.DecodeError):
        # What is read can be used.
        decode_state(bytes(encoded[:cut])).window.opened()


def test_a_sequence_of_none_is_kept_in_no_bytes() -> None:
    points = [WindowPoint(NOW + step, NO_SEQUENCE, 1.0, within_hard_limits=True) for step in range(WINDOW)]

    assert len(encode_state(StreamState(window=OpenWindow.of(points)))) < 40
