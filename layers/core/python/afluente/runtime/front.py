"""The front before the HTTP API, where a stage has one: what came around it is answered here and goes no further."""

import os
from functools import cache

from afluente.adapters.http.answers import Answer
from afluente.adapters.http.client_address import Front
from afluente.adapters.http.requests import RequestError
from afluente.runtime.http_function import Event, answered
from afluente.runtime.observability import LogCode
from afluente.runtime.secrets import cached_secret

SECRETS = "AFLUENTE_FRONT_SECRETS"
"""The variable that names the secrets of the front, with commas between them; a stage without a front has none."""


@cache
def front() -> Front | None:
    """The front of the stage."""
    names = [name for name in os.environ.get(SECRETS, "").split(",") if name]
    if not names:
        return None
    kept = [cached_secret(name) for name in names]
    return Front(lambda: [secret() for secret in kept])


def bypassed_front(event: Event, request_id: str) -> Answer | None:
    """The answer to a request that did not come through the front; None where the request is to be answered."""
    before = front()
    if before is None:
        return None

    def check() -> Answer | None:
        if before.brought(event):
            return None
        detail = "ask at the address that the operator of this service gives out, not at that of API Gateway"
        raise RequestError(403, "around_the_front", detail)

    return answered(check, request_id, unavailable=LogCode.FRONT_UNAVAILABLE, so_far="nothing is done for certain")
