"""Delays from the acceptance of points to their delivery."""

from collections.abc import Iterable

from afluente.application.ingest.packs import ReceivedPack
from afluente.domain.classification import ClassifiedDataPoint


def delivery_delays(
    pack: ReceivedPack, delivered: Iterable[ClassifiedDataPoint], delivered_at: float
) -> dict[str, list[float]]:
    """Seconds from acceptance to delivery by transport: one for each request, message or piece of a file.

    Args:
        pack: that the points came in; one that names no transport has none.
        delivered: its points that were delivered.
        delivered_at: when all of them were, in Unix seconds.
    """
    if pack.transport is None:
        return {}
    arrivals = {point.ingested_at for point in delivered}
    return {pack.transport: [delivered_at - arrival for arrival in arrivals if arrival is not None]}
