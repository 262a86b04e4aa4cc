"""Grants: the rights of a caller, and the scope that is missing for a request."""

import re
from enum import StrEnum
from fnmatch import fnmatchcase

import msgspec

from afluente.application.limits.stage_limits import KeyLimits

EVERYTHING = "*"
"""All domains, or all sources."""

OPERATOR = "_"
"""The tenant of the operators' own keys."""

_WILD = re.compile(r"[*?\[]")


class Action(StrEnum):
    """An action that a key allows; docs/reference/access.md lists the routes of each."""

    INGEST = "ingest"
    """Send points and files."""

    JOBS = "jobs"
    """Look at CSV jobs and end them."""

    CONSTRAINTS = "constraints"
    """Read and write constraints."""

    ALARMS = "alarms"
    """Read alarms."""


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """The rights of a caller: the scopes of its key.

    Attributes:
        key_id: the readable part of the key.
        tenant: the owner of the key.
        actions: the actions it allows.
        domains: the domains it reaches; `*` stands for all.
        sources: patterns of the sources it reaches, as in a shell (`furnace-*`).
        limits: its own limits, which replace those of the stage.
    """

    key_id: str
    tenant: str = OPERATOR
    actions: tuple[Action, ...] = tuple(Action)
    domains: tuple[str, ...] = (EVERYTHING,)
    sources: tuple[str, ...] = (EVERYTHING,)
    limits: KeyLimits | None = None

    def missing(self, action: Action, domain: str, source_id: str) -> str | None:
        """The missing scope for an action on a source; None if it is allowed."""
        return self.missing_action(action) or self.missing_source(domain, source_id)

    def missing_for_all_of(self, action: Action, domain: str) -> str | None:
        """The missing scope for an action on all sources of a domain; None if it is allowed."""
        missing = self.missing_action(action) or self.missing_domain(domain)
        if missing:
            return missing
        return None if EVERYTHING in self.sources else f"source:{EVERYTHING}"

    def missing_action(self, action: Action) -> str | None:
        """The missing scope for an action, wherever it may be; None if it is allowed."""
        return None if action in self.actions else f"action:{action}"

    def missing_domain(self, domain: str) -> str | None:
        """The missing scope for a domain; None if it is within reach."""
        return None if {domain, EVERYTHING} & set(self.domains) else f"domain:{domain}"

    def missing_source(self, domain: str, source_id: str) -> str | None:
        """The missing scope for a source; None if it is within reach."""
        if any(fnmatchcase(source_id, pattern) for pattern in self.sources):
            return self.missing_domain(domain)
        return self.missing_domain(domain) or f"source:{source_id}"


def is_pattern(text: str) -> bool:
    """True if a pattern of sources has a wild card."""
    return _WILD.search(text) is not None


def beginning_of(pattern: str) -> str:
    """The common beginning of the sources that a pattern matches: all before its first wild card."""
    return _WILD.split(pattern, maxsplit=1)[0]
