"""Classifier: packs of the queue become points on the streams of their classes, a batch an invocation."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from afluente.adapters.aws.sqs_records import batch_answer, quarantined_pack, received_pack
from afluente.adapters.codecs.packs import UndecodablePackError
from afluente.application.backoff import backoff_seconds
from afluente.application.classification.classify_packs import BatchResult
from afluente.application.errors import UnavailableError
from afluente.application.ingest.packs import ReceivedPack
from afluente.application.ingest.ports import Quarantine
from afluente.runtime.classifier import ClassifierFunction, compose
from afluente.runtime.core.observability import LogCode, Metric, count, logger
from afluente.runtime.entry_point import entry_point
from classifier.reporting import report, report_moved, report_retried

Record = dict[str, Any]
Retries = dict[str, int]
"""Seconds until a message is retried, by its id."""


def handle(event: dict[str, Any], context: Any, function: ClassifierFunction) -> dict[str, Any]:
    """Classify the packs of an SQS event; answers which messages are retried.

    Of a group whose pack fails, that pack is retried after a while, and those after it once it is done. Packs for which
    no time was left are retried at once.
    """
    ends_at = time.monotonic() + context.get_remaining_time_in_millis() / 1000
    packs, retries = _decode(event["Records"], function.quarantine)
    if packs:
        result = function.classify(packs, lambda: ends_at - time.monotonic())
        report(result.counts)
        retries |= _retries(result, function)
    retried = [record for record in event["Records"] if record["messageId"] in retries]
    if retried:
        _retry_later(retried, retries, function)
    return batch_answer(record["messageId"] for record in retried)


def _decode(records: Sequence[Record], quarantine: Quarantine) -> tuple[list[ReceivedPack], Retries]:
    """Decode the records; quarantine undecodable ones; retry one whose quarantine fails, and those of its group after
    it.
    """
    packs: list[ReceivedPack] = []
    retries: Retries = {}
    waiting: set[str] = set()
    for record in records:
        group = record["attributes"]["MessageGroupId"]
        if group in waiting:
            retries[record["messageId"]] = 0
            continue
        try:
            packs.append(received_pack(record))
        except UndecodablePackError as error:
            try:
                quarantine.put(quarantined_pack(record))
            except UnavailableError as unavailable:
                waiting.add(group)
                retries[record["messageId"]] = backoff_seconds(int(record["attributes"]["ApproximateReceiveCount"]))
                report_retried({group: unavailable})
                continue
            logger().error("no pack", code=LogCode.PACK_QUARANTINED, message_id=record["messageId"], cause=str(error))
            count({Metric.PACKS_QUARANTINED: 1})
    return packs, retries


def _retries(result: BatchResult, function: ClassifierFunction) -> Retries:
    retried, moved = function.retry(result.failed)
    if retried:
        report_retried({one.pack.group: one.error for one in result.failed})
    for one in moved:
        report_moved(one)
    at_once = dict.fromkeys((pack.message_id for pack in result.returned), 0)
    return at_once | {one.pack.message_id: one.seconds for one in retried}


def _retry_later(records: Sequence[Record], retries: Mapping[str, int], function: ClassifierFunction) -> None:
    try:
        function.retry_later([(record["receiptHandle"], retries[record["messageId"]]) for record in records])
    except UnavailableError as error:
        logger().warning("visibility unchanged", code=LogCode.PACKS_RETURNED, cause=str(error))


lambda_handler = entry_point(compose, handle)
