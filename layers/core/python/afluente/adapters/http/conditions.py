"""Conditions of requests about constraints, by the entity tags of their versions (RFC 9110, section 13)."""

import re
from collections.abc import Mapping

import msgspec

from afluente.adapters.http.errors import invalid_request
from afluente.domain.constraints import VersionedConfig
from afluente.domain.faults import Fault, FaultCode

_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_ANY = "*"


class Conditions(msgspec.Struct, frozen=True):
    """Conditions of a request: entity tags of versions, or `*` for any version.

    Attributes:
        match: If-Match; None for no condition.
        none_match: If-None-Match; None for no condition.
    """

    match: tuple[str, ...] | None = None
    none_match: tuple[str, ...] | None = None

    @property
    def are_given(self) -> bool:
        """True where the request has any."""
        return self.match is not None or self.none_match is not None

    def hold(self, present: VersionedConfig | None) -> bool:
        """True where the present constraints meet both conditions."""
        return self.match_holds(present) and not self.is_known(present)

    def match_holds(self, present: VersionedConfig | None) -> bool:
        """True where the present constraints meet If-Match."""
        if self.match is None:
            return True
        return present is not None and bool({etag_of(present.version), _ANY} & set(self.match))

    def is_known(self, present: VersionedConfig | None) -> bool:
        """True where the caller has the present constraints already, by If-None-Match."""
        if present is None or self.none_match is None:
            return False
        known = {tag.removeprefix("W/") for tag in self.none_match}
        return bool({etag_of(present.version), _ANY} & known)


def etag_of(version: int) -> str:
    """The entity tag of a version: a strong one, since no version is used twice."""
    return f'"{version}"'


def conditions_of(headers: Mapping[str, str]) -> Conditions:
    """Decode the conditions of a request.

    Raises:
        RequestError: 400 for malformed tags: a condition that is not understood is not ignored.
    """
    faults: list[Fault] = []
    match, none_match = (_tags(name, headers, faults) for name in ("If-Match", "If-None-Match"))
    if faults:
        raise invalid_request(faults)
    return Conditions(match, none_match)


def _tags(name: str, headers: Mapping[str, str], faults: list[Fault]) -> tuple[str, ...] | None:
    text = headers.get(name.lower())
    if text is None:
        return None
    items = [item.strip() for item in text.split(",")]
    if items == [_ANY] or all(_TAG.fullmatch(item) for item in items):
        return tuple(items)
    message = 'must be tags as ETag has them, such as "3", with a comma between them; or *'
    faults.append(Fault(FaultCode.OUT_OF_RANGE, name, message))
    return None
