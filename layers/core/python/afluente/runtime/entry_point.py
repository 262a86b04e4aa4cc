"""Entry point of a Lambda function: composed with its first event, once a container."""

import os
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeVar

from afluente.runtime.core.observability import invocation

Event = dict[str, Any]
"""Event or answer, as Lambda has it."""

Function = TypeVar("Function")


def entry_point(
    compose: Callable[[Mapping[str, str]], Function], handle: Callable[[Event, Any, Function], Event]
) -> Callable[[Event, Any], Event]:
    """Make the handler that Lambda calls.

    Args:
        compose: builds the use cases of the function from environment variables.
        handle: answers an event, with Lambda's context and the composed function.
    """
    composed = cache(lambda: compose(os.environ))

    def lambda_handler(event: Event, context: Any) -> Event:
        with invocation(context):
            return handle(event, context, composed())

    return lambda_handler
