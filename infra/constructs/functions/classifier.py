"""The function that classifies the packs of the queue."""

import json

from aws_cdk import ArnFormat, Duration, Stack
from constructs import Construct

from infra.constructs.alarm_bus import LOG_STREAM
from infra.constructs.data_stores import DataStores
from infra.constructs.functions.capabilities import pace_bulk, quarantine_records
from infra.constructs.functions.service_function import (
    MAX_FIFO_BATCH,
    RECEIVE_AND_RETRY,
    ServiceFunction,
    flag,
)
from infra.constructs.layers import Layers
from infra.stage import Stage


class Classifier(ServiceFunction):
    """Consumes packs; writes points to the streams of their classes, and alarms to their bus and log."""

    def __init__(self, scope: Construct, id_: str, *, stage: Stage, data: DataStores, layers: Layers) -> None:
        super().__init__(
            scope,
            id_,
            stage=stage,
            package="classifier",
            layers=layers.classifier,
            timeout=Duration.seconds(stage.classifier_timeout_seconds),
            key=data.encryption.key,
        )
        if stage.reads_legacy_tables:
            self._legacy_tables(stage, data)
        self._packs(stage, data)
        self._constraints(stage, data)
        self._states(stage, data)
        self._streams(stage, data)
        self._alarms(data)
        quarantine_records(self, data)
        # Releases the slots of packs that it has classified.
        pace_bulk(self, data, ["dynamodb:UpdateItem"])

    def _packs(self, stage: Stage, data: DataStores) -> None:
        queue = data.datapoints.queue
        dead_letters = data.datapoints.dead_letter_queue
        self.configure(
            {
                # For the retry backoff of packs that have to wait.
                "AFLUENTE_DATAPOINTS_QUEUE_URL": queue.queue_url,
                "AFLUENTE_DATAPOINTS_DLQ_URL": dead_letters.queue_url,
            }
        )
        self.allow(["sqs:SendMessage"], dead_letters.queue_arn)
        self.consume(
            "Datapoints",
            queue,
            RECEIVE_AND_RETRY,
            batch_size=MAX_FIFO_BATCH,
            # No more polls than executions: none of them is throttled.
            max_concurrency=stage.reserved_concurrency.of("classifier"),
        )

    def _constraints(self, stage: Stage, data: DataStores) -> None:
        self.configure(
            {
                "AFLUENTE_USE_AGNOSTIC_CONSTRAINTS": flag(stage.use_agnostic_constraints),
                "AFLUENTE_CONSTRAINTS_TTL_SECONDS": str(stage.constraints_ttl_seconds),
                "AFLUENTE_CONSTRAINTS_TABLE": data.tables.constraints.table_name,
            }
        )
        self.allow(["dynamodb:BatchGetItem"], data.tables.constraints.table_arn)

    def _states(self, stage: Stage, data: DataStores) -> None:
        self.configure(
            {
                "AFLUENTE_LATEST_TABLE": data.tables.latest.table_name,
                "AFLUENTE_STREAMS_PER_SOURCE": str(stage.streams_per_source),
                "AFLUENTE_COMPACT_STATES": flag(stage.compact_states),
            }
        )
        self.allow(
            # The last is for the counts of failed tries.
            ["dynamodb:BatchGetItem", "dynamodb:Query", "dynamodb:PutItem", "dynamodb:UpdateItem"],
            data.tables.latest.table_arn,
        )

    def _streams(self, stage: Stage, data: DataStores) -> None:
        streams = data.streams
        self.configure(
            {
                "AFLUENTE_RECORD_FORMAT": "point" if stage.one_point_a_record else stage.record_format,
                "AFLUENTE_STREAM_ALERT": streams.alert.stream_name,
                "AFLUENTE_STREAM_WARNING": streams.warning.stream_name,
                "AFLUENTE_STREAM_ANOMALY": streams.anomaly.stream_name,
                "AFLUENTE_STREAM_NORMAL": streams.normal.stream_name,
            }
        )
        self.allow(["kinesis:PutRecords"], *(stream.stream_arn for stream in streams.all))

    def _alarms(self, data: DataStores) -> None:
        alarms = data.alarms
        self.configure(
            {
                "AFLUENTE_ALARM_BUS": alarms.bus.event_bus_name,
                "AFLUENTE_ALARM_LOG_GROUP": alarms.log_group.log_group_name,
                "AFLUENTE_ALARM_LOG_STREAM": LOG_STREAM,
            }
        )
        self.allow(["events:PutEvents"], alarms.bus.event_bus_arn)
        self.allow(["logs:PutLogEvents"], alarms.log_stream_arn(self))

    def _legacy_tables(self, stage: Stage, data: DataStores) -> None:
        """Read the database of the legacy service, and keep the trial of the new classifier."""
        secret = str(stage.old_sql_secret)
        migration = data.tables.migration
        self.configure({"AFLUENTE_OLD_SQL_SECRET": secret, "AFLUENTE_MIGRATION_TABLE": migration.table_name})
        if stage.old_sql_tables:
            self.configure({"AFLUENTE_OLD_SQL_TABLES": json.dumps(stage.old_sql_tables)})
        # Encrypted with a key of whoever made it, not with the one of the stage.
        self.allow(["secretsmanager:GetSecretValue"], self._secret_arn(secret), with_key=False)
        self.allow(["dynamodb:GetItem", "dynamodb:UpdateItem", "dynamodb:PutItem"], migration.table_arn)
        if stage.old_sql_subnet_ids:
            self.attach(stage.old_sql_subnet_ids, stage.old_sql_security_group_ids)

    def _secret_arn(self, secret: str) -> str:
        """The ARN of a secret that is given by name or ARN."""
        if secret.startswith("arn:"):
            return secret
        return Stack.of(self).format_arn(
            service="secretsmanager",
            resource="secret",
            # Six characters that Secrets Manager adds to the name.
            resource_name=f"{secret}-??????",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
