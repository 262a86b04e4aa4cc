"""Access: what a caller may do, and what it lacks for what it asks for."""

import re
from enum import StrEnum
from fnmatch import fnmatchcase

import msgspec

from afluente.application.limits.limits import KeyLimits

EVERYTHING = "*"
"""All domains, or all sources."""

OPERATOR = "_"
"""The tenant of keys that belong to no customer but to those who run the deployment."""


_WILD = re.compile(r"[*?\[]")


class Action(StrEnum):
    """What a key may be for; docs/reference/access.md says which route needs which."""

    INGEST = "ingest"
    """Send points and files."""

    JOBS = "jobs"
    """Look at CSV jobs and end them."""

    CONSTRAINTS = "constraints"
    """Read and write constraints."""

    ALARMS = "alarms"
    """Read alarms."""


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller may do: the scope of the key it came with.

    Attributes:
        key_id: the readable part of the key.
        tenant: whose key it is.
        actions: what it is for.
        domains: the domains it reaches; `*` stands for all.
        sources: patterns of the sources it reaches, as in a shell (`furnace-*`).
        limits: its own limits, where it has other ones than the stage gives every key.
    """

    key_id: str
    tenant: str = OPERATOR
    actions: tuple[Action, ...] = tuple(Action)
    domains: tuple[str, ...] = (EVERYTHING,)
    sources: tuple[str, ...] = (EVERYTHING,)
    limits: KeyLimits | None = None

    def missing(self, action: Action, domain: str, source_id: str) -> str | None:
        """The scope that is missing to do something with a source; None where nothing is."""
        return self.missing_action(action) or self.missing_source(domain, source_id)

    def missing_for_all_of(self, action: Action, domain: str) -> str | None:
        """The scope that is missing to do something with all sources of a domain; None where nothing is."""
        missing = self.missing_action(action) or self.missing_domain(domain)
        if missing:
            return missing
        return None if EVERYTHING in self.sources else f"source:{EVERYTHING}"

    def missing_action(self, action: Action) -> str | None:
        """The scope that is missing to do something at all; None where nothing is."""
        return None if action in self.actions else f"action:{action}"

    def missing_domain(self, domain: str) -> str | None:
        """The scope that is missing to do anything with a domain; None where nothing is."""
        return None if {domain, EVERYTHING} & set(self.domains) else f"domain:{domain}"

    def missing_source(self, domain: str, source_id: str) -> str | None:
        """The scope that is missing to do anything with a source; None where nothing is."""
        if any(fnmatchcase(source_id, pattern) for pattern in self.sources):
            return self.missing_domain(domain)
        return self.missing_domain(domain) or f"source:{source_id}"


def is_pattern(text: str) -> bool:
    """Whether a pattern of sources may match more than the one source that it names."""
    return _WILD.search(text) is not None


def beginning_of(pattern: str) -> str:
    """What all sources that a pattern matches begin with: what comes before its first wild card."""
    return _WILD.split(pattern, maxsplit=1)[0]
