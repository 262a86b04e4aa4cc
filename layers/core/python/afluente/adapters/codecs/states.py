"""Stream states in binary: some 150 bytes for a full window of values with two decimals, at most 950.

A state begins with the version of its form. That of the releases before it is a MessagePack array, of which the first
byte is 0x90 or more; a version is less, so that each refuses what it does not know.
"""

import struct

import msgspec

from afluente.adapters.codecs.packed_windows import PackedWindow, packed
from afluente.adapters.codecs.plain_states import (
    WireStanding,
    decode_plain_state,
    decode_standing,
    encode_plain_state,
    encode_standing,
)
from afluente.domain.alarms import QUIET, AlarmState
from afluente.domain.stream_state import StreamState, WindowPoint

_COMPACT = b"\x02"
_LAST = 0


class _WireAlarm(msgspec.Struct, array_like=True):
    violations: int
    normals: int
    last_raise: float | None
    standing: WireStanding | None
    budget_restored_at: int


class _WireState(msgspec.Struct, array_like=True):
    window: PackedWindow
    # 0 stands for the last point of the window.
    newest: tuple[float, int] | int | None
    baseline: tuple[float, int, float] | int | None
    # None where it is quiet.
    alarm: _WireAlarm | None


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_WireState)


def encode_state(state: StreamState, *, compact: bool = True) -> bytes:
    """Encode a state; `decode_state` inverts it.

    Args:
        state: of a stream.
        compact: False for a form that earlier releases read.
    """
    if not compact:
        return encode_plain_state(state)
    window = packed(state.window)
    last = window.last()
    newest, baseline = state.newest, state.baseline
    return _COMPACT + _encoder.encode(
        _WireState(
            window,
            _LAST if last and newest == last[:2] else newest,
            _LAST if last and baseline and baseline[:3] == last[:3] else baseline and baseline[:3],
            None if state.alarm == QUIET else _encode_alarm(state.alarm),
        )
    )


def decode_state(encoded: bytes) -> StreamState:
    """Decode a state of any release.

    Raises:
        msgspec.DecodeError: the bytes are no state.
    """
    try:
        if encoded[:1] == _COMPACT:
            return _state(_decoder.decode(memoryview(encoded)[1:]))
        return decode_plain_state(encoded)
    except (struct.error, ValueError, IndexError, OverflowError) as error:
        raise msgspec.DecodeError(f"the parts of the state do not fit together: {error}") from error


def _state(wire: _WireState) -> StreamState:
    wire.window.check()
    last = wire.window.last()
    newest, baseline = wire.newest, wire.baseline
    if isinstance(newest, int):
        newest = _last(newest, last)[:2]
    if isinstance(baseline, int):
        baseline = _last(baseline, last)[:3]
    return StreamState(
        newest=newest,
        baseline=WindowPoint(*baseline, within_hard_limits=True) if baseline else None,
        window=wire.window,
        alarm=_decode_alarm(wire.alarm) if wire.alarm else QUIET,
    )


def _last(place: int, last: WindowPoint | None) -> WindowPoint:
    if place != _LAST or last is None:
        raise ValueError(f"no point {place} in the window")
    return last


def _encode_alarm(alarm: AlarmState) -> _WireAlarm:
    standing = encode_standing(alarm.standing) if alarm.standing else None
    return _WireAlarm(alarm.violations, alarm.normals, alarm.last_raise, standing, alarm.budget_restored_at)


def _decode_alarm(wire: _WireAlarm) -> AlarmState:
    standing = decode_standing(wire.standing) if wire.standing else None
    return AlarmState(wire.violations, wire.normals, wire.last_raise, standing, wire.budget_restored_at)
