"""Classifier: packs from the queue to the streams of the classes, a batch an invocation."""

from collections import Counter
from typing import Any

from afluente.adapters.aws.sqs_records import quarantined, received_pack
from afluente.adapters.codecs.packs import UndecodablePackError
from afluente.application.classification.classify_packs import BatchResult
from afluente.application.errors import UnavailableError
from afluente.application.ingest.packs import ReceivedPack
from afluente.runtime.classifier import classifier
from afluente.runtime.observability import LogCode, Metric, count, invocation, logger

Record = dict[str, Any]


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Classify the packs of an SQS event; answers which messages are to come again.

    A group that fails goes back whole, so that it comes again in its order; the others are done.
    """
    with invocation(context):
        failed: dict[str, Exception] = {}
        packs = _packs(event["Records"], failed)
        if packs:
            result = classifier().classify(packs)
            failed |= result.failed
            _report(result)
        returned = [record for record in event["Records"] if _group(record) in failed]
        if returned:
            _give_back(returned, failed)
    return {"batchItemFailures": [{"itemIdentifier": record["messageId"]} for record in returned]}


def _packs(records: list[Record], failed: dict[str, Exception]) -> list[ReceivedPack]:
    """The packs of the records; what is none goes into quarantine, and a group of which that fails is to come again."""
    packs = []
    for record in records:
        try:
            packs.append(received_pack(record))
        except UndecodablePackError as error:
            try:
                classifier().quarantine.put(quarantined(record))
            except UnavailableError as unavailable:
                failed[_group(record)] = unavailable
            else:
                logger().error(
                    "no pack", code=LogCode.PACK_QUARANTINED, message_id=record["messageId"], cause=str(error)
                )
                count({Metric.PACKS_QUARANTINED: 1})
    return [pack for pack in packs if pack.group not in failed]


def _give_back(records: list[Record], failed: dict[str, Exception]) -> None:
    causes = {group: str(error) for group, error in failed.items()}
    logger().warning("packs returned", code=LogCode.PACKS_RETURNED, packs=len(records), causes=causes)
    count({Metric.PACKS_RETURNED: len(records)})
    receipts = [(record["receiptHandle"], int(record["attributes"]["ApproximateReceiveCount"])) for record in records]
    try:
        classifier().give_back(receipts)
    except UnavailableError as error:
        logger().warning("visibility unchanged", code=LogCode.PACKS_RETURNED, cause=str(error))


def _report(result: BatchResult) -> None:
    logger().info("packs classified", code=LogCode.PACKS_CLASSIFIED, classes=dict(result.classes))
    counts: Counter[Metric] = Counter({Metric(f"Points{name.title()}"): n for name, n in result.classes.items()})
    counts += Counter(
        {
            Metric.POINTS_LATE: result.late,
            Metric.POINTS_DUPLICATE: result.duplicates,
            Metric.POINTS_REPEATED: result.repeated,
            Metric.ALARMS_RAISED: result.alarms["raised"],
            Metric.ALARMS_CLEARED: result.alarms["cleared"],
        }
    )
    count(counts)


def _group(record: Record) -> str:
    return str(record["attributes"]["MessageGroupId"])
