"""API Gateway: sizes and time of requests of HTTP APIs; frames, messages and life of WebSocket connections."""

import asyncio
import functools
import http
import json
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from cli.local_stack.aws_limits import quotas
from cli.local_stack.aws_limits.answers import Answer, refusal
from cli.local_stack.aws_limits.settings import Values

Message = dict[str, Any]
Receive = Callable[[], Coroutine[Any, Any, Message]]
Send = Callable[[Message], Awaitable[None]]

_GOING_AWAY = 1001
_TOO_BIG = 1009
# Places among the arguments of the emulator's functions.
_BODY = 5
_CONNECTION_ID, _REQUEST_ID = 5, 7


class FrameTooLargeError(Exception):
    """A WebSocket frame above the quota."""


@dataclass(slots=True)
class ConnectionLife:
    """The time that a WebSocket connection has: without a message, and in all.

    Attributes:
        idle_seconds: without a message in either direction.
        whole_seconds: from its beginning.
        began_at: in seconds that only go forward.
        active_at: time of the last message.
    """

    idle_seconds: float
    whole_seconds: float
    began_at: float
    active_at: float = field(init=False)

    def __post_init__(self) -> None:
        self.active_at = self.began_at

    def left(self, now: float) -> float:
        """Seconds until it ends, if no message comes; none or less once it has ended."""
        return min(self.active_at + self.idle_seconds, self.began_at + self.whole_seconds) - now


def install(limits: Values) -> None:
    """Let the emulator keep the quotas of API Gateway."""
    from ministack.services import apigateway  # noqa: PLC0415 - it reads its settings on import

    apigateway.handle_execute = _handle_execute(apigateway.handle_execute, limits)
    apigateway._invoke_lambda_proxy = _invoke_lambda_proxy(apigateway._invoke_lambda_proxy, limits)  # noqa: SLF001
    apigateway._invoke_ws_lambda = _invoke_ws_lambda(apigateway._invoke_ws_lambda, limits)  # noqa: SLF001
    apigateway.handle_websocket = _handle_websocket(apigateway.handle_websocket, limits)
    apigateway.handle_connections_api = _handle_connections_api(apigateway.handle_connections_api, limits)
    _refuse_frames_above(limits.count(quotas.WEBSOCKET_FRAME_BYTES))


async def within(seconds: float, work: Coroutine[Any, Any, Any]) -> Any:
    """The result of some work, or None if it is not done in time; it goes on, as a function behind AWS does."""
    task = asyncio.ensure_future(work)
    done, _ = await asyncio.wait({task}, timeout=seconds)
    return task.result() if done else None


def bounded(receive: Receive, send: Send, life: ConnectionLife, largest: int) -> tuple[Receive, Send]:
    """The two directions of a WebSocket connection, which ends with its time or with a message that is too large."""

    async def send_and_stay_alive(message: Message) -> None:
        if message["type"] == "websocket.send":
            life.active_at = time.monotonic()
        await send(message)

    async def end(code: int) -> Message:
        await send({"type": "websocket.close", "code": code})
        return {"type": "websocket.disconnect", "code": code}

    async def receive_within_limits() -> Message:
        waiting = asyncio.ensure_future(receive())
        try:
            while not waiting.done():
                left = life.left(time.monotonic())
                if left <= 0:
                    return await end(_GOING_AWAY)
                await asyncio.wait({waiting}, timeout=left)
        finally:
            if not waiting.done():
                waiting.cancel()
        message = waiting.result()
        if message.get("type") == "websocket.receive":
            life.active_at = time.monotonic()
            if _size(message) > largest:
                return await end(_TOO_BIG)
        return message

    return receive_within_limits, send_and_stay_alive


def _size(message: Message) -> int:
    text, data = message.get("text"), message.get("bytes")
    return len(text.encode()) if text is not None else len(data or b"")


