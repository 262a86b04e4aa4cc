"""AWS IoT Core: the size of a message, and what a connection may publish a second."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from cli.local_stack.aws_limits import quotas
from cli.local_stack.aws_limits.buckets import TokenBucket
from cli.local_stack.aws_limits.settings import Values

_PUBLISH = 3
_MQTT_5 = 5
_PACKET_TOO_LARGE = 0x95
_LENGTH_BYTES = 2
_EARLY_MESSAGES = 10
"""Messages that may come too early: one that a client sends at the rate of AWS's own SDK meets a little jitter on its
way, and a publish beyond the quota is lost without an answer."""


@dataclass(slots=True)
class Publishes:
    """Messages and bytes that a connection may publish a second."""

    limits: Values
    began_at: float
    _messages: TokenBucket = field(init=False)
    _bytes: TokenBucket = field(init=False)

    def __post_init__(self) -> None:
        messages, size = self.limits.rate(quotas.IOT_PUBLISHES), self.limits.rate(quotas.IOT_BYTES)
        self._messages = TokenBucket(messages, messages, self.began_at)
        self._bytes = TokenBucket(size, size, self.began_at)

    def admit(self, size: int, now: float) -> bool:
        """Take a message, if the connection may publish it now."""
        if not (self._messages.holds(1 - _EARLY_MESSAGES, now) and self._bytes.holds(size, now)):
            return False
        self._messages.charge(1)
        self._bytes.charge(size)
        return True


def payload_bytes(flags: int, body: bytes) -> int:
    """Bytes of the payload of a PUBLISH packet, with the properties of MQTT 5."""
    topic_bytes = int.from_bytes(body[:_LENGTH_BYTES])
    has_packet_id = flags & 0x06
    return len(body) - _LENGTH_BYTES - topic_bytes - (_LENGTH_BYTES if has_packet_id else 0)


def install(limits: Values) -> None:
    """Let the emulator keep the quotas of AWS IoT Core."""
    from ministack.services import iot  # noqa: PLC0415 - it reads its settings on import

    dispatch: Callable[[Any, int, int, bytes], Awaitable[bool]] = iot._WSSession._dispatch_packet  # noqa: SLF001
    largest = limits.count(quotas.IOT_MESSAGE_BYTES)

    async def dispatch_within_limits(session: Any, kind: int, flags: int, body: bytes) -> bool:
        if kind != _PUBLISH:
            return await dispatch(session, kind, flags, body)
        size, now = payload_bytes(flags, body), time.monotonic()
        if size > largest:
            if session.protocol_version == _MQTT_5:
                await session.send_bytes(iot._make_disconnect(_PACKET_TOO_LARGE))  # noqa: SLF001
            return False
        publishes = vars(session).setdefault("_publishes", None) or Publishes(limits, now)
        session._publishes = publishes  # noqa: SLF001 - goes with the connection
        # What is above is lost without an answer, and the connection stays: a client of QoS 1 sends it again.
        return not publishes.admit(size, now) or await dispatch(session, kind, flags, body)

    iot._WSSession._dispatch_packet = dispatch_within_limits  # noqa: SLF001
