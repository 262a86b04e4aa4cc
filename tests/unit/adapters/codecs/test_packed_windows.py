"""Packed windows: the same points as open ones, whatever is added to them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from afluente.adapters.codecs.columns import floats_of, pack_floats
from afluente.adapters.codecs.packed_windows import PackedWindow, packed
from afluente.domain.datapoints import MAX_SEQUENCE
from afluente.domain.stream_state import NO_SEQUENCE, WINDOW, OpenWindow, WindowPoint
from tests import strategies
from tests.factories import NOW


def tidy_points(decimals: int) -> st.SearchStrategy[WindowPoint]:
    """Points as devices send them: times in milliseconds, values with few decimals."""
    return st.builds(
        lambda milliseconds, sequence, value, within: WindowPoint(
            NOW + milliseconds / 1000, sequence, round(value, decimals), within_hard_limits=within
        ),
        st.integers(0, 10**7),
        st.just(NO_SEQUENCE) | st.integers(0, 100),
        st.floats(-100, 100),
        st.booleans(),
    )


batches = st.lists(
    st.one_of(
        st.lists(tidy_points(2), max_size=40),
        st.lists(tidy_points(4), max_size=3),
        st.lists(strategies.window_points, max_size=3),
    ),
    max_size=8,
)


@given(batches)
def test_a_packed_window_has_the_points_of_an_open_one(added: list[list[WindowPoint]]) -> None:
    opened, kept = OpenWindow(), packed(OpenWindow())
    for points in added:
        opened, kept = opened.with_taken(points), packed(kept.with_taken(points))
        kept.check()
        assert kept == opened
        assert opened == kept
        assert len(kept) == len(opened)
        assert kept.last() == (opened.points()[-1] if len(opened) else None)


@given(batches)
def test_an_open_window_has_the_last_32_points(added: list[list[WindowPoint]]) -> None:
    window = OpenWindow()
    for points in added:
        window = window.with_taken(points)

    assert window.points() == [point for points in added for point in points][-WINDOW:]


def test_windows_of_other_points_are_not_equal() -> None:
    one = packed(OpenWindow.of([WindowPoint(NOW, -1, 1.0, within_hard_limits=True)]))

    assert one != packed(OpenWindow())
    assert one != OpenWindow()
    assert one != "a window"


def test_a_number_of_another_kind_is_forgotten_once_it_has_left_the_window() -> None:
    def points(*values: float) -> list[WindowPoint]:
        return [WindowPoint(NOW, -1, value, within_hard_limits=True) for value in values]

    odd = packed(packed(OpenWindow()).with_taken(points(*[20.25] * 31, 1 / 3)))
    tidy = odd
    for _ in range(WINDOW):
        tidy = packed(tidy.with_taken(points(20.5)))

    assert len(odd.values.planes) == 8 * WINDOW
    assert tidy.values.planes == b""


@pytest.mark.parametrize(
    "numbers",
    [
        [],
        [0.0],
        [-0.0, 0.0],
        [NOW],
        [NOW, NOW + 0.001, NOW - 3600.5],
        [NOW, NOW + 2**31 / 1000],
        [NOW + 1 / 3, NOW],
        [-62_135_596_800.0, 253_402_300_799.0],
        [1e-9, 5e-324],
        [1e300, -1e300],
        [float(MAX_SEQUENCE), 2.0**53, 2.0**53 - 1, -(2.0**53)],
        [0.1, 0.2, 0.30000000000000004],
    ],
)
@pytest.mark.parametrize("scales", [(3, 6), (0, 1, 2, 3, 4, 5, 6)])
def test_numbers_of_every_kind_read_back_exactly(numbers: list[float], scales: tuple[int, ...]) -> None:
    assert floats_of(pack_floats(numbers, scales), len(numbers)) == numbers


def test_a_window_that_gets_no_points_is_itself() -> None:
    window = packed(OpenWindow())

    assert isinstance(window, PackedWindow)
    assert window.with_taken([]) is window
