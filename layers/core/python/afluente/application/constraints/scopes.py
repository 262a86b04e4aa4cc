"""Scopes of constraints: one stream, the streams of one type in a domain, or all streams of a domain.

A scope is a string. No part of a key holds `/` or `#`, so the three forms are disjoint:
`domain/source_id/stream_id`, `domain#stream_type` and `domain`.
"""

import re

from afluente.domain.stream_keys import StreamKey


def of_stream(key: StreamKey) -> str:
    """The scope of one stream."""
    return str(key)


def of_type(domain: str, stream_type: str) -> str:
    """The scope of the template for streams of a type."""
    return f"{domain}#{stream_type}"


def of_domain(domain: str) -> str:
    """The scope of the template for all streams of a domain."""
    return domain


def domain_of(scope: str) -> str:
    """The domain of a scope."""
    return re.split("[/#]", scope, maxsplit=1)[0]


def source_of(scope: str) -> str | None:
    """The source id in the scope of a stream; None for a template."""
    return scope.split("/")[1] if "/" in scope else None


def lookup_order(key: StreamKey, stream_type: str | None) -> tuple[str, ...]:
    """The scopes that apply to a stream, the closest first; the first with constraints decides."""
    templates = (
        (of_domain(key.domain),) if stream_type is None else (of_type(key.domain, stream_type), of_domain(key.domain))
    )
    return (of_stream(key), *templates)
