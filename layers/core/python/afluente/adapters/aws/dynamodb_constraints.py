"""Constraints in DynamoDB: one item a scope, the constraints as JSON; and one item a change, the history."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

import msgspec

from afluente.adapters.aws.calls import in_chunks, unavailable
from afluente.adapters.aws.dynamodb import MAX_BATCH_GET, Attributes, ConditionFailedError, batch_get, conditional_write
from afluente.adapters.aws.side_by_side import side_by_side
from afluente.application.constraints.history import ChangeKind, ConstraintsChange
from afluente.application.constraints.ports import StaleConstraintsError
from afluente.application.constraints.scopes import domain_of
from afluente.application.errors import UnavailableError
from afluente.domain.constraints import Baseline, StreamConfig, VersionedConfig

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

BY_DOMAIN = "by-domain"
"""The index of the scopes of a domain that have constraints."""

# TransactWriteItems quota: 100 actions; a change is two, the constraints and their entry in the history.
_CHANGES_AT_ONCE = 50
_LANES = 8

# Waits before the attempts of a change that lost to another writer.
_DELAYS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8)

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(StreamConfig)
_baseline_decoder = msgspec.json.Decoder(Baseline)


class DynamoConstraints:
    """The store of constraints, for reading.

    Args:
        client: of DynamoDB.
        table: its name; partition key `key`, the scope.
        sleep: waits between attempts.
        consistent: True for strongly consistent reads, which writers need. Eventually consistent ones cost half, and
            the classifier's cache delays a change anyway.
        executor: reads many scopes side by side; without one, one call after the other.
    """

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        *,
        sleep: Callable[[float], None] = time.sleep,
        consistent: bool = False,
        executor: Executor | None = None,
    ) -> None:
        self._client = client
        self._table = table
        self._sleep = sleep
        self._consistent = consistent
        self._executor = executor

    def fetch(self, scopes: Iterable[str]) -> Mapping[str, VersionedConfig]:
        items = self._items(scopes, consistent=self._consistent)
        return dict(_decode(item) for item in items if _has_constraints(item))

    def _items(self, scopes: Iterable[str], *, consistent: bool) -> Iterator[Attributes]:
        keys = [_key(scope) for scope in scopes]
        read = partial(batch_get, self._client, self._table, consistent=consistent, sleep=self._sleep)
        if self._executor is None:
            return read(keys)
        chunks = list(in_chunks(keys, MAX_BATCH_GET))
        found = side_by_side(self._executor, lambda chunk: list(read(chunk)), chunks, lanes=_LANES)
        return chain.from_iterable(found)


class _Change(msgspec.Struct, frozen=True):
    """A change of the constraints of a scope; without config, their deletion."""

    scope: str
    config: StreamConfig | None
    baseline: Baseline | None = None
    expected: int | None = None
    restored: int | None = None

    @property
    def kind(self) -> ChangeKind:
        if self.config is None:
            return ChangeKind.DELETE
        return ChangeKind.PUT if self.restored is None else ChangeKind.ROLL_BACK


class _Step(msgspec.Struct, frozen=True):
    """A change with the version it was found at, 0 for none, and its new one."""

    change: _Change
    before: int
    after: int


class DynamoConstraintsCatalogue(DynamoConstraints):
    """The catalogue of constraints, in the name of one author.

    The item of a scope outlives its constraints, so that versions continue after a deletion.

    Args:
        client: of DynamoDB.
        table: of the constraints; partition key `key`, the scope, with the index `by-domain` (`domain`, `key`).
        history: the table of changes; partition key `key`, sort key `version`.
        by: the author of changes.
        sleep: waits between attempts.
        clock: gives the time in Unix seconds.
    """

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        history: str,
        *,
        by: str,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(client, table, sleep=sleep, consistent=True)
        self._history = history
        self._by = by
        self._clock = clock

    def put(
        self,
        scope: str,
        config: StreamConfig,
        *,
        baseline: Baseline | None = None,
        expected_version: int | None = None,
        restored: int | None = None,
    ) -> int:
        step = None
        change = _Change(scope, config, baseline, expected_version, restored)
        # With an expected version nothing has to be read, if it is right.
        if expected_version is not None:
            step = _Step(change, expected_version, expected_version + 1)
        return self._carry_out(change, step) or 0

    def put_all(self, configs: Sequence[tuple[str, StreamConfig]]) -> Sequence[int]:
        return [
            version
            for chunk in in_chunks([_Change(scope, config) for scope, config in configs], _CHANGES_AT_ONCE)
            for version in self._carry_out_together(chunk)
        ]

    def changed_at(self, scope: str) -> float | None:
        item = self._found([scope]).get(scope)
        return float(item["changed_at"]["N"]) if item and _has_constraints(item) and "changed_at" in item else None

    def delete(self, scope: str, *, expected_version: int | None = None) -> bool:
        return self._carry_out(_Change(scope, None, expected=expected_version), None) is not None

    def list(self) -> Iterator[tuple[str, VersionedConfig]]:
        with unavailable(f"DynamoDB table {self._table}"):
            for page in self._client.get_paginator("scan").paginate(TableName=self._table, ConsistentRead=True):
                yield from (_decode(item) for item in page["Items"] if _has_constraints(item))

    def scopes(self, domain: str, *, start: str, end: str, limit: int) -> Sequence[str]:
        with unavailable(f"DynamoDB table {self._table}"):
            answer = self._client.query(
                TableName=self._table,
                IndexName=BY_DOMAIN,
                KeyConditionExpression="#domain = :domain AND #key BETWEEN :start AND :end",
                ExpressionAttributeNames={"#domain": "domain", "#key": "key"},
                ExpressionAttributeValues={
                    ":domain": {"S": domain},
                    ":start": {"S": start},
                    ":end": {"S": end},
                },
                Limit=limit,
            )
        return [item["key"]["S"] for item in answer["Items"]]

    def history(self, scope: str, *, before: int | None = None, limit: int) -> Sequence[ConstraintsChange]:
        condition = "#key = :key" if before is None else "#key = :key AND #version < :before"
        names = {"#key": "key"} if before is None else {"#key": "key", "#version": "version"}
        values = {":key": {"S": scope}} if before is None else {":key": {"S": scope}, ":before": {"N": str(before)}}
        with unavailable(f"DynamoDB table {self._history}"):
            answer = self._client.query(
                TableName=self._history,
                KeyConditionExpression=condition,
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=values,
                ScanIndexForward=False,
                ConsistentRead=True,
                Limit=limit,
            )
        return [_decode_change(item) for item in answer["Items"]]

    def _carry_out_together(self, changes: Sequence[_Change]) -> Sequence[int]:
        """Make changes in one transaction; if one of them loses to another writer, each by itself."""
        found = self._found([change.scope for change in changes])
        versions = [_version(found.get(change.scope)) for change in changes]
        steps = [_Step(change, version, version + 1) for change, version in zip(changes, versions, strict=True)]
        if self._commit(steps):
            return [step.after for step in steps]
        return [self._carry_out(change, None) or 0 for change in changes]

    def _carry_out(self, change: _Change, guess: _Step | None) -> int | None:
        """Make a change; returns the new version, or None for a deletion of no constraints.

        Args:
            change: the change.
            guess: its step, if the stored version is the expected one.
        """
        if guess is not None and self._commit([guess]):
            return guess.after
        for attempt, delay in enumerate(_DELAYS):
            self._sleep(delay)
            item = self._found([change.scope]).get(change.scope)
            exists = item is not None and _has_constraints(item)
            before = _version(item)
            if change.config is None and not exists:
                return None
            if change.expected not in {None, before if exists else 0}:
                raise StaleConstraintsError(change.scope)
            last = self._last_version(change.scope) if guess or attempt else 0
            step = _Step(change, before, max(before, last) + 1)
            if self._commit([step]):
                return step.after
        raise UnavailableError(f"DynamoDB table {self._table}: others change the constraints of {change.scope}")

    def _last_version(self, scope: str) -> int:
        """The last version in the history, which is newer than the item after a recovery of the table."""
        return max((change.version for change in self.history(scope, limit=1)), default=0)

    def _found(self, scopes: Sequence[str]) -> dict[str, Attributes]:
        return {item["key"]["S"]: item for item in self._items(scopes, consistent=True)}

    def _commit(self, steps: Sequence[_Step]) -> bool:
        """Write all steps or none; False if another writer was faster.

        Raises:
            UnavailableError: DynamoDB does not answer.
        """
        now = {"N": f"{self._clock():.6f}"}
        actions = [action for step in steps for action in (self._update(step, now), self._entry(step, now))]
        try:
            with conditional_write(f"DynamoDB tables {self._table} and {self._history}"):
                # The SDK gives the request a token, so that a retry changes nothing.
                self._client.transact_write_items(TransactItems=actions)
        except ConditionFailedError:
            return False
        return True

    def _update(self, step: _Step, now: dict[str, str]) -> Any:
        change = step.change
        fields: dict[str, dict[str, str]] = {"version": {"N": str(step.after)}, "changed_at": now}
        removal = " REMOVE config, baseline, #domain"
        if change.config is not None:
            removal = ""
            fields |= {"config": _text(change.config), "domain": {"S": domain_of(change.scope)}}
            if change.baseline is not None:
                # As text: a number of DynamoDB has a smaller range than a double.
                fields["baseline"] = _text(change.baseline)
        values = {f":{name}": value for name, value in fields.items()}
        condition = "attribute_not_exists(#version)"
        if step.before:
            values[":before"] = {"N": str(step.before)}
            condition = "#version = :before" + (" AND attribute_exists(config)" if change.expected else "")
        return {
            "Update": {
                "TableName": self._table,
                "Key": _key(change.scope),
                "UpdateExpression": f"SET {', '.join(f'#{name} = :{name}' for name in fields)}{removal}",
                "ConditionExpression": condition,
                "ExpressionAttributeNames": {f"#{name}": name for name in (*fields, "domain")},
                "ExpressionAttributeValues": values,
            }
        }

    def _entry(self, step: _Step, now: dict[str, str]) -> Any:
        change = step.change
        item = {
            **_key(change.scope),
            "version": {"N": str(step.after)},
            "kind": {"S": change.kind.value},
            "at": now,
            "by": {"S": self._by},
        }
        if change.config is not None:
            item["config"] = _text(change.config)
        if change.restored is not None:
            item["restored"] = {"N": str(change.restored)}
        return {
            "Put": {
                "TableName": self._history,
                "Item": item,
                "ConditionExpression": "attribute_not_exists(#key)",
                "ExpressionAttributeNames": {"#key": "key"},
            }
        }


def _key(scope: str) -> dict[str, dict[str, str]]:
    return {"key": {"S": scope}}


def _has_constraints(item: Attributes) -> bool:
    return "config" in item


def _version(item: Attributes | None) -> int:
    return int(item["version"]["N"]) if item else 0


def _text(value: StreamConfig | Baseline) -> dict[str, str]:
    return {"S": _encoder.encode(value).decode()}


def _decode(item: Attributes) -> tuple[str, VersionedConfig]:
    baseline = _baseline_decoder.decode(item["baseline"]["S"]) if "baseline" in item else None
    config = _decoder.decode(item["config"]["S"])
    return item["key"]["S"], VersionedConfig(config, int(item["version"]["N"]), baseline)


def _decode_change(item: Attributes) -> ConstraintsChange:
    return ConstraintsChange(
        version=int(item["version"]["N"]),
        kind=ChangeKind(item["kind"]["S"]),
        at=float(item["at"]["N"]),
        by=item["by"]["S"],
        config=msgspec.json.decode(item["config"]["S"]) if "config" in item else None,
        restored=int(item["restored"]["N"]) if "restored" in item else None,
    )
