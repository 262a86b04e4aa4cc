"""Lambda: sizes of events, answers and batches, and the reserved concurrency that a template names."""

import http
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from cli.local_stack.aws_limits import quotas
from cli.local_stack.aws_limits.answers import Answer, refusal
from cli.local_stack.aws_limits.settings import Values

_RECORD_OVERHEAD_BYTES = 900
"""A record of an event beside its body: ids, receipt handle, attributes, ARN; less than AWS's own."""

_TOO_LARGE = "RequestEntityTooLargeException"


def payload_bytes(value: object) -> int:
    """Bytes of a value as JSON."""
    try:
        return len(msgspec.json.encode(value))
    except (TypeError, ValueError, OverflowError):
        # What JSON has and msgspec does not: half of a surrogate pair, an integer of many digits.
        return len(json.dumps(value, default=str))


def record_bytes(message: Mapping[str, Any]) -> int:
    """Bytes of a message of SQS as a record of an event."""
    attributes = message.get("message_attributes")
    return _RECORD_OVERHEAD_BYTES + payload_bytes(message["body"]) + (payload_bytes(attributes) if attributes else 0)


def fitting(messages: Sequence[Mapping[str, Any]], largest: int) -> int:
    """The number of messages from the first on that fit an event together; at least one."""
    total = 0
    for index, message in enumerate(messages):
        total += record_bytes(message)
        if total > largest and index > 0:
            return index
    return len(messages)


def install(limits: Values) -> None:
    """Let the emulator keep the quotas of Lambda."""
    from ministack.services import lambda_svc, sqs  # noqa: PLC0415 - it reads its settings on import
    from ministack.services.cloudformation import provisioners  # noqa: PLC0415

    lambda_svc._execute_function_dispatch = _dispatch(lambda_svc._execute_function_dispatch, limits)  # noqa: SLF001
    lambda_svc._invoke = _invoke(lambda_svc._invoke, limits)  # noqa: SLF001
    sqs._receive_messages_for_esm = _receive(  # noqa: SLF001
        sqs._receive_messages_for_esm,  # noqa: SLF001
        sqs._queues_lock,  # noqa: SLF001
        limits.count(quotas.MAPPING_BATCH_BYTES),
    )
    handlers = provisioners._RESOURCE_HANDLERS["AWS::Lambda::Function"]  # noqa: SLF001
    for step in ("create", "update"):
        handlers[step] = _with_reserved_concurrency(handlers[step], lambda_svc._functions)  # noqa: SLF001


def _dispatch(dispatch: Callable[..., dict[str, Any]], limits: Values) -> Callable[..., dict[str, Any]]:
    """Refuse an event, and fail an answer, above the quota."""
    largest, largest_answer = limits.count(quotas.INVOCATION_BYTES), limits.count(quotas.ANSWER_BYTES)

    def dispatch_within_limits(
        function: Any, config: Any, event: Any, request_id: str, started: float
    ) -> dict[str, Any]:
        if payload_bytes(event) > largest:
            # As HTTP API hands it on; a mapping of a queue never gets here, since its batches are cut.
            words = {"message": "Request Entity Too Large"}
            body = {"statusCode": http.HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body": json.dumps(words)}
            return {"body": body, "error": True, "log": ""}
        result = dispatch(function, config, event, request_id, started)
        if not result.get("error") and payload_bytes(result.get("body")) > largest_answer:
            message = f"Response payload size exceeded maximum allowed payload size ({largest_answer} bytes)."
            failure = {"errorMessage": message, "errorType": "Function.ResponseSizeTooLarge"}
            return {**result, "body": failure, "error": True}
        return result

    return dispatch_within_limits


def _invoke(invoke: Callable[..., Any], limits: Values) -> Callable[..., Any]:
    """Refuse a call of Invoke whose payload is above the quota."""
    largest = {
        "Event": limits.count(quotas.ASYNC_INVOCATION_BYTES),
        "RequestResponse": limits.count(quotas.INVOCATION_BYTES),
    }

    async def invoke_within_limits(name: str, event: Any, headers: Mapping[str, str], *rest: Any) -> Answer:
        most = largest.get(headers.get("x-amz-invocation-type", "RequestResponse"))
        if most is not None and payload_bytes(event) > most:
            message = f"Request must be smaller than {most} bytes for the InvokeFunction operation"
            return refusal(_TOO_LARGE, message, http.HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        answer: Answer = await invoke(name, event, headers, *rest)
        return answer

    return invoke_within_limits


def _receive(
    receive: Callable[[str, int], list[dict[str, Any]]], lock: threading.Lock, largest: int
) -> Callable[[str, int], list[dict[str, Any]]]:
    """Put back what a batch holds above the quota, as if it had not been received."""

    def receive_within_limits(queue_url: str, size: int) -> list[dict[str, Any]]:
        batch = receive(queue_url, size)
        count = fitting(batch, largest)
        with lock:
            for message in batch[count:]:
                message["visible_at"] = message["sent_at"]
                message["receipt_handle"] = None
                message["receive_count"] -= 1
                if message["receive_count"] == 0:
                    message["first_receive_at"] = None
        return batch[:count]

    return receive_within_limits


def _with_reserved_concurrency(handler: Callable[..., Any], functions: Any) -> Callable[..., Any]:
    """Hand on the reserved concurrency of a template, which the emulator (1.5.33) forgets."""

    def handle(*positional: Any, **named: Any) -> Any:
        result = handler(*positional, **named)
        # A creation has the properties as its second argument, an update the new ones as its third.
        properties = [value for value in positional if isinstance(value, dict)][-1]
        reserved = properties.get("ReservedConcurrentExecutions")
        name = properties.get("FunctionName") or result[0]
        if name in functions:
            functions[name]["concurrency"] = None if reserved is None else int(reserved)
        return result

    return handle
