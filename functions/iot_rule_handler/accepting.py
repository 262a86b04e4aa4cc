"""Acceptance of the points of messages."""

from collections.abc import Sequence

from afluente.application.errors import UnavailableError
from afluente.application.ingest.accept_points import PointsRequest
from afluente.runtime.iot_rule_handler import IotRuleHandler
from afluente.runtime.records import report_failure


def accept(requests: Sequence[PointsRequest], function: IotRuleHandler) -> frozenset[str]:
    """Accept requests together; an unexpected error is that of its request alone, which is found by halving.

    Returns:
        The ids of messages to retry.

    Raises:
        UnavailableError: not every point is queued; all messages are retried.
    """
    try:
        return function.accept.together(requests, run=function.executor.map)
    except UnavailableError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, the other messages are not to blame
        if len(requests) == 1:
            report_failure(requests[0].request_id, error)
            return frozenset({requests[0].request_id})
    middle = len(requests) // 2
    return accept(requests[:middle], function) | accept(requests[middle:], function)
