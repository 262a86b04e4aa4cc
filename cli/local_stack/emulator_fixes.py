"""Corrections of the emulator where it differs from AWS and the service depends on it."""

import asyncio
import http
import inspect
import re
import socket
import ssl
import time
from contextvars import ContextVar
from typing import Any

_is_coded: ContextVar[bool] = ContextVar("_is_coded", default=False)
_of_one_group: ContextVar[bool] = ContextVar("_of_one_group", default=False)


def apply(broker: socket.socket) -> None:
    """Correct the emulator; called once, in its own process, before it serves.

    Args:
        broker: the socket at which the MQTT broker is to listen.
    """
    _hand_on_coded_bodies_as_bytes()
    _serve_mqtt_at(broker)
    _ask_for_client_certificates()
    _hold_devices_to_their_policies()
    _know_the_attributes_of_things()
    _gather_batches()
    _read_ranges_of_versions()


def _hand_on_coded_bodies_as_bytes() -> None:
    """Give a function the body of a request with a Content-Encoding as base64.

    API Gateway does so for every content type. The emulator (1.5.33) goes by the content type alone: it treats a
    gzipped `application/json` as text and replaces bytes that are no UTF-8, after which nobody can unpack it.
    """
    from ministack.services import apigateway  # noqa: PLC0415 - it reads its settings on import

    invoke, is_text = apigateway._invoke_lambda_proxy, apigateway._v2_request_body_is_text  # noqa: SLF001
    signature = inspect.signature(invoke)

    async def invoke_with_coding(*positional: Any, **named: Any) -> Any:
        headers = signature.bind(*positional, **named).arguments["headers"]
        _is_coded.set(headers.get("content-encoding", "identity").lower() != "identity")
        return await invoke(*positional, **named)

    def is_uncoded_text(content_type: str | None) -> bool:
        return not _is_coded.get() and bool(is_text(content_type))

    apigateway._invoke_lambda_proxy = invoke_with_coding  # noqa: SLF001
    apigateway._v2_request_body_is_text = is_uncoded_text  # noqa: SLF001


def _serve_mqtt_at(broker: socket.socket) -> None:
    """Let the MQTT broker listen on this machine alone.

    The emulator (1.5.33) has it listen on every interface, and goes on without a broker if the port is in use.
    """
    from ministack.services import iot  # noqa: PLC0415 - it reads its settings on import

    async def start() -> None:
        if iot._mtls_server is None:  # noqa: SLF001
            loop = asyncio.get_running_loop()
            # A copy: a reset of the emulator closes what it listens at, and starts anew.
            iot._mtls_server = await loop.create_server(iot._MtlsAcceptor, sock=broker.dup())  # noqa: SLF001
            iot._mtls_loop = loop  # noqa: SLF001

    iot._mtls_start_locked = start  # noqa: SLF001


def _ask_for_client_certificates() -> None:
    """End a connection that brings no client certificate in the TLS handshake, as AWS IoT Core does on port 8883.

    The emulator (1.5.33) lets such a connection do everything.
    """
    from ministack.services import iot  # noqa: PLC0415 - it reads its settings on import

    build = iot._mtls_build_ssl_context  # noqa: SLF001

    def build_strictly() -> ssl.SSLContext:
        context: ssl.SSLContext = build()
        context.verify_mode = ssl.CERT_REQUIRED
        return context

    iot._mtls_build_ssl_context = build_strictly  # noqa: SLF001


def _hold_devices_to_their_policies() -> None:
    """Authorize a device by the IoT policies of its certificate.

    The emulator (1.5.33) does so only with AUTH=true, which would ask for real credentials everywhere else too.
    """
    from ministack.services import iot  # noqa: PLC0415 - it reads its settings on import

    def evaluates_policies(session: Any) -> bool:
        return session.certificate_id is not None or session.iam_credential is not None

    iot._WSSession._evaluates_policies = evaluates_policies  # noqa: SLF001


def _know_the_attributes_of_things() -> None:
    """Give policies the variables `iot:Connection.Thing.Attributes[name]`.

    The emulator (1.5.33) knows the name of the thing alone.
    """
    from ministack.core.responses import request_scope  # noqa: PLC0415 - it reads its settings on import
    from ministack.services import iot  # noqa: PLC0415 - it reads its settings on import

    context_of = iot._mqtt_policy_context  # noqa: SLF001

    def with_attributes(account_id: str, region: str, certificate_id: str, client_id: str) -> dict[str, str]:
        context: dict[str, str] = context_of(account_id, region, certificate_id, client_id)
        if "iot:connection.thing.thingname" in context:
            with request_scope(account_id, region):
                attributes = iot._things[client_id].get("attributes", {})  # noqa: SLF001
            context |= {f"iot:connection.thing.attributes[{name.lower()}]": value for name, value in attributes.items()}
        return context

    iot._mqtt_policy_context = with_attributes  # noqa: SLF001
    iot._POLICY_VARIABLE_RE = re.compile(r"\$\{(iot:[A-Za-z.]+(?:\[[^\]}]+\])?)\}")  # noqa: SLF001


