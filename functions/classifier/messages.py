"""Messages of the queue: decoded, quarantined or retried."""

from collections.abc import Mapping, Sequence
from typing import Any

from afluente.adapters.aws.sqs_records import quarantined_pack, received_pack
from afluente.adapters.codecs.packs import UndecodablePackError
from afluente.application.backoff import backoff_seconds
from afluente.application.errors import UnavailableError
from afluente.application.ingest.packs import ReceivedPack
from afluente.application.ingest.ports import Quarantine
from afluente.runtime.classifier import ClassifierFunction
from afluente.runtime.core.observability import LogCode, Metric, count, logger
from afluente.runtime.records import report_failure
from classifier.reporting import report_retried

Record = dict[str, Any]
Retries = dict[str, int]
"""Seconds until a message is retried, by its id."""


def decode(records: Sequence[Record], quarantine: Quarantine) -> tuple[list[ReceivedPack], Retries]:
    """Decode messages, and quarantine undecodable ones.

    One whose quarantine fails is retried, and those after it in its group once it is done.
    """
    packs: list[ReceivedPack] = []
    retries: Retries = {}
    waiting: set[str] = set()
    for record in records:
        message_id, group = record["messageId"], record["attributes"]["MessageGroupId"]
        if group in waiting:
            retries[message_id] = 0
            continue
        try:
            packs.append(received_pack(record))
        except UndecodablePackError as error:
            if not _quarantined(record, error, quarantine):
                waiting.add(group)
                retries[message_id] = backoff_seconds(int(record["attributes"]["ApproximateReceiveCount"]))
        except Exception as error:  # noqa: BLE001 - whatever it is, packs of other groups are not to blame
            report_failure(message_id, error)
            waiting.add(group)
            retries[message_id] = backoff_seconds(int(record["attributes"]["ApproximateReceiveCount"]))
    return packs, retries


def _quarantined(record: Record, error: UndecodablePackError, quarantine: Quarantine) -> bool:
    try:
        quarantine.put(quarantined_pack(record))
    except UnavailableError as unavailable:
        report_retried({record["attributes"]["MessageGroupId"]: unavailable})
        return False
    logger().error("no pack", code=LogCode.PACK_QUARANTINED, message_id=record["messageId"], cause=str(error))
    count({Metric.PACKS_QUARANTINED: 1})
    return True


def retry_later(records: Sequence[Record], retries: Mapping[str, int], function: ClassifierFunction) -> None:
    """Have messages retried after their seconds; without an answer, after the visibility timeout."""
    try:
        function.retry_later([(record["receiptHandle"], retries[record["messageId"]]) for record in records])
    except UnavailableError as error:
        logger().warning("visibility unchanged", code=LogCode.PACKS_RETURNED, cause=str(error))
