"""Classifier: packs from the queue to the streams of the classes, a batch an invocation."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from afluente.adapters.pack_codec import UndecodablePackError
from afluente.adapters.sqs_records import quarantined, received_pack
from afluente.application.classify_packs import Tally
from afluente.application.packs import ReceivedPack
from afluente.application.ports import StaleStateError, UnavailableError
from afluente.runtime.composition import classifier
from afluente.runtime.observability import LogCode, Metric, count, invocation, logger

Record = dict[str, Any]


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Classify the packs of an SQS event; answers which messages are to come again.

    Groups stand for themselves: one that fails goes back whole, in its order, and the others are done.
    """
    groups: dict[str, list[Record]] = {}
    for record in event["Records"]:
        groups.setdefault(record["attributes"]["MessageGroupId"], []).append(record)
    with invocation(context):
        failed = [record for group, records in groups.items() for record in _classify_group(group, records)]
        if failed:
            _give_back(failed)
    return {"batchItemFailures": [{"itemIdentifier": record["messageId"]} for record in failed]}


def _classify_group(group: str, records: Sequence[Record]) -> Sequence[Record]:
    """Classify the packs of one group; returns the records that are to come again: all or none."""
    function = classifier()
    packs: list[ReceivedPack] = []
    try:
        for record in records:
            try:
                packs.append(received_pack(record))
            except UndecodablePackError as error:
                function.quarantine.put(quarantined(record))
                logger().error(
                    "no pack", code=LogCode.PACK_QUARANTINED, message_id=record["messageId"], cause=str(error)
                )
                count({Metric.PACKS_QUARANTINED: 1})
        if packs:
            _report(group, function.classify(packs))
    except (UnavailableError, StaleStateError) as error:
        logger().warning(
            "packs returned", code=LogCode.PACKS_RETURNED, group=group, cause=str(error), packs=len(records)
        )
        count({Metric.PACKS_RETURNED: len(records)})
        return records
    return []


def _give_back(records: Sequence[Record]) -> None:
    receipts = [(record["receiptHandle"], int(record["attributes"]["ApproximateReceiveCount"])) for record in records]
    try:
        classifier().give_back(receipts)
    except UnavailableError as error:
        logger().warning("visibility unchanged", code=LogCode.PACKS_RETURNED, cause=str(error))


def _report(group: str, tally: Tally) -> None:
    logger().info("packs classified", code=LogCode.PACKS_CLASSIFIED, group=group, classes=dict(tally.classes))
    counts: Counter[Metric] = Counter({Metric(f"Points{name.title()}"): n for name, n in tally.classes.items()})
    counts += Counter(
        {
            Metric.POINTS_LATE: tally.late,
            Metric.POINTS_DUPLICATE: tally.duplicates,
            Metric.POINTS_REPEATED: tally.repeated,
            Metric.ALARMS_RAISED: tally.alarms["raised"],
            Metric.ALARMS_CLEARED: tally.alarms["cleared"],
        }
    )
    count(counts)


def _report_quarantined(record: Record, error: Exception) -> None:
    logger().error("no pack", code=LogCode.PACK_QUARANTINED, message_id=record["messageId"], cause=str(error))
    count({Metric.PACKS_QUARANTINED: 1})


def _report_returned(group: str, records: Sequence[Record], error: Exception) -> None:
    logger().warning("packs returned", code=LogCode.PACKS_RETURNED, group=group, packs=len(records), cause=str(error))
    count({Metric.PACKS_RETURNED: len(records)})