def _handle_execute(handle: Callable[..., Awaitable[Any]], limits: Values) -> Callable[..., Awaitable[Any]]:
    largest = limits.count(quotas.HTTP_PAYLOAD_BYTES)

    async def handle_within_limits(*positional: Any, **named: Any) -> Any:
        if len(positional[_BODY]) > largest:
            return _message(http.HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Request Entity Too Large")
        return await handle(*positional, **named)

    return handle_within_limits


def _invoke_lambda_proxy(
    invoke: Callable[..., Coroutine[Any, Any, Any]], limits: Values
) -> Callable[..., Coroutine[Any, Any, Any]]:
    seconds = limits.rate(quotas.HTTP_INTEGRATION_SECONDS)

    # Who looks at the signature sees that of the emulator.
    @functools.wraps(invoke)
    async def invoke_in_time(*positional: Any, **named: Any) -> Any:
        answer = await within(seconds, invoke(*positional, **named))
        return answer or _message(http.HTTPStatus.SERVICE_UNAVAILABLE, "Service Unavailable")

    return invoke_in_time


def _invoke_ws_lambda(
    invoke: Callable[..., Coroutine[Any, Any, Any]], limits: Values
) -> Callable[..., Coroutine[Any, Any, Any]]:
    seconds = limits.rate(quotas.WEBSOCKET_INTEGRATION_SECONDS)

    async def invoke_in_time(*positional: Any, **named: Any) -> Any:
        work = invoke(*positional, **named)
        answered: list[Any] = []

        async def answer() -> bool:
            answered.append(await work)
            return True

        if await within(seconds, answer()):
            return answered[0]
        ids = {"connectionId": positional[_CONNECTION_ID], "requestId": positional[_REQUEST_ID]}
        body = {"message": "Endpoint request timed out", **ids}
        return {"statusCode": http.HTTPStatus.GATEWAY_TIMEOUT, "body": json.dumps(body)}

    return invoke_in_time


def _handle_websocket(handle: Callable[..., Awaitable[None]], limits: Values) -> Callable[..., Awaitable[None]]:
    largest = limits.count(quotas.WEBSOCKET_MESSAGE_BYTES)
    idle, whole = limits.rate(quotas.WEBSOCKET_IDLE_SECONDS), limits.rate(quotas.WEBSOCKET_SECONDS)

    async def handle_within_limits(scope: Any, receive: Receive, send: Send, *rest: Any, **named: Any) -> None:
        life = ConnectionLife(idle, whole, time.monotonic())
        await handle(scope, *bounded(receive, send, life, largest), *rest, **named)

    return handle_within_limits


def _handle_connections_api(handle: Callable[..., Awaitable[Any]], limits: Values) -> Callable[..., Awaitable[Any]]:
    largest = limits.count(quotas.WEBSOCKET_MESSAGE_BYTES)

    async def handle_within_limits(
        method: str, api_id: str, stage: str, connection: str, body: bytes, *rest: Any
    ) -> Any:
        if method == "POST" and len(body) > largest:
            status = http.HTTPStatus.REQUEST_ENTITY_TOO_LARGE
            return refusal("PayloadTooLargeException", "Request Entity Too Large", status)
        return await handle(method, api_id, stage, connection, body, *rest)

    return handle_within_limits


def _refuse_frames_above(largest: int) -> None:
    """End a connection that sends a larger frame, with the code of WebSocket for a message that is too big."""
    from hypercorn.protocol.events import StreamClosed  # noqa: PLC0415 - of the emulator's server
    from hypercorn.protocol.ws_stream import WSStream  # noqa: PLC0415
    from wsproto.events import CloseConnection  # noqa: PLC0415
    from wsproto.frame_protocol import FrameDecoder  # noqa: PLC0415

    process, handle_events = FrameDecoder.extension_processing, WSStream._handle_events  # noqa: SLF001

    def process_within_limits(decoder: Any, opcode: Any, rsv: Any, payload_bytes: int) -> None:
        if payload_bytes > largest and not decoder.client:
            raise FrameTooLargeError
        process(decoder, opcode, rsv, payload_bytes)

    async def handle_events_within_limits(stream: Any) -> None:
        try:
            await handle_events(stream)
        except FrameTooLargeError:
            await stream._send_wsproto_event(CloseConnection(code=_TOO_BIG))  # noqa: SLF001
            # What follows in the frame is not read, so the client's answer would not be found.
            await stream.send(StreamClosed(stream_id=stream.stream_id))

    FrameDecoder.extension_processing = process_within_limits  # type: ignore[method-assign,assignment]
    WSStream._handle_events = handle_events_within_limits  # type: ignore[method-assign,assignment]  # noqa: SLF001


def _message(status: int, text: str) -> Answer:
    return status, {"Content-Type": "application/json"}, json.dumps({"message": text}).encode()
