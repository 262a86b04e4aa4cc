"""Messages of legacy devices."""

from collections.abc import Mapping, Sequence

from afluente.application.errors import UnavailableError
from afluente.application.ingest.accept_points import PointsRequest
from afluente.migration.adapters.legacy_readings import LegacyReadings
from afluente.migration.adapters.messages import decode_legacy_message, is_legacy_topic
from afluente.migration.application.sensors import SensorLookup
from afluente.runtime.core.observability import LogCode, Metric, count, logger

__all__ = ["LegacyReadings", "decode_legacy_message", "is_legacy_topic", "legacy_requests", "report_legacy"]

# Of at most 128 bytes each, so that the line stays within CloudWatch's 256 KB ("Event size").
_NAMED_CLIENTS = 500


def legacy_requests(
    legacy: Mapping[str, LegacyReadings], sensors: SensorLookup
) -> tuple[list[PointsRequest], set[str]]:
    """The points of legacy messages, and the ids of messages to retry, whose sensors cannot be looked up."""
    retried: set[str] = set()
    found = {}
    try:
        found = sensors.find({name for its in legacy.values() for name in its.to_look_up})
    except UnavailableError as error:
        logger().error("sensor directory unavailable", code=LogCode.LEGACY_UNAVAILABLE, cause=str(error))
        retried = {message_id for message_id, its in legacy.items() if its.to_look_up}
    return [its.request(message_id, found) for message_id, its in legacy.items() if message_id not in retried], retried


def report_legacy(accepted: Sequence[LegacyReadings]) -> None:
    """Log the clients that still publish as legacy devices: in one line, since a metric for each would be costly."""
    if not accepted:
        return
    clients = sorted({its.origin["client_id"] for its in accepted})
    logger().info(
        "messages of legacy devices accepted",
        code=LogCode.LEGACY_MESSAGES_ACCEPTED,
        messages=len(accepted),
        clients=clients[:_NAMED_CLIENTS],
        further_clients=max(0, len(clients) - _NAMED_CLIENTS),
    )
    count({Metric.LEGACY_REQUESTS: len(accepted)})
