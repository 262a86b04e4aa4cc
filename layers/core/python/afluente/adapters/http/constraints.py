"""Answers about constraints."""

from collections.abc import Sequence
from typing import Any

import msgspec

from afluente.adapters.http.answers import Answer, document
from afluente.adapters.http.conditions import etag_of
from afluente.adapters.http.constraint_queries import HistoryQuery, location_of, page_token
from afluente.adapters.http.errors import RequestError, sentence
from afluente.application.access.grants import Grant
from afluente.application.constraints.documents import (
    address_of,
    entry_of,
)
from afluente.application.constraints.history import ConstraintsChange
from afluente.application.constraints.listing import ConstraintsPage, ConstraintsQuery
from afluente.domain.constraints import VersionedConfig
from afluente.domain.faults import Fault


def constraints(scope: str, found: VersionedConfig, *, status: int = 200) -> Answer:
    """The answer with constraints, and their version as its entity tag."""
    headers = {"etag": etag_of(found.version)}
    if status == 201:  # noqa: PLR2004 - created
        headers["location"] = location_of(scope)
    return document(status, _shown(scope, found), headers)


def listing(page: ConstraintsPage, query: ConstraintsQuery, grant: Grant) -> Answer:
    """The answer with a page of constraints."""
    following = None if page.after is None else page_token(page.after, query, grant)
    return document(200, {"constraints": [_shown(scope, found) for scope, found in page.found], "next": following})


def changes(scope: str, found: Sequence[ConstraintsChange], query: HistoryQuery) -> Answer:
    """The answer with a page of a history."""
    shown = [
        {
            "version": change.version,
            "kind": change.kind,
            "at": change.at,
            "by": change.by,
            **({} if change.restored is None else {"restored": change.restored}),
            "constraints": None if change.config is None else entry_of(scope, change.config),
        }
        for change in found
    ]
    following = found[-1].version if len(found) == query.limit and found[-1].version > 1 else None
    return document(200, {**address_of(scope), "changes": shown, "next": following})


def not_there(scope: str) -> RequestError:
    """The error of a scope without constraints, for a caller who reaches it."""
    detail = f"there are no constraints for {scope}; GET /constraints lists those there are"
    return RequestError(404, "not_found", detail)


def precondition_failed(scope: str, present: VersionedConfig | None) -> RequestError:
    """The error of a request whose condition does not hold, with the present version."""
    if present is None:
        detail = f"there are no constraints for {scope}, and the request is for some that are there"
        return RequestError(412, "precondition_failed", detail, current_version=None)
    detail = (
        f"the constraints of {scope} are of version {present.version} now, which is not what the request is for; GET "
        "them, change what you find, and send its ETag as If-Match"
    )
    headers = {"etag": etag_of(present.version)}
    return RequestError(412, "precondition_failed", detail, headers=headers, current_version=present.version)


def cannot_hold(scope: str, version: int, faults: Sequence[Fault]) -> RequestError:
    """The error of a version that cannot be in force again: the rules for constraints have changed since."""
    detail = f"version {version} of {scope} cannot be in force again: " + sentence(faults)
    return RequestError(409, "version_cannot_hold", detail, errors=faults)


def _shown(scope: str, found: VersionedConfig) -> dict[str, Any]:
    return {**entry_of(scope, msgspec.to_builtins(found.config)), "version": found.version}
