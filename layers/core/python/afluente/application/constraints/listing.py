"""The constraints that a caller reaches, in pages.

What a caller does not reach is not looked at: neither how long a page takes nor how full it is says that it is there.
"""

from collections.abc import Collection, Iterator, Sequence
from hashlib import blake2b

import msgspec

from afluente.application.access.grants import EVERYTHING, Action, Grant, beginning_of, is_pattern
from afluente.application.constraints.ports import ConstraintsCatalogue
from afluente.application.constraints.scopes import domain_of, of_domain, source_of
from afluente.domain.constraints import StreamConfig, VersionedConfig

MAX_PAGE = 500
"""Constraints of a page."""

# Scopes that are looked at at once, and how often before a page is given back that is not full.
_LOOK = 500
_MAX_LOOKS = 10
_LAST_CHARACTER = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)


class ConstraintsQuery(msgspec.Struct, frozen=True):
    """Which constraints are asked for.

    Attributes:
        domain: of the scopes; None for any.
        source_id: the source of streams, or the beginning of source ids with a star after it; None for any, and for
            templates.
        stream_type: of the constraints; None for any.
        limit: how many, 1 to `MAX_PAGE`.
    """

    domain: str | None = None
    source_id: str | None = None
    stream_type: str | None = None
    limit: int = 100

    def missing(self, grant: Grant) -> str | None:
        """The scope that a grant lacks for a domain or source that is asked for by name; None where nothing is."""
        missing = grant.missing_action(Action.CONSTRAINTS)
        if missing is None and self.domain is not None:
            missing = grant.missing_domain(self.domain)
        if missing is None and self.source_id is not None and not self.source_id.endswith(EVERYTHING):
            anywhere = msgspec.structs.replace(grant, domains=(EVERYTHING,))
            missing = anywhere.missing_source(self.domain or "", self.source_id)
        return missing

    def wants(self, config: StreamConfig) -> bool:
        """Whether constraints of a scope that is asked for are as they are asked for."""
        return self.stream_type in {None, config.stream_type}


class ConstraintsPage(msgspec.Struct, frozen=True):
    """Some constraints, by scope.

    Attributes:
        found: they may be fewer than were asked for.
        after: the scope after which the next page begins; None where there is none.
    """

    found: tuple[tuple[str, VersionedConfig], ...]
    after: str | None


def page_of(
    catalogue: ConstraintsCatalogue,
    query: ConstraintsQuery,
    *,
    after: str | None,
    domains: Collection[str],
    grant: Grant,
) -> ConstraintsPage:
    """A page of the constraints that a caller may see.

    Args:
        catalogue: where constraints are kept.
        query: which are asked for; none that are out of the caller's reach by name.
        after: where the page before ended; None for the first.
        domains: the domains that are open: those of a caller who reaches all of them.
        grant: what the caller may do.

    Raises:
        UnavailableError: the store does not answer.
    """
    found: list[tuple[str, VersionedConfig]] = []
    reached: str | None = None
    for looks, scopes in enumerate(_looks(catalogue, query, after, domains, grant), start=1):
        visible = [scope for scope in scopes if missing_for(grant, scope) is None]
        configs = catalogue.fetch(visible)
        for scope in visible:
            reached = scope
            if scope in configs and query.wants(configs[scope].config):
                found.append((scope, configs[scope]))
            if len(found) == query.limit:
                return ConstraintsPage(tuple(found), scope)
        # Few are as they are asked for: the rest is for another request, which goes on at one that the caller reaches.
        if looks >= _MAX_LOOKS and reached is not None:
            return ConstraintsPage(tuple(found), reached)
    return ConstraintsPage(tuple(found), None)


def missing_for(grant: Grant, scope: str) -> str | None:
    """What a caller lacks for the constraints of a scope: of a template, that it reaches the whole domain."""
    source_id, domain = source_of(scope), domain_of(scope)
    if source_id is None:
        return grant.missing_for_all_of(Action.CONSTRAINTS, domain)
    return grant.missing(Action.CONSTRAINTS, domain, source_id)


def digest_of(query: ConstraintsQuery, grant: Grant) -> str:
    """What a page's successor is bound to: the question and the reach of who asked."""
    asked = msgspec.json.encode((query.domain, query.source_id, query.stream_type, grant.key_id))
    return blake2b(asked, digest_size=8).hexdigest()


def _looks(
    catalogue: ConstraintsCatalogue,
    query: ConstraintsQuery,
    after: str | None,
    domains: Collection[str],
    grant: Grant,
) -> Iterator[Sequence[str]]:
    """The scopes that may be asked for, in order, some at a time."""
    for domain, first, end in _ranges(query, after, domains, grant):
        start = first
        while True:
            scopes = catalogue.scopes(domain, start=start, end=end, limit=_LOOK)
            yield scopes
            if len(scopes) < _LOOK:
                break
            start = _next_after(scopes[-1])


def _ranges(
    query: ConstraintsQuery, after: str | None, domains: Collection[str], grant: Grant
) -> Iterator[tuple[str, str, str]]:
    """Where to look: domain, first scope and end of each range, in order and without what lies in two of them."""
    reached = domains if EVERYTHING in grant.domains else grant.domains
    for domain in sorted({query.domain} if query.domain is not None else set(reached)):
        asked = _asked(domain, query.source_id)
        for start, end in _merged(_reached(domain, pattern) for pattern in grant.sources):
            # By domain too: the scopes of `iot-2` come before those of streams in `iot`.
            if after is not None and domain < domain_of(after):
                continue
            is_going_on = after is not None and domain == domain_of(after)
            first = max(start, asked[0], _next_after(after) if after is not None and is_going_on else "")
            last = min(end, asked[1])
            if first < last:
                yield domain, first, last


def _asked(domain: str, source_id: str | None) -> tuple[str, str]:
    """The scopes that are asked for, as the first and the end."""
    if source_id is None:
        return _everything(domain)
    return _beginning_with(f"{domain}/{source_id[:-1]}" if source_id.endswith(EVERYTHING) else f"{domain}/{source_id}/")


def _reached(domain: str, pattern: str) -> tuple[str, str]:
    """The scopes of all sources that a pattern may match, and those of templates for one that matches all."""
    if pattern == EVERYTHING:
        return _everything(domain)
    return _beginning_with(f"{domain}/{beginning_of(pattern)}" if is_pattern(pattern) else f"{domain}/{pattern}/")


def _everything(domain: str) -> tuple[str, str]:
    return of_domain(domain), _end_of(f"{domain}/")


def _beginning_with(text: str) -> tuple[str, str]:
    return text, _end_of(text)


def _merged(ranges: Iterator[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    covered = ""
    for start, end in sorted(ranges):
        if end > covered:
            yield max(start, covered), end
            covered = end


def _next_after(scope: str) -> str:
    """The first text that comes after a scope."""
    return f"{scope}\x00"


def _end_of(beginning: str) -> str:
    """The first text after all that have this beginning; no scope, for it has one slash at the most."""
    number = ord(beginning[-1]) + 1
    if number > _LAST_CHARACTER:
        return _end_of(beginning[:-1])
    return beginning[:-1] + chr(_SURROGATES.stop if number in _SURROGATES else number)
