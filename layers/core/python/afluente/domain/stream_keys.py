"""Stream keys: `{domain}/{source_id}/{stream_id}`, the same on MQTT topics, in tables and on command lines."""

import re
from collections.abc import Collection
from functools import lru_cache
from hashlib import blake2b
from typing import Self

import msgspec

from afluente.domain.faults import Fault, FaultCode, FaultyError

MISSING_SOURCE = "_"
"""The source of points that name none."""

MAX_PART_LENGTH = 128
"""Characters of one part of a key; three parts fit an MQTT topic of AWS IoT Core (256 bytes) for usual ids."""

DOMAIN_PATTERN = "[a-z][a-z0-9_-]{0,31}"
"""Form of the name of a domain."""

FORBIDDEN_CHARACTERS = r"/+#\x00-\x1f\x7f-\x9f"
"""Characters that no part of a key holds, as in a character class: separators of MQTT topics, control characters."""

_DOMAIN = re.compile(DOMAIN_PATTERN)
# And lone surrogates, which no UTF-8 text can hold.
_FORBIDDEN = re.compile(rf"[{FORBIDDEN_CHARACTERS}\ud800-\udfff]")


class StreamKey(msgspec.Struct, frozen=True, order=True):
    """The key of a stream.

    Example:
        >>> str(StreamKey.parse("iot/furnace-1/furnace-1:temperature"))
        'iot/furnace-1/furnace-1:temperature'
    """

    domain: str
    source_id: str
    stream_id: str

    def __post_init__(self) -> None:
        faults = (
            *domain_faults(self.domain),
            *part_faults("source_id", self.source_id),
            *part_faults("stream_id", self.stream_id),
        )
        if faults:
            raise FaultyError(faults)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `domain/source_id/stream_id`.

        Raises:
            FaultyError: the text does not have three parts, or a part is not well formed.
        """
        parts = text.split("/")
        if len(parts) != 3:  # noqa: PLR2004 - domain, source, stream
            message = f"'{text}' has {len(parts)} part(s); write domain/source_id/stream_id"
            raise FaultyError((Fault(FaultCode.OUT_OF_RANGE, "key", message),))
        return cls(*parts)

    @property
    def source(self) -> str:
        """`{domain}/{source_id}`: the Kinesis partition key, which also chooses the shard."""
        return f"{self.domain}/{self.source_id}"

    def __str__(self) -> str:
        return f"{self.domain}/{self.source_id}/{self.stream_id}"


@lru_cache(maxsize=16_384)
def is_part(text: str) -> bool:
    """Tell whether `text` may be a source id, a stream id or a stream type."""
    return not part_faults("", text)


@lru_cache(maxsize=1024)
def is_domain(text: str) -> bool:
    """Tell whether `text` may be the name of a domain."""
    return not domain_faults(text)


def part_faults(field: str, value: object) -> tuple[Fault, ...]:
    """Faults of one part of a key, which has 1 to 128 characters, no `$` at its beginning, and no separators."""
    if type(value) is not str:
        return (Fault(FaultCode.WRONG_TYPE, field, f"must be a string, not {json_type(value)}"),)
    if not value:
        return (Fault(FaultCode.EMPTY, field, f"must have 1 to {MAX_PART_LENGTH} characters"),)
    faults = []
    if len(value) > MAX_PART_LENGTH:
        message = f"has {len(value)} characters; {MAX_PART_LENGTH} are allowed"
        faults.append(Fault(FaultCode.TOO_LONG, field, message))
    forbidden = _FORBIDDEN.search(value)
    if forbidden:
        message = (
            f"holds {forbidden[0]!a} at character {forbidden.start()}; "
            "'/', '+', '#', control characters and lone surrogates are not allowed"
        )
        faults.append(Fault(FaultCode.FORBIDDEN_CHARACTER, field, message))
    if value.startswith("$"):
        message = "starts with '$', which MQTT keeps for the broker's own topics"
        faults.append(Fault(FaultCode.FORBIDDEN_CHARACTER, field, message))
    return tuple(faults)


def domain_faults(value: object) -> tuple[Fault, ...]:
    """Faults of the name of a domain, which is `[a-z][a-z0-9_-]{0,31}`."""
    if type(value) is not str:
        return (Fault(FaultCode.WRONG_TYPE, "domain", f"must be a string, not {json_type(value)}"),)
    if not _DOMAIN.fullmatch(value):
        message = "must be a lower-case letter, then at most 31 of a-z, 0-9, '_' and '-'"
        return (Fault(FaultCode.OUT_OF_RANGE, "domain", message),)
    return ()


def closed_domain_faults(domain: str, domains: Collection[str]) -> tuple[Fault, ...]:
    """A fault if a domain is not one of those that are open."""
    if domain in domains:
        return ()
    names = ", ".join(sorted(domains))
    return (Fault(FaultCode.UNKNOWN_DOMAIN, "domain", f"'{domain}' is not open; open are {names}"),)


def shard_of(source: str, shards: int) -> int:
    """The shard of a source, 0 to `shards` - 1: the same on every machine and in every release.

    Args:
        source: `{domain}/{source_id}`.
        shards: number of shards.
    """
    digest = blake2b(source.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % shards


def json_type(value: object) -> str:
    """The type of `value` in the words of JSON, for messages."""
    if value is None:
        return "null"
    names: dict[type, str] = {bool: "a boolean", str: "a string", dict: "an object", list: "an array"}
    return names.get(type(value), "a number" if isinstance(value, int | float) else type(value).__name__)
