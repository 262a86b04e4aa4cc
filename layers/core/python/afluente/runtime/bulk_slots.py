"""Composition of the slots of bulk: the CSV loader acquires them, the classifier releases them."""

import time

from afluente.adapters.aws.dynamodb_slots import DynamoSlots
from afluente.application.ingest.ports import BULK_PACKS_A_GROUP, BULK_SLOT_SECONDS, BulkSlots
from afluente.runtime.core.clients import client


def bulk_slots(table: str) -> BulkSlots:
    """Build the slots of a stage."""
    return DynamoSlots(
        client("dynamodb"),
        table,
        limit=BULK_PACKS_A_GROUP,
        lease_seconds=BULK_SLOT_SECONDS,
        clock=time.time,
    )
