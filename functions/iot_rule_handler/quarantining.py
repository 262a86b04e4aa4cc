"""Quarantine of messages."""

from collections.abc import Sequence

from afluente.application.errors import UnavailableError
from afluente.application.ingest.quarantine import QuarantinedRecord
from afluente.runtime.core.observability import LogCode, Metric, count, logger
from afluente.runtime.iot_rule_handler import IotRuleHandler
from afluente.runtime.records import report_failure


def quarantine(records: Sequence[QuarantinedRecord], function: IotRuleHandler) -> set[str]:
    """Quarantine messages, concurrently; returns the ids of those to retry, whose quarantine failed."""

    def failure(record: QuarantinedRecord) -> Exception | None:
        try:
            function.quarantine.put(record)
        except UnavailableError as error:
            return error
        except Exception as error:  # noqa: BLE001 - whatever it is, the other records are not to blame
            report_failure(record.record_id, error)
            return error
        return None

    retried = set()
    for record, error in zip(records, function.executor.map(failure, records), strict=True):
        if error is not None:
            logger().error("quarantine unavailable", code=LogCode.QUARANTINE_UNAVAILABLE, cause=str(error))
            retried.add(record.record_id)
            continue
        logger().warning(
            "message quarantined", code=LogCode.MESSAGE_QUARANTINED, message_id=record.record_id, cause=record.message
        )
    count({Metric.MESSAGES_QUARANTINED: len(records) - len(retried)})
    return retried
