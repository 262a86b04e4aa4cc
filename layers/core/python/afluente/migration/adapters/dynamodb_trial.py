"""The trial in the table `migration`.

| `id` | `entry` | holds |
|---|---|---|
| `trial` | `settings` | the settings, and their `version` |
| `trial#events` | `{when}#{version}` | an event |
| `trial#counts` | `{step}` | the counts of a step, a number each |
| `trial#differences#{step}` | hash of stream and cause | the number of differences, and the first of them |
"""

import time
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import msgspec

from afluente.adapters.aws.calls import unavailable
from afluente.adapters.aws.dynamodb import Attributes, ConditionFailedError, conditional_write
from afluente.application.errors import UnavailableError
from afluente.migration.application.trial import (
    ADDED_MS_BOUNDS,
    NotedDifference,
    PointDifference,
    TrialCounts,
    TrialEvent,
    TrialSettings,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEPT_SECONDS = 90 * 24 * 3600
"""The time for which counts and differences are kept after the last of them; events stay."""

_SETTINGS: dict[str, Any] = {"id": {"S": "trial"}, "entry": {"S": "settings"}}
_EVENTS = "trial#events"
_COUNTS = "trial#counts"
_DIFFERENCES = "trial#differences#"
_COUNTED = ("points", "compared", "errors", "differences", "invocations")
_BUCKETS = tuple(f"added_{place:02}" for place in range(len(ADDED_MS_BOUNDS)))


class DynamoTrial:
    """Reads and writes the trial.

    Args:
        client: of DynamoDB.
        table: its name; partition key `id`, sort key `entry`, time to live `expires_at`.
        clock: in Unix seconds.
    """

    def __init__(self, client: "DynamoDBClient", table: str, *, clock: Callable[[], float] = time.time) -> None:
        self._client = client
        self._table = table
        self._clock = clock

    def settings(self) -> TrialSettings:
        item = self._get(_SETTINGS)
        try:
            return msgspec.json.decode(item["record"]["S"], type=TrialSettings) if item else TrialSettings()
        except (KeyError, msgspec.DecodeError) as error:
            # As if the table did not answer: points do not wait until somebody has mended the item.
            raise UnavailableError(f"{self._name}: the item trial/settings cannot be read: {error!r}") from error

    def save(self, settings: TrialSettings, event: TrialEvent) -> bool:
        item = {**_SETTINGS, **_encoded(settings), "version": {"N": str(settings.version)}}
        event_item = {"id": {"S": _EVENTS}, "entry": {"S": f"{event.at:020.6f}#{event.version:06}"}, **_encoded(event)}
        put: Any = {
            "TableName": self._table,
            "Item": item,
            "ConditionExpression": "version = :before OR (attribute_not_exists(id) AND :before = :none)",
            "ExpressionAttributeValues": {":before": {"N": str(settings.version - 1)}, ":none": {"N": "0"}},
        }
        try:
            with conditional_write(self._name):
                self._client.transact_write_items(
                    TransactItems=[{"Put": put}, {"Put": {"TableName": self._table, "Item": event_item}}]
                )
        except ConditionFailedError:
            return False
        return True

    def counts(self, step: int) -> TrialCounts:
        return _counts(self._get(_key_of_counts(step)))

    def add(self, counts: TrialCounts, *, step: int) -> TrialCounts:
        numbers = dict(zip(_BUCKETS, counts.added_ms, strict=True))
        numbers |= {name: getattr(counts, name) for name in _COUNTED}
        numbers = {name: number for name, number in numbers.items() if number}
        adding = f" ADD {', '.join(f'#{name} :{name}' for name in numbers)}" if numbers else ""
        with unavailable(self._name):
            answer = self._client.update_item(
                TableName=self._table,
                Key=_key_of_counts(step),
                UpdateExpression=f"SET #expires_at = :expires_at{adding}",
                ExpressionAttributeNames={f"#{name}": name for name in ("expires_at", *numbers)},
                ExpressionAttributeValues={
                    ":expires_at": self._expiry(),
                    **{f":{name}": {"N": str(number)} for name, number in numbers.items()},
                },
                ReturnValues="ALL_NEW",
            )
        return _counts(answer["Attributes"])

    def note(self, differences: Sequence[NotedDifference], *, step: int) -> None:
        for noted in differences:
            example = noted.example
            # A key may be longer than DynamoDB lets a sort key be.
            place = blake2b(f"{example.cause}#{example.stream}".encode(), digest_size=16).hexdigest()
            with unavailable(self._name):
                self._client.update_item(
                    TableName=self._table,
                    Key={"id": {"S": f"{_DIFFERENCES}{step}"}, "entry": {"S": place}},
                    UpdateExpression=(
                        "SET expires_at = :expires_at, #record = if_not_exists(#record, :record) ADD #count :count"
                    ),
                    ExpressionAttributeNames={"#record": "record", "#count": "count"},
                    ExpressionAttributeValues={
                        ":expires_at": self._expiry(),
                        ":record": _encoded(example)["record"],
                        ":count": {"N": str(noted.count)},
                    },
                )

    def differences(self, step: int) -> Iterator[NotedDifference]:
        for item in self._query(f"{_DIFFERENCES}{step}"):
            example = msgspec.json.decode(item["record"]["S"], type=PointDifference)
            yield NotedDifference(int(item["count"]["N"]), example)

    def events(self) -> Iterator[TrialEvent]:
        for item in self._query(_EVENTS, latest_first=True):
            yield msgspec.json.decode(item["record"]["S"], type=TrialEvent)

    @property
    def _name(self) -> str:
        return f"DynamoDB table {self._table}"

    def _expiry(self) -> dict[str, str]:
        return {"N": str(int(self._clock()) + KEPT_SECONDS)}

    def _get(self, key: dict[str, Any]) -> Attributes | None:
        with unavailable(self._name):
            return self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")

    def _query(self, partition: str, *, latest_first: bool = False) -> Iterator[Attributes]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            ConsistentRead=True,
            KeyConditionExpression="id = :id",
            ExpressionAttributeValues={":id": {"S": partition}},
            ScanIndexForward=not latest_first,
        )
        with unavailable(self._name):
            for page in pages:
                yield from page["Items"]


def _key_of_counts(step: int) -> dict[str, Any]:
    return {"id": {"S": _COUNTS}, "entry": {"S": str(step)}}


def _counts(item: Attributes | None) -> TrialCounts:
    if item is None:
        return TrialCounts()
    numbers = {name: int(item[name]["N"]) if name in item else 0 for name in (*_COUNTED, *_BUCKETS)}
    return TrialCounts(added_ms=tuple(numbers[name] for name in _BUCKETS), **{name: numbers[name] for name in _COUNTED})


def _encoded(thing: object) -> dict[str, Any]:
    return {"record": {"S": msgspec.json.encode(thing).decode()}}
