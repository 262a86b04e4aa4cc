"""Client of the API of constraints."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

import msgspec

from afluente.application.constraints.changes import Effect
from afluente.application.constraints.documents import ConstraintEntry, address_of, entry_of
from afluente.application.constraints.scopes import domain_of, lookup_order, source_of
from afluente.domain.stream_keys import StreamKey
from cli.access.api_key import key_for
from cli.constraints.scopes import arguments_of
from cli.constraints.updates import Counts
from cli.core.api import Answered, Api, Query, RefusedError
from cli.core.errors import CommandError
from cli.core.target import Target

# A request has to be answered within 30 s, on a busy laptop too. One at a time: each in flight beside it would start
# another container.
_ENTRIES_AT_ONCE = 250
_PATH = "/constraints"
_PAGE = 500
_CHANGES = 100
_ALL = Query()

Entry = dict[str, Any]


class Change(msgspec.Struct, frozen=True):
    """A change of constraints in the history.

    Attributes:
        version: of the constraints since the change.
        kind: `put`, `delete` or `roll_back`.
        at: in Unix seconds.
        by: its author.
        constraints: an entry with the constraints since the change; None for none.
        restored: the earlier version that it restored.
    """

    version: int
    kind: str
    at: float
    by: str
    constraints: Entry | None
    restored: int | None = None


class _Result(msgspec.Struct, frozen=True):
    result: Effect


class _Applied(msgspec.Struct, frozen=True):
    results: tuple[_Result, ...]


class _Page(msgspec.Struct, frozen=True):
    constraints: tuple[Entry, ...]
    next: str | None


class _History(msgspec.Struct, frozen=True):
    changes: tuple[Change, ...]
    next: int | None


@contextmanager
def constraints_api(target: Target, key: str | None) -> "Iterator[ConstraintsApi]":
    """The constraints of a deployment, for the block.

    Args:
        target: the deployment.
        key: that the user gave.
    """
    with Api.of(target, key_for(target, key)) as api:
        yield ConstraintsApi(api)


class ConstraintsApi:
    """Reads and writes constraints over the HTTP API."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def apply(self, entries: Sequence[ConstraintEntry], on_written: Callable[[int], None]) -> Counts:
        """Write the entries that are new or differ.

        Args:
            entries: each scope once.
            on_written: called with the number of entries of each request that was accepted.

        Raises:
            CommandError: not all are written.
        """
        effects: list[Effect] = []
        for start in range(0, len(entries), _ENTRIES_AT_ONCE):
            try:
                its = self._apply(entries[start : start + _ENTRIES_AT_ONCE])
            except CommandError as error:
                raise _broken_off(error, len(effects), len(entries)) from None
            effects += its
            on_written(len(its))
        return Counts.of(effects)

    def get(self, scope: str) -> Entry:
        """The constraints of a scope as an entry with their version.

        Raises:
            CommandError: there are none; so for all that follow.
        """
        return self._ask_of(scope, "GET", "show the constraints", Entry)

    def effective(self, key: StreamKey, stream_type: str | None) -> tuple[str, Entry]:
        """The scope that a stream is classified by, and its entry.

        Args:
            key: of the stream.
            stream_type: that its points name, if they name one.

        Raises:
            CommandError: none of the scopes that apply has constraints.
        """
        scopes = lookup_order(key, stream_type)
        for scope in scopes:
            entry = self._find(scope)
            if entry is not None:
                return scope, entry
        raise CommandError(
            f"no constraints apply to {key}: there are none for {', '.join(scopes)}, so that its points are normal",
            hint="'afluente constraints apply FILE' writes some"
            + ("" if stream_type else "; say with --type which stream type its points name, if they name one"),
        )

    def _find(self, scope: str) -> Entry | None:
        path = f"{_PATH}/{domain_of(scope)}"
        try:
            return self._api.ask("GET", path, "show the constraints", Entry, Query(_address_in_query(scope)))
        except RefusedError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    def all_of(self, *, domain: str | None, source_id: str | None, stream_type: str | None) -> Iterator[Entry]:
        """All constraints within the reach of the key that match."""
        asked = {"domain": domain, "source_id": source_id, "stream_type": stream_type, "limit": _PAGE}
        following: str | None = None
        while True:
            query = Query(fields={**asked, "next": following})
            page = self._api.ask("GET", _PATH, "list the constraints", _Page, query)
            yield from page.constraints
            if page.next is None:
                return
            following = page.next

    def delete(self, scope: str, if_version: int | None) -> None:
        """Delete the constraints of a scope, if they are of the version."""
        query = Query(headers=_if_match(if_version))
        self._ask_of(scope, "DELETE", "delete the constraints", type(None), query)

    def history(self, scope: str, limit: int) -> list[Change]:
        """The newest changes of a scope, and one more where there is one."""
        found: list[Change] = []
        before: int | None = None
        while True:
            query = Query(fields={"limit": min(_CHANGES, limit + 1), "before": before})
            page = self._ask_of(scope, "GET", "show the history", _History, query, below="/history")
            found += page.changes
            if page.next is None or len(found) > limit:
                return found[: limit + 1]
            before = page.next

    def roll_back(self, scope: str, version: int, if_version: int | None) -> Entry:
        """Restore the constraints of an earlier version, if the current ones are of `if_version`."""
        query = Query(body={"version": version}, headers=_if_match(if_version))
        return self._ask_of(scope, "POST", "go back to the version", Entry, query, below="/rollback")

    def _apply(self, entries: Sequence[ConstraintEntry]) -> Sequence[Effect]:
        body = [entry_of(entry.scope, msgspec.to_builtins(entry.config)) for entry in entries]
        answer = self._api.ask("POST", _PATH, "take the constraints", _Applied, Query(body={"streams": body}))
        return [each.result for each in answer.results]

    def _ask_of(
        self, scope: str, method: str, what: str, kind: type[Answered], query: Query = _ALL, *, below: str = ""
    ) -> Answered:
        fields = {**_address_in_query(scope), **(query.fields or {})}
        path = f"{_PATH}/{domain_of(scope)}{below}"
        try:
            return self._api.ask(method, path, what, kind, Query(fields, query.body, query.headers))
        except RefusedError as error:
            arguments = arguments_of(scope)
            if error.status == HTTPStatus.NOT_FOUND and below == "/rollback":
                hint = f"'afluente constraints history {arguments}' shows which there are"
                raise CommandError(error.problem.text, hint=hint) from None
            if error.status == HTTPStatus.NOT_FOUND:
                hint = "'afluente constraints list' shows which are"
                raise CommandError(f"there are no constraints for {scope}", hint=hint) from None
            if error.status == HTTPStatus.PRECONDITION_FAILED:
                hint = f"'afluente constraints history {arguments}' shows who changed them, and how"
                raise CommandError(error.message, hint=hint) from None
            raise


def _address_in_query(scope: str) -> dict[str, str | int | None]:
    """The rest of a scope beside its domain: the query carries every character, a path does not."""
    if source_of(scope) is not None:
        key = StreamKey.parse(scope)
        return {"source_id": key.source_id, "stream_id": key.stream_id}
    return {"stream_type": address_of(scope).get("stream_type")}


def _broken_off(error: CommandError, applied: int, entries: int) -> CommandError:
    if not applied:
        return error
    message = f"{applied} of {entries} entries are applied; then {error.message}"
    hint = "the same command goes on: what is as the file says is not written again"
    return CommandError(message, hint=hint, code=error.code)


def _if_match(version: int | None) -> dict[str, str]:
    return {} if version is None else {"If-Match": f'"{version}"'}
