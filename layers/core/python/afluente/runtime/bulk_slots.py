"""Composition of the slots of bulk: the CSV loader acquires them, the classifier releases them."""

import time

from afluente.adapters.aws.dynamodb_slots import DynamoSlots
from afluente.application.ingest.ports import BulkSlots
from afluente.runtime.core.clients import client


def bulk_slots(table: str) -> BulkSlots:
    """Build the slots of a stage."""
    return DynamoSlots(client("dynamodb"), table, limit=2, lease_seconds=900, clock=time.time)
