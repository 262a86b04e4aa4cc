"""The DynamoDB tables: constraints and their history, states, keys and tenants, connections, CSV files, migration."""

from typing import Any

from aws_cdk.aws_dynamodb import (
    Attribute,
    AttributeType,
    BillingMode,
    PointInTimeRecoverySpecification,
    ProjectionType,
    Table,
    TableEncryption,
)
from aws_cdk.aws_kms import IKey
from constructs import Construct

from infra.capacity import TARGET_UTILIZATION_PERCENT, TableCapacity
from infra.checks import acknowledge
from infra.constructs import lifetime
from infra.stage import Stage

CONSTRAINTS_BY_DOMAIN = "by-domain"
"""The index of the constraints of a domain, by their scope."""

JOBS_BY_DOMAIN = "by-domain"
"""The index of the jobs of a domain, the newest last."""


class Tables(Construct):
    """Tables, encrypted with the key of the stage or the one that DynamoDB manages in the account.

    They are on demand, but for those that the stage provisions.
    """

    def __init__(self, scope: Construct, id_: str, *, stage: Stage, key: IKey | None) -> None:
        super().__init__(scope, id_)
        self._stage = stage
        self._encryption_key = key
        self._capacities: dict[str, TableCapacity] = {str(name): its for name, its in stage.table_capacity.items()}
        self.constraints = self._table("StreamConstraints", "stream-constraints", partition_key="key")
        self.constraints.add_global_secondary_index(
            index_name=CONSTRAINTS_BY_DOMAIN,
            partition_key=Attribute(name="domain", type=AttributeType.STRING),
            sort_key=Attribute(name="key", type=AttributeType.STRING),
            # A change of constraints changes neither: the index is written when they are created or deleted.
            projection_type=ProjectionType.KEYS_ONLY,
        )
        self.constraint_history = self._table(
            "ConstraintHistory",
            "constraint-history",
            partition_key="key",
            sort_key=Attribute(name="version", type=AttributeType.NUMBER),
        )
        self.latest = self._table(
            "StreamLatest",
            "stream-latest",
            partition_key="source",
            sort_key=Attribute(name="bucket", type=AttributeType.NUMBER),
            # Of counts of failed tries; states stay.
            expiry="expires_at",
        )
        self.access = self._table("Access", "access", partition_key="id")
        # Apart from the keys, which no function may write.
        self.key_uses = self._table("KeyUses", "key-uses", partition_key="id")
        self.connections = self._table("WsConnections", "ws-connections", partition_key="id", expiry="expires_at")
        self.csv_jobs = self._table("CsvJobs", "csv-jobs", partition_key="job_id", expiry="expires_at")
        self.csv_jobs.add_global_secondary_index(
            index_name=JOBS_BY_DOMAIN,
            partition_key=Attribute(name="domain", type=AttributeType.STRING),
            sort_key=Attribute(name="created_at", type=AttributeType.NUMBER),
            # Jobs change all the time, the keys never: a copy of no more than these is written once.
            projection_type=ProjectionType.KEYS_ONLY,
        )
        self.csv_slots = self._table("CsvSlots", "csv-slots", partition_key="group")
        self.migration = self._table(
            "Migration",
            "migration",
            partition_key="id",
            sort_key=Attribute(name="entry", type=AttributeType.STRING),
            expiry="expires_at",
        )
        self.limits = self._table("Limits", "limits", partition_key="subject", expiry="expires_at")

    @property
    def constraints_by_domain_arn(self) -> str:
        return f"{self.constraints.table_arn}/index/{CONSTRAINTS_BY_DOMAIN}"

    @property
    def csv_jobs_by_domain_arn(self) -> str:
        return f"{self.csv_jobs.table_arn}/index/{JOBS_BY_DOMAIN}"

    def _table(
        self, id_: str, name: str, *, partition_key: str, sort_key: Attribute | None = None, expiry: str | None = None
    ) -> Table:
        table = Table(
            self,
            id_,
            table_name=f"{self._stage.prefix}-{name}",
            partition_key=Attribute(name=partition_key, type=AttributeType.STRING),
            sort_key=sort_key,
            time_to_live_attribute=expiry,
            **self._billing(name),
            encryption=TableEncryption.AWS_MANAGED
            if self._encryption_key is None
            else TableEncryption.CUSTOMER_MANAGED,
            encryption_key=self._encryption_key,
            point_in_time_recovery_specification=PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=self._stage.point_in_time_recovery
            ),
            deletion_protection=self._stage.deletion_protection,
            removal_policy=lifetime.of_data(self._stage),
        )
        _follow_load(table, self._capacities.get(name))
        if not self._stage.point_in_time_recovery:
            acknowledge(
                table,
                "AwsSolutions-DDB3",
                "The stage says that its data need not be recovered (point_in_time_recovery = false).",
            )
        return table

    def _billing(self, name: str) -> dict[str, Any]:
        capacity = self._capacities.get(name)
        if capacity is None:
            return {"billing_mode": BillingMode.PAY_PER_REQUEST}
        return {
            "billing_mode": BillingMode.PROVISIONED,
            "write_capacity": capacity.write_units,
            "read_capacity": capacity.read_units,
        }


def _follow_load(table: Table, capacity: TableCapacity | None) -> None:
    """Let the provisioned units of a table follow its load, where the stage gives a range."""
    ranges = []
    if capacity is not None and capacity.max_write_units is not None:
        ranges.append(
            table.auto_scale_write_capacity(min_capacity=capacity.write_units, max_capacity=capacity.max_write_units)
        )
    if capacity is not None and capacity.max_read_units is not None:
        ranges.append(
            table.auto_scale_read_capacity(min_capacity=capacity.read_units, max_capacity=capacity.max_read_units)
        )
    for range_ in ranges:
        range_.scale_on_utilization(target_utilization_percent=TARGET_UTILIZATION_PERCENT)
