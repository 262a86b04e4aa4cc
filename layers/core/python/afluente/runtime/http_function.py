"""What the functions behind the HTTP API share: an answer to everything, errors included, in one form."""

from collections.abc import Callable
from typing import Any, TypeVar

from afluente.adapters.http.answers import Answer, problem
from afluente.adapters.http.requests import RequestError
from afluente.application.errors import UnavailableError
from afluente.runtime.observability import LogCode, logger

RETRY_AFTER_SECONDS = 2
"""When a client is to come again that found something unavailable."""

Event = dict[str, Any]
AnswerOrNone = TypeVar("AnswerOrNone", Answer, Answer | None)


def response(answer: Answer, request_id: str) -> dict[str, Any]:
    """The answer as API Gateway takes it, in payload format 2.0."""
    return {
        "statusCode": answer.status,
        "headers": {"content-type": answer.content_type, "x-request-id": request_id, **answer.headers},
        "body": answer.body,
        "isBase64Encoded": answer.is_base64,
    }


def answered(
    answer: Callable[[], AnswerOrNone], request_id: str, *, unavailable: LogCode, so_far: str
) -> Answer | AnswerOrNone:
    """The answer to a request, also to one that cannot be taken.

    Args:
        answer: what gives it; may raise `RequestError` and `UnavailableError`.
        request_id: of API Gateway.
        unavailable: what is logged where a dependency is away.
        so_far: what the client is told of its request then.
    """
    try:
        return answer()
    except RequestError as error:
        return refused(error, request_id)
    except UnavailableError as error:
        logger().error("unavailable", code=unavailable, cause=str(error), request_id=request_id)
        detail = f"{so_far}; send the request again in {RETRY_AFTER_SECONDS} s, which is safe"
        headers = {"retry-after": str(RETRY_AFTER_SECONDS)}
        return problem(503, "unavailable", detail, request_id=request_id, headers=headers)


def refused(error: RequestError, request_id: str) -> Answer:
    """The answer to a request that cannot be taken."""
    logger().info("request refused", code=LogCode.REQUEST_REFUSED, problem=error.code, request_id=request_id)
    return problem(
        error.status, error.code, error.detail, request_id=request_id, headers=error.headers, extra=error.extra
    )
