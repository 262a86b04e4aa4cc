"""Classifier: packs of the queue become points on the streams of their classes, a batch an invocation."""

import time
from typing import Any

from afluente.adapters.aws.sqs_records import batch_answer
from afluente.application.classification.classify_packs import BatchResult
from afluente.runtime.classifier import ClassifierFunction, compose
from afluente.runtime.entry_point import entry_point
from classifier.messages import Retries, decode, retry_later
from classifier.reporting import report, report_moved, report_retried


def handle(event: dict[str, Any], context: Any, function: ClassifierFunction) -> dict[str, Any]:
    """Classify the packs of an SQS event; answers which messages are retried.

    Of a group whose pack fails, that pack is retried after a while, and those after it once it is done. Packs for which
    no time was left are retried at once.
    """
    ends_at = time.monotonic() + context.get_remaining_time_in_millis() / 1000
    packs, retries = decode(event["Records"], function.quarantine)
    if packs:
        result = function.classify(packs, lambda: ends_at - time.monotonic())
        report(result.counts)
        retries |= _retries(result, function)
    retried = [record for record in event["Records"] if record["messageId"] in retries]
    if retried:
        retry_later(retried, retries, function)
    return batch_answer(record["messageId"] for record in retried)


def _retries(result: BatchResult, function: ClassifierFunction) -> Retries:
    """Decide on the packs that are not done."""
    retried, moved = function.retry(result.failed)
    if retried:
        report_retried({one.pack.group: one.error for one in result.failed if one not in moved})
    for one in moved:
        report_moved(one)
    at_once = dict.fromkeys((pack.message_id for pack in result.returned), 0)
    return at_once | {one.pack.message_id: one.seconds for one in retried}


lambda_handler = entry_point(compose, handle)