def _gather_batches() -> None:
    """Let an event source mapping have batches as Lambda's.

    Of a FIFO queue the batches of different message groups run side by side. Those of the emulator (1.5.33) span groups
    and run one at a time. Of a standard queue a mapping has its batch size and its batching window.

    Lambda waits until the batch is full or the window ends, with up to 10,000 messages a batch. The emulator (1.5.33)
    does not wait, and receives at most ten messages.

    Gathered batches run one at a time. AWS runs at least two, of which one may overtake the other; here the output must
    not depend on the load of the machine.
    """
    from ministack.services import lambda_svc, sqs  # noqa: PLC0415 - it reads its settings on import

    concurrency_of, receive = lambda_svc._sqs_esm_concurrency, sqs._receive_messages_for_esm  # noqa: SLF001
    collect = sqs._collect_fifo  # noqa: SLF001

    def collect_of_group(queue: dict[str, Any], size: int, visibility: int, now: float) -> list[dict[str, Any]]:
        messages = queue["messages"]
        if _of_one_group.get():
            group = _free_group(messages, now)
            messages = [message for message in messages if message["group_id"] == group]
        collected: list[dict[str, Any]] = collect({**queue, "messages": messages}, size, visibility, now)
        return collected

    def concurrency_when_due(
        mapping: dict[str, Any], function: dict[str, Any], config: dict[str, Any], queue: dict[str, Any]
    ) -> int:
        window = mapping.get("MaximumBatchingWindowInSeconds") or 0
        if window == 0:
            # The emulator takes one batch of a FIFO queue at a time, since a batch of its may span groups.
            return int(concurrency_of(mapping, function, config, {**queue, "is_fifo": False}))
        return int(_is_due(queue, mapping.get("BatchSize", 10), window))

    def receive_batch(queue_url: str, size: int) -> list[dict[str, Any]]:
        _of_one_group.set(True)
        try:
            batch: list[dict[str, Any]] = receive(queue_url, size)
        finally:
            _of_one_group.set(False)
        while batch and len(batch) < size and not batch[0].get("group_id"):
            more = receive(queue_url, size - len(batch))
            if not more:
                break
            batch += more
        return batch

    lambda_svc._sqs_esm_concurrency = concurrency_when_due  # noqa: SLF001
    sqs._collect_fifo = collect_of_group  # noqa: SLF001
    sqs._receive_messages_for_esm = receive_batch  # noqa: SLF001


def _free_group(messages: list[dict[str, Any]], now: float) -> str | None:
    """The group of the first message that may be delivered; None if there is none."""
    busy = {message["group_id"] for message in messages if message["visible_at"] > now and message["receive_count"] > 0}
    visible = (message["group_id"] for message in messages if message["visible_at"] <= now)
    return next((group for group in visible if group not in busy), None)


def _is_due(queue: dict[str, Any], batch_size: int, window: float) -> bool:
    now = time.time()
    waiting = [message["sent_at"] for message in list(queue["messages"]) if message["visible_at"] <= now]
    return bool(waiting) and (len(waiting) >= batch_size or min(waiting) + window <= now)


def _read_ranges_of_versions() -> None:
    """Answer a request for a range of a version of an object with that range.

    The emulator (1.5.33) answers with the whole version.
    """
    from ministack.services import s3  # noqa: PLC0415 - it reads its settings on import

    get = s3._get_object  # noqa: SLF001

    def get_range(
        bucket: str, key: str, headers: dict[str, str], query: dict[str, Any] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        status, answered, body = get(bucket, key, headers, query)
        found = s3._parse_range(headers.get("range", ""), len(body)) if status == http.HTTPStatus.OK else None  # noqa: SLF001
        if found is None or not headers.get("range"):
            return status, answered, body
        start, end = found
        part = {"Content-Length": str(end - start + 1), "Content-Range": f"bytes {start}-{end}/{len(body)}"}
        # A checksum is of the whole.
        kept = {name: value for name, value in answered.items() if not name.lower().startswith("x-amz-checksum")}
        return http.HTTPStatus.PARTIAL_CONTENT, {**kept, **part}, body[start : end + 1]

    s3._get_object = get_range  # noqa: SLF001
