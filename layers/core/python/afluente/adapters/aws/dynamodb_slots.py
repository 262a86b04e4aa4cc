"""Slots in DynamoDB: one item a group, with the lease of each slot."""

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from afluente.adapters.aws.calls import unavailable
from afluente.adapters.aws.dynamodb import Attributes, ConditionFailedError, conditional_write
from afluente.application.errors import UnavailableError
from afluente.application.ingest.ports import HeldSlot

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# Each but the last fails since another holder wrote in between, or since leases expired.
_ATTEMPTS = 5


class DynamoSlots:
    """Slots of groups in a table: one write to acquire, one to release, and a read to find that none is free.

    Args:
        client: of DynamoDB.
        table: its name; partition key `group`.
        limit: slots of a group.
        lease_seconds: time after which a slot expires.
        clock: Unix seconds.
    """

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        *,
        limit: int,
        lease_seconds: float,
        clock: Callable[[], float],
    ) -> None:
        self._client = client
        self._table = table
        self._dependency = f"DynamoDB table {table}"
        self._limit = limit
        self._lease_seconds = lease_seconds
        self._clock = clock
        # Groups that had no free slot when last seen: a read costs a fifth of a write that fails.
        self._full: set[str] = set()

    def acquire(self, group: str, token: str) -> HeldSlot | None:
        item = self._read(group) if group in self._full else None
        for _ in range(_ATTEMPTS):
            now = self._clock()
            leases = _leases(item)
            expired = [other for other, until in leases.items() if until <= now and other != token]
            if token not in leases and len(leases) - len(expired) >= self._limit:
                self._full.add(group)
                return None
            self._full.discard(group)
            try:
                return self._take(group, token, now, expired, leases)
            except ConditionFailedError as error:
                item = error.item
                if item is None:
                    self._begin(group)
        raise UnavailableError(f"{self._dependency}: the slots of {group} are contended")

    def release(self, group: str, token: str, sequence_number: int) -> None:
        try:
            with conditional_write(self._dependency):
                self._client.update_item(
                    TableName=self._table,
                    Key=_key(group),
                    UpdateExpression="REMOVE leases.#token SET released_through = :number",
                    ConditionExpression="attribute_exists(leases)",
                    ExpressionAttributeNames={"#token": token},
                    ExpressionAttributeValues={":number": {"N": str(sequence_number)}},
                )
        except ConditionFailedError:
            return  # Nobody ever acquired a slot of the group here.

    def _take(self, group: str, token: str, now: float, expired: Collection[str], leases: dict[str, float]) -> HeldSlot:
        """Hold a slot, in place of expired ones; fails if one of those was renewed."""
        names = {"#token": token}
        values: dict[str, Any] = {
            ":until": {"N": str(now + self._lease_seconds)},
            ":size": {"N": str(self._limit + len(expired))},
        }
        update = "SET leases.#token = :until"
        conditions = ["attribute_exists(leases)", "(attribute_exists(leases.#token) OR size(leases) < :size)"]
        for place, other in enumerate(expired):
            names[f"#expired{place}"] = other
            values[f":expired{place}"] = {"N": str(leases[other])}
            conditions.append(f"leases.#expired{place} = :expired{place}")
        if expired:
            update += f" REMOVE {', '.join(f'leases.#expired{place}' for place in range(len(expired)))}"
        with conditional_write(self._dependency):
            answer = self._client.update_item(
                TableName=self._table,
                Key=_key(group),
                UpdateExpression=update,
                ConditionExpression=" AND ".join(conditions),
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=values,
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        return HeldSlot(int(answer["Attributes"].get("released_through", {"N": "0"})["N"]))

    def _begin(self, group: str) -> None:
        """Make the item of a group that has none: a lease can be put into a map that is there alone."""
        with unavailable(self._dependency):
            self._client.update_item(
                TableName=self._table,
                Key=_key(group),
                UpdateExpression="SET leases = if_not_exists(leases, :empty)",
                ExpressionAttributeValues={":empty": {"M": {}}},
            )

    def _read(self, group: str) -> Attributes | None:
        with unavailable(self._dependency):
            answer = self._client.get_item(TableName=self._table, Key=_key(group), ConsistentRead=True)
        return answer.get("Item")


def _key(group: str) -> dict[str, dict[str, str]]:
    return {"group": {"S": group}}


def _leases(item: Attributes | None) -> dict[str, float]:
    return {token: float(until["N"]) for token, until in (item or {}).get("leases", {}).get("M", {}).items()}
