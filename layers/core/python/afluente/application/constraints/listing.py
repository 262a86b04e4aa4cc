"""The constraints within a caller's reach, in pages.

Scopes beyond it are not fetched, so neither the duration nor the size of a page reveals them.
"""

from collections.abc import Collection, Iterator, Sequence
from hashlib import blake2b

import msgspec

from afluente.application.access.grants import EVERYTHING, Action, Grant, beginning_of, is_pattern
from afluente.application.constraints.ports import ConstraintsCatalogue
from afluente.application.constraints.scopes import domain_of, of_domain, source_of
from afluente.domain.constraints import StreamConfig, VersionedConfig

MAX_PAGE = 500
"""Quota of constraints on a page."""

# Scopes of one read, and reads for one page; then the page is returned, full or not.
_READ_SIZE = 500
_MAX_READS = 10
_LAST_CHARACTER = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)


class ConstraintsQuery(msgspec.Struct, frozen=True):
    """A query for constraints.

    Attributes:
        domain: of the scopes; None for any.
        source_id: the source of streams, or the beginning of source ids and a star; None for any, templates included.
        stream_type: of the constraints; None for any.
        limit: size of the page, 1 to `MAX_PAGE`.
    """

    domain: str | None = None
    source_id: str | None = None
    stream_type: str | None = None
    limit: int = 100

    def missing(self, grant: Grant) -> str | None:
        """The missing scope for the domain or source that the query names; None if both are within reach."""
        missing = grant.missing_action(Action.CONSTRAINTS)
        if missing is None and self.domain is not None:
            missing = grant.missing_domain(self.domain)
        if missing is None and self.source_id is not None and not self.source_id.endswith(EVERYTHING):
            anywhere = msgspec.structs.replace(grant, domains=(EVERYTHING,))
            missing = anywhere.missing_source(self.domain or "", self.source_id)
        return missing

    def matches(self, config: StreamConfig) -> bool:
        """True if the query selects constraints of a scope that it selects."""
        return self.stream_type in {None, config.stream_type}


class ConstraintsPage(msgspec.Struct, frozen=True):
    """A page of constraints, in the order of their scopes.

    Attributes:
        found: at most `limit`, and perhaps fewer though more follow.
        after: the scope after which the next page begins; None on the last page.
    """

    found: tuple[tuple[str, VersionedConfig], ...]
    after: str | None


def list_constraints(
    catalogue: ConstraintsCatalogue,
    query: ConstraintsQuery,
    *,
    after: str | None,
    domains: Collection[str],
    grant: Grant,
) -> ConstraintsPage:
    """A page of the constraints within a caller's reach.

    Args:
        catalogue: the constraints.
        query: selects constraints, with no name beyond the caller's reach.
        after: end of the page before; None for the first page.
        domains: the open domains, for a caller who reaches all of them.
        grant: of the caller.

    Raises:
        UnavailableError: the store does not answer.
    """
    found: list[tuple[str, VersionedConfig]] = []
    reached: str | None = None
    for reads, scopes in enumerate(_reads(catalogue, query, after, domains, grant), start=1):
        visible = [scope for scope in scopes if missing_for(grant, scope) is None]
        configs = catalogue.fetch(visible)
        for scope in visible:
            reached = scope
            if scope in configs and query.matches(configs[scope].config):
                found.append((scope, configs[scope]))
            if len(found) == query.limit:
                return ConstraintsPage(tuple(found), scope)
        # Few scopes match: leave the rest to the next page, which begins after a scope within the caller's reach.
        if reads >= _MAX_READS and reached is not None:
            return ConstraintsPage(tuple(found), reached)
    return ConstraintsPage(tuple(found), None)


def missing_for(grant: Grant, scope: str) -> str | None:
    """The missing scope of a grant for constraints; those of a template need the whole domain."""
    source_id, domain = source_of(scope), domain_of(scope)
    if source_id is None:
        return grant.missing_for_all_of(Action.CONSTRAINTS, domain)
    return grant.missing(Action.CONSTRAINTS, domain, source_id)


def digest_of(query: ConstraintsQuery, grant: Grant) -> str:
    """A digest of query and key, which binds the next page to both."""
    bound = msgspec.json.encode((query.domain, query.source_id, query.stream_type, grant.key_id))
    return blake2b(bound, digest_size=8).hexdigest()


def _reads(
    catalogue: ConstraintsCatalogue,
    query: ConstraintsQuery,
    after: str | None,
    domains: Collection[str],
    grant: Grant,
) -> Iterator[Sequence[str]]:
    """The scopes that the query may select, in order, one batch a read."""
    for domain, first, end in _ranges(query, after, domains, grant):
        start = first
        while True:
            scopes = catalogue.scopes(domain, start=start, end=end, limit=_READ_SIZE)
            yield scopes
            if len(scopes) < _READ_SIZE:
                break
            start = _next_after(scopes[-1])


def _ranges(
    query: ConstraintsQuery, after: str | None, domains: Collection[str], grant: Grant
) -> Iterator[tuple[str, str, str]]:
    """Domain, first scope and end of each range to read, in order and without overlaps."""
    reached = domains if EVERYTHING in grant.domains else grant.domains
    for domain in sorted({query.domain} if query.domain is not None else set(reached)):
        selected = _selected(domain, query.source_id)
        for start, end in _merged(_reached(domain, pattern) for pattern in grant.sources):
            # By domain, not by scope alone: the scopes of `iot-2` sort before those of streams in `iot`.
            if after is not None and domain < domain_of(after):
                continue
            is_going_on = after is not None and domain == domain_of(after)
            first = max(start, selected[0], _next_after(after) if after is not None and is_going_on else "")
            last = min(end, selected[1])
            if first < last:
                yield domain, first, last


def _selected(domain: str, source_id: str | None) -> tuple[str, str]:
    """The range of scopes that a query selects."""
    if source_id is None:
        return _everything(domain)
    return _beginning_with(f"{domain}/{source_id[:-1]}" if source_id.endswith(EVERYTHING) else f"{domain}/{source_id}/")


def _reached(domain: str, pattern: str) -> tuple[str, str]:
    """The range of scopes that a pattern of sources may match; templates belong to the one that matches all."""
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
    """The first string after a scope."""
    return f"{scope}\x00"


def _end_of(beginning: str) -> str:
    """The first string after all with this beginning; it is no scope, since it has at most one slash."""
    number = ord(beginning[-1]) + 1
    if number > _LAST_CHARACTER:
        return _end_of(beginning[:-1])
    return beginning[:-1] + chr(_SURROGATES.stop if number in _SURROGATES else number)
