"""Strategies from which hypothesis draws records."""

import string
from typing import Any

from hypothesis import strategies as st

from afluente.domain.alarms import AlarmState, StandingAlarm
from afluente.domain.constraints import Severity
from afluente.domain.datapoints import MAX_SEQUENCE, DataPoint
from afluente.domain.stream_state import NO_SEQUENCE, OpenWindow, StreamState, WindowPoint
from tests.factories import NOW

finite = st.floats(allow_nan=False, allow_infinity=False)

# Years 1 to 9999, and what most streams have: whole milliseconds around one another.
timestamps = st.one_of(
    st.floats(min_value=-62_135_596_800.0, max_value=253_402_300_799.0),
    st.integers(min_value=0, max_value=100_000).map(lambda step: NOW + step / 1000),
)

_letters = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/+#")
parts = st.text(_letters, min_size=1, max_size=128).filter(lambda text: not text.startswith("$"))
domains = st.from_regex(r"[a-z][a-z0-9_-]{0,31}", fullmatch=True)
sequences = st.integers(min_value=0, max_value=MAX_SEQUENCE)

json_leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(min_value=-(10**30), max_value=10**30),
    finite,
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.sampled_from(["\ufffe", "\uffff", "\x00", "\u2028", "😀", "é", '"\\']),
)
json_values = st.recursive(
    json_leaves,
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(string.printable, max_size=5), children),
    max_leaves=8,
)
metadata = st.dictionaries(st.text(string.printable, max_size=8), json_values, max_size=4)


@st.composite
def datapoints(draw: st.DrawFn, *, arrivals: st.SearchStrategy[float] = timestamps) -> DataPoint:
    """Sound points of any stream, with the time of their arrival."""
    return DataPoint(
        domain=draw(domains),
        source_id=draw(parts),
        stream_id=draw(parts),
        value=draw(finite),
        timestamp=draw(timestamps),
        stream_type=draw(st.none() | parts),
        sequence=draw(st.none() | sequences),
        metadata=draw(st.just({}) | metadata),
        ingested_at=draw(arrivals),
    )


window_points = st.builds(WindowPoint, timestamps, st.just(NO_SEQUENCE) | sequences, finite, st.booleans())

_counts = st.integers(min_value=0, max_value=2**31)
alarm_states = st.builds(
    AlarmState,
    violations=_counts,
    normals=_counts,
    last_raise=st.none() | timestamps,
    standing=st.none()
    | st.builds(
        StandingAlarm,
        alarm_id=st.binary(min_size=12, max_size=12).map(bytes.hex),
        raised_at=timestamps,
        severity=st.sampled_from(Severity),
        transitions=st.integers(min_value=1, max_value=2**31),
    ),
    budget_restored_at=_counts,
)


@st.composite
def stream_states(draw: st.DrawFn) -> StreamState:
    """States as streams have them: the baseline is in the window, or has left it."""
    window = draw(st.lists(window_points, max_size=32))
    baselines = [past for past in window if past.within_hard_limits]
    left = window_points.map(lambda past: past._replace(within_hard_limits=True))
    return StreamState(
        newest=draw(st.none() | st.tuples(timestamps, st.just(NO_SEQUENCE) | sequences)),
        baseline=draw(st.one_of(st.none(), left, *([st.sampled_from(baselines)] if baselines else []))),
        window=OpenWindow.of(window),
        alarm=draw(alarm_states),
    )


anything: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=10**300, max_value=10**320),
    st.floats(),
    st.text(max_size=140),
    st.sampled_from(["", "$SYS", "a/b", "a+b", "a#b", "a\x00", "\ud800", "ok", "iot", "IoT"]),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.none() | st.floats() | st.integers() | st.text(max_size=3), max_size=3),
)
"""Values that somebody may put in the place of a field."""
