"""What the emulator does otherwise than AWS, put right where the service depends on it."""

import inspect
from contextvars import ContextVar
from typing import Any

_is_coded: ContextVar[bool] = ContextVar("_is_coded", default=False)


def apply() -> None:
    """Put the emulator right; once, in its own process, before it serves."""
    _hand_on_coded_bodies_as_bytes()


def _hand_on_coded_bodies_as_bytes() -> None:
    """Give a function the body of a request with a Content-Encoding as base64.

    API Gateway does so whatever the content type is. The emulator (1.5.33) goes by the content type alone: it takes a
    gzipped `application/json` for text and replaces what is no UTF-8, after which nobody can unpack it.
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
