"""Rate limits of messages."""

import time
from collections.abc import Callable, Mapping, Sequence

import msgspec

from afluente.adapters.mqtt.messages import quarantined_message
from afluente.application.ingest.quarantine import QuarantinedRecord, QuarantineReason
from afluente.application.limits.decisions import Batch as Points
from afluente.application.limits.decisions import Throttled
from afluente.application.limits.explanation import explain
from afluente.runtime.iot_rule_handler import IotRuleHandler
from iot_rule_handler.batch import Incoming

_COUNTING_SECONDS = 3.0
"""Time in which the leases of a batch are acquired: a slow table holds up no other batch for longer."""


class Admitted(msgspec.Struct, frozen=True):
    """Messages, partitioned by their limits.

    Attributes:
        allowed: ids of those within their limits.
        throttled: quarantined records of those beyond them, which nobody sends again.
        retried: ids of those that cannot be counted in time.
    """

    allowed: set[str] = set()
    throttled: list[QuarantinedRecord] = []
    retried: set[str] = set()


def within_limits(
    points: Mapping[str, Sequence[Points]], messages: Mapping[str, Incoming], function: IotRuleHandler
) -> Admitted:
    """Partition messages by their limits.

    Args:
        points: of each message, by source.
        messages: by their ids.
        function: whose limits hold.

    Raises:
        UnavailableError: they cannot be counted, and the limits fail shut.
    """
    decisions = function.limits.admit_messages(
        [*points.values()], time.time(), run=function.executor.map, is_time_left=_deadline(_COUNTING_SECONDS)
    )
    admitted = Admitted()
    for message_id, decision in zip(points, decisions, strict=True):
        if not isinstance(decision, Throttled):
            admitted.allowed.add(message_id)
        elif decision.is_contended:
            admitted.retried.add(message_id)
        else:
            admitted.throttled.append(_throttled(message_id, messages[message_id], decision))
    return admitted


def _deadline(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() < end


def _throttled(message_id: str, incoming: Incoming, decision: Throttled) -> QuarantinedRecord:
    return quarantined_message(
        incoming.message,
        f"over a limit: {explain(decision)}",
        message_id=message_id,
        failed_at=incoming.message.arrived_at / 1000,
        reason=QuarantineReason.RATE_LIMITED,
    )
