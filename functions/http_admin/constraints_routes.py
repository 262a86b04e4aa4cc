"""Routes of constraints: read, write and delete them, one or many; look at their history, and go back in it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from afluente.adapters.http.answers import Answer, document
from afluente.adapters.http.constraints import (
    OF_HISTORY,
    Conditions,
    cannot_hold,
    changes,
    conditions_of,
    constraints,
    decode_entries,
    decode_entry,
    decode_history_query,
    decode_listing,
    decode_version,
    etag_of,
    listing,
    not_there,
    precondition_failed,
    reached_scope,
)
from afluente.adapters.http.requests import RequestError
from afluente.adapters.http.routes import CONSTRAINTS_ROUTES as ROUTES
from afluente.application.access.grants import Grant
from afluente.application.constraints.changes import UnknownVersionError, apply, roll_back
from afluente.application.constraints.documents import address_of
from afluente.application.constraints.listing import list_constraints
from afluente.application.constraints.ports import ConstraintsCatalogue, StaleConstraintsError
from afluente.domain.constraints import VersionedConfig
from afluente.domain.faults import FaultyError
from afluente.runtime.http_admin import HttpAdmin
from afluente.runtime.http_function import Event
from afluente.runtime.observability import LogCode, logger


def _list(event: Event, grant: Grant, function: HttpAdmin) -> Answer:
    query, after = decode_listing(event, grant)
    catalogue = _catalogue(function, grant)
    page = list_constraints(catalogue, query, after=after, domains=function.settings.domains, grant=grant)
    return listing(page, query, grant)


def _apply(event: Event, grant: Grant, function: HttpAdmin) -> Answer:
    entries = decode_entries(event, grant)
    applied = apply(_catalogue(function, grant), entries)
    _log(event, grant, "apply", len(applied))
    results = [{**address_of(its.scope), "result": its.effect, "version": its.version} for its in applied]
    return document(200, {"results": results})


def _get(event: Event, grant: Grant, function: HttpAdmin) -> Answer:
    scope = reached_scope(event, grant)
    conditions = conditions_of(event["headers"])
    found = _present(_catalogue(function, grant), scope)
    if found is None:
        raise not_there(scope)
    if not conditions.match_holds(found):
        raise precondition_failed(scope, found)
    if conditions.tells_known(found):
        return Answer(304, "", {"etag": etag_of(found.version)})
    return constraints(scope, found)


def _put(event: Event, grant: Grant, function: HttpAdmin) -> Answer:
    scope = reached_scope(event, grant)
    conditions = conditions_of(event["headers"])
    config = decode_entry(event, scope).config
    catalogue = _catalogue(function, grant)
    with _changing(catalogue, scope, conditions) as (present, expected_version):
        if present is not None and present.config == config:
            return constraints(scope, present)
        version = catalogue.put(scope, config, expected_version=expected_version)
    _log(event, grant, "put")
    return constraints(scope, VersionedConfig(config, version), status=201 if present is None else 200)


def _delete(event: Event, grant: Grant, function: HttpAdmin) -> Answer:
    scope = reached_scope(event, grant)
    conditions = conditions_of(event["headers"])
    catalogue = _catalogue(function, grant)
    with _changing(catalogue, scope, conditions) as (_, expected_version):
        if not catalogue.delete(scope, expected_version=expected_version):
            raise not_there(scope)
    _log(event, grant, "delete")
    return Answer(204, "")


def _history(event: Event, grant: Grant, function: HttpAdmin) -> Answer:
    scope = reached_scope(event, grant, beside=OF_HISTORY)
    query = decode_history_query(event)
    found = _catalogue(function, grant).history(scope, before=query.before, limit=query.limit)
    if not found and query.before is None:
        raise not_there(scope)
    return changes(scope, found, query)


def _roll_back(event: Event, grant: Grant, function: HttpAdmin) -> Answer:
    scope = reached_scope(event, grant)
    conditions = conditions_of(event["headers"])
    version = decode_version(event)
    catalogue = _catalogue(function, grant)
    try:
        with _changing(catalogue, scope, conditions) as (_, expected_version):
            restored = roll_back(catalogue, scope, version, expected_version=expected_version)
    except UnknownVersionError:
        detail = f"the history has no version {version} of {scope}; GET it to see which there are"
        raise RequestError(404, "not_found", detail) from None
    except FaultyError as error:
        raise cannot_hold(scope, version, error.faults) from None
    _log(event, grant, "roll_back")
    return constraints(scope, restored)


def _catalogue(function: HttpAdmin, grant: Grant) -> ConstraintsCatalogue:
    return function.constraints(f"key:{grant.key_id}")


def _present(catalogue: ConstraintsCatalogue, scope: str) -> VersionedConfig | None:
    return catalogue.fetch([scope]).get(scope)


@contextmanager
def _changing(
    catalogue: ConstraintsCatalogue, scope: str, conditions: Conditions
) -> Iterator[tuple[VersionedConfig | None, int | None]]:
    """A change on conditions that hold before it and while it is written: what is there, and the version to expect.

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


def _log(event: Event, grant: Grant, kind: str, entries: int = 1) -> None:
    logger().info(
        "constraints changed",
        code=LogCode.CONSTRAINTS_CHANGED,
        request_id=event["requestContext"]["requestId"],
        key_id=grant.key_id,
        kind=kind,
        entries=entries,
    )


_BY_METHOD = {"GET": _get, "PUT": _put, "DELETE": _delete}

CONSTRAINTS_ROUTES: dict[str, Callable[[Event, Grant, HttpAdmin], Answer]] = {
    "GET /constraints": _list,
    "POST /constraints": _apply,
    **{route.key: _BY_METHOD[route.method] for route in ROUTES if route.path.endswith("}")},
    **{route.key: _history for route in ROUTES if route.path.endswith("/history")},
    **{route.key: _roll_back for route in ROUTES if route.path.endswith("/rollback")},
}
