"""Routes of constraints: read, write and delete them, one or many; show their history, and roll back in it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from afluente.adapters.http.answers import Answer, document
from afluente.adapters.http.conditions import Conditions, conditions_of, etag_of
from afluente.adapters.http.constraint_bodies import decode_entries, decode_entry, decode_version
from afluente.adapters.http.constraint_queries import (
    OF_HISTORY,
    decode_history_query,
    decode_listing,
    reached_scope,
)
from afluente.adapters.http.constraints import (
    cannot_hold,
    changes,
    constraints,
    listing,
    not_there,
    precondition_failed,
)
from afluente.adapters.http.errors import RequestError
from afluente.application.constraints.changes import UnknownVersionError, apply, roll_back
from afluente.application.constraints.documents import address_of
from afluente.application.constraints.listing import list_constraints
from afluente.application.constraints.ports import ConstraintsCatalogue, StaleConstraintsError
from afluente.domain.constraints import VersionedConfig
from afluente.domain.faults import FaultyError
from afluente.runtime.core.observability import LogCode, logger
from afluente.runtime.http_admin import HttpAdmin
from afluente.runtime.http_request import Request


def _list(request: Request, function: HttpAdmin) -> Answer:
    query, after = decode_listing(request.event, request.grant)
    catalogue = _catalogue(request, function)
    page = list_constraints(catalogue, query, after=after, domains=function.settings.domains, grant=request.grant)
    return listing(page, query, request.grant)


def _apply(request: Request, function: HttpAdmin) -> Answer:
    entries = decode_entries(request.event, request.grant)
    applied = apply(_catalogue(request, function), entries)
    _log(request, "apply", len(applied))
    results = [{**address_of(its.scope), "result": its.effect, "version": its.version} for its in applied]
    return document(200, {"results": results})


def _get(request: Request, function: HttpAdmin) -> Answer:
    scope = reached_scope(request.event, request.grant)
    conditions = conditions_of(request.headers)
    found = _present(_catalogue(request, function), scope)
    if found is None:
        raise not_there(scope)
    if not conditions.match_holds(found):
        raise precondition_failed(scope, found)
    if conditions.is_known(found):
        return Answer(304, "", {"etag": etag_of(found.version)})
    return constraints(scope, found)


def _put(request: Request, function: HttpAdmin) -> Answer:
    scope = reached_scope(request.event, request.grant)
    conditions = conditions_of(request.headers)
    config = decode_entry(request.event, scope).config
    catalogue = _catalogue(request, function)
    with _changing(catalogue, scope, conditions) as (present, expected_version):
        if present is not None and present.config == config:
            return constraints(scope, present)
        version = catalogue.put(scope, config, expected_version=expected_version)
    _log(request, "put")
    return constraints(scope, VersionedConfig(config, version), status=201 if present is None else 200)


def _delete(request: Request, function: HttpAdmin) -> Answer:
    scope = reached_scope(request.event, request.grant)
    conditions = conditions_of(request.headers)
    catalogue = _catalogue(request, function)
    with _changing(catalogue, scope, conditions) as (_, expected_version):
        if not catalogue.delete(scope, expected_version=expected_version):
            raise not_there(scope)
    _log(request, "delete")
    return Answer(204, "")


def _history(request: Request, function: HttpAdmin) -> Answer:
    scope = reached_scope(request.event, request.grant, beside=OF_HISTORY)
    query = decode_history_query(request.event)
    found = _catalogue(request, function).history(scope, before=query.before, limit=query.limit)
    if not found and query.before is None:
        raise not_there(scope)
    return changes(scope, found, query)


def _roll_back(request: Request, function: HttpAdmin) -> Answer:
    scope = reached_scope(request.event, request.grant)
    conditions = conditions_of(request.headers)
    version = decode_version(request.event)
    catalogue = _catalogue(request, function)
    try:
        with _changing(catalogue, scope, conditions) as (_, expected_version):
            restored = roll_back(catalogue, scope, version, expected_version=expected_version)
    except UnknownVersionError:
        detail = f"the history has no version {version} of {scope}; GET it to see which there are"
        raise RequestError(404, "not_found", detail) from None
    except FaultyError as error:
        raise cannot_hold(scope, version, error.faults) from None
    _log(request, "roll_back")
    return constraints(scope, restored)


def _catalogue(request: Request, function: HttpAdmin) -> ConstraintsCatalogue:
    return function.constraints(f"key:{request.grant.key_id}")


def _present(catalogue: ConstraintsCatalogue, scope: str) -> VersionedConfig | None:
    return catalogue.fetch([scope]).get(scope)


@contextmanager
def _changing(
    catalogue: ConstraintsCatalogue, scope: str, conditions: Conditions
) -> Iterator[tuple[VersionedConfig | None, int | None]]:
    """Hold the conditions of a change, before it and while it is written.

    Yields:
        The present constraints, and the version to expect of them.

    Raises:
        RequestError: 412, they do not.
    """
    present = _present(catalogue, scope)
    if not conditions.hold(present):
        raise precondition_failed(scope, present)
    expected_version = (present.version if present else 0) if conditions.are_given else None
    try:
        yield present, expected_version
    except StaleConstraintsError:
        raise precondition_failed(scope, _present(catalogue, scope)) from None


def _log(request: Request, kind: str, entries: int = 1) -> None:
    logger().info(
        "constraints changed",
        code=LogCode.CONSTRAINTS_CHANGED,
        request_id=request.id,
        key_id=request.grant.key_id,
        kind=kind,
        entries=entries,
    )


CONSTRAINTS_ROUTES: Mapping[str, Callable[[Request, HttpAdmin], Answer]] = {
    "ListConstraints": _list,
    "ApplyConstraints": _apply,
    "GetConstraints": _get,
    "PutConstraints": _put,
    "DeleteConstraints": _delete,
    "GetConstraintsHistory": _history,
    "RollBackConstraints": _roll_back,
    "GetConstraintsTemplate": _get,
    "PutConstraintsTemplate": _put,
    "DeleteConstraintsTemplate": _delete,
    "GetConstraintsTemplateHistory": _history,
    "RollBackConstraintsTemplate": _roll_back,
}
