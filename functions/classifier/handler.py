"""Classifier: packs of the queue become points on the streams of their classes, a batch an invocation."""

from collections.abc import Mapping, Sequence
from typing import Any

from afluente.adapters.aws.sqs_records import batch_answer, quarantined_pack, received_pack
from afluente.adapters.codecs.packs import UndecodablePackError
from afluente.application.errors import UnavailableError
from afluente.application.ingest.packs import ReceivedPack
from afluente.application.ingest.ports import Quarantine
from afluente.runtime.classifier import ClassifierFunction, compose
from afluente.runtime.core.observability import LogCode, Metric, count, logger
from afluente.runtime.entry_point import entry_point
from classifier.reporting import report

Record = dict[str, Any]


def handle(event: dict[str, Any], _context: Any, function: ClassifierFunction) -> dict[str, Any]:
    """Classify the packs of an SQS event; answers which messages are retried.

    A group that fails is retried whole, in its order; the others are done.
    """
    packs, failed = _decode(event["Records"], function.quarantine)
    if packs:
        result = function.classify(packs)
        failed |= result.failed
        report(result)
    retried = [record for record in event["Records"] if _group(record) in failed]
    if retried:
        _retry_later(retried, failed, function)
    return batch_answer(record["messageId"] for record in retried)


def _decode(records: Sequence[Record], quarantine: Quarantine) -> tuple[list[ReceivedPack], dict[str, Exception]]:
    """Decode the records; quarantine undecodable ones; a group whose quarantine fails is retried."""
    packs: list[ReceivedPack] = []
    failed: dict[str, Exception] = {}
    for record in records:
        try:
            packs.append(received_pack(record))
        except UndecodablePackError as error:
            try:
                quarantine.put(quarantined_pack(record))
            except UnavailableError as unavailable:
                failed[_group(record)] = unavailable
                continue
            logger().error("no pack", code=LogCode.PACK_QUARANTINED, message_id=record["messageId"], cause=str(error))
            count({Metric.PACKS_QUARANTINED: 1})
    return [pack for pack in packs if pack.group not in failed], failed


def _retry_later(records: Sequence[Record], failed: Mapping[str, Exception], function: ClassifierFunction) -> None:
    causes = {group: str(error) for group, error in failed.items()}
    logger().warning("packs returned", code=LogCode.PACKS_RETURNED, packs=len(records), causes=causes)
    count({Metric.PACKS_RETURNED: len(records)})
    receipts = [(record["receiptHandle"], int(record["attributes"]["ApproximateReceiveCount"])) for record in records]
    try:
        function.retry_later(receipts)
    except UnavailableError as error:
        logger().warning("visibility unchanged", code=LogCode.PACKS_RETURNED, cause=str(error))


def _group(record: Record) -> str:
    return str(record["attributes"]["MessageGroupId"])


lambda_handler = entry_point(compose, handle)
