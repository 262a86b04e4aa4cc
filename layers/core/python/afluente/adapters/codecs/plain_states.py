"""Stream states in the form of releases before the compact one: about 450 bytes for a full window, at most 900.

Times of a window are whole milliseconds in most streams and lie close together: they become one 64-bit time and 32-bit
steps where that is exact, and doubles where it is not.
"""

import struct
from collections.abc import Sequence
from itertools import pairwise

import msgspec

from afluente.domain.alarms import AlarmState, StandingAlarm
from afluente.domain.constraints import Severity
from afluente.domain.stream_state import NO_SEQUENCE, OpenWindow, StreamState, WindowPoint

_MILLISECONDS = b"m"
_DOUBLES = b"d"
_MAX_STEP = 2**31 - 1


class WireStanding(msgspec.Struct, array_like=True):
    """A standing alarm."""

    alarm_id: bytes
    raised_at: float
    severity: Severity
    # States of earlier releases do not have it.
    transitions: int = 1


class _WireState(msgspec.Struct, array_like=True):
    newest: tuple[float, int] | None
    # The index of the baseline in the window, counted from its end; the point itself once it has left the window.
    baseline: int | tuple[float, int, float] | None
    times: bytes
    sequences: bytes
    values: bytes
    beyond_hard_limits: int
    violations: int
    normals: int
    last_raise: float | None
    standing: WireStanding | None
    # States of earlier releases do not have it.
    budget_restored_at: int = 0


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_WireState)


def encode_plain_state(state: StreamState) -> bytes:
    """Encode a state; `decode_plain_state` inverts it."""
    window, alarm = state.window.opened(), state.alarm
    return _encoder.encode(
        _WireState(
            newest=state.newest,
            baseline=_encode_baseline(state),
            times=_encode_times(window.timestamps),
            sequences=_encode_sequences(window.sequences),
            values=struct.pack(f"<{len(window)}d", *window.values),
            beyond_hard_limits=window.beyond_hard_limits,
            violations=alarm.violations,
            normals=alarm.normals,
            last_raise=alarm.last_raise,
            standing=encode_standing(alarm.standing) if alarm.standing else None,
            budget_restored_at=alarm.budget_restored_at,
        )
    )


def decode_plain_state(encoded: bytes) -> StreamState:
    """Decode a state.

    Raises:
        ValueError, struct.error, IndexError, msgspec.DecodeError: the bytes are no state.
    """
    wire = _decoder.decode(encoded)
    length = len(wire.values) // 8
    values = struct.unpack(f"<{length}d", wire.values)
    window = OpenWindow(
        tuple(_decode_times(wire.times)),
        tuple(_decode_sequences(wire.sequences, length)),
        values,
        wire.beyond_hard_limits,
    )
    if len(window.timestamps) != length or not 0 <= window.beyond_hard_limits < 1 << length:
        raise ValueError(f"{len(window.timestamps)} times and {length} values")
    standing = decode_standing(wire.standing) if wire.standing else None
    return StreamState(
        newest=wire.newest,
        baseline=_decode_baseline(wire.baseline, window),
        window=window,
        alarm=AlarmState(wire.violations, wire.normals, wire.last_raise, standing, wire.budget_restored_at),
    )


def encode_standing(alarm: StandingAlarm) -> WireStanding:
    """The wire form of a standing alarm."""
    return WireStanding(bytes.fromhex(alarm.alarm_id), alarm.raised_at, alarm.severity, alarm.transitions)


def decode_standing(wire: WireStanding) -> StandingAlarm:
    """The alarm of a wire form."""
    return StandingAlarm(wire.alarm_id.hex(), wire.raised_at, wire.severity, wire.transitions)


def _encode_baseline(state: StreamState) -> int | tuple[float, int, float] | None:
    if state.baseline is None:
        return None
    for place, point in enumerate(reversed(state.window.opened().points())):
        if point == state.baseline:
            return place
    return state.baseline[:3]


def _decode_baseline(wire: int | tuple[float, int, float] | None, window: OpenWindow) -> WindowPoint | None:
    if wire is None:
        return None
    return window.points()[-1 - wire] if isinstance(wire, int) else WindowPoint(*wire, within_hard_limits=True)


def _encode_times(times: Sequence[float]) -> bytes:
    whole = [round(time * 1000) for time in times]
    steps = [later - earlier for earlier, later in pairwise(whole)]
    exact = all(milliseconds / 1000 == time for milliseconds, time in zip(whole, times, strict=True))
    if times and exact and all(abs(step) <= _MAX_STEP for step in steps):
        return _MILLISECONDS + struct.pack(f"<q{len(steps)}i", whole[0], *steps)
    return _DOUBLES + struct.pack(f"<{len(times)}d", *times)


def _decode_times(encoded: bytes) -> list[float]:
    form, packed = encoded[:1], encoded[1:]
    if form == _DOUBLES:
        return list(struct.unpack(f"<{len(packed) // 8}d", packed))
    if form != _MILLISECONDS:
        raise ValueError(f"times of the unknown form {form!r}")
    milliseconds, *steps = struct.unpack(f"<q{(len(packed) - 8) // 4}i", packed)
    times = [milliseconds / 1000]
    for step in steps:
        milliseconds += step
        times.append(milliseconds / 1000)
    return times


def _encode_sequences(sequences: Sequence[int]) -> bytes:
    """No bytes where no point has a sequence, which is the common case."""
    if all(sequence == NO_SEQUENCE for sequence in sequences):
        return b""
    return struct.pack(f"<{len(sequences)}q", *sequences)


def _decode_sequences(encoded: bytes, length: int) -> Sequence[int]:
    return struct.unpack(f"<{length}q", encoded) if encoded else [NO_SEQUENCE] * length
