"""Capabilities that several functions share: each sets its variables, and allows what they are for."""

import json
from collections.abc import Sequence

import msgspec

from infra.constructs.data_stores import DataStores
from infra.constructs.edge import FrontSecrets
from infra.constructs.functions.service_function import ServiceFunction
from infra.constructs.quarantine import QUARANTINED_OBJECTS
from infra.stage import Stage


def accept_points(function: ServiceFunction, stage: Stage, data: DataStores) -> None:
    """Queue packs for the classifier; quarantine what cannot be accepted."""
    function.configure(
        {
            "AFLUENTE_DOMAINS": ",".join(stage.domains),
            "AFLUENTE_SHARDS": str(stage.shards),
            "AFLUENTE_DATAPOINTS_QUEUE_URL": data.datapoints.queue.queue_url,
            # A record of one point is a call of its own: so many are done in time.
            **({"AFLUENTE_MAX_PACK_POINTS": "500"} if stage.one_point_a_record else {}),
        }
    )
    function.allow(["sqs:SendMessage"], data.datapoints.queue.queue_arn)
    quarantine_records(function, data)


def quarantine_records(function: ServiceFunction, data: DataStores) -> None:
    """Write rejected records into the quarantine."""
    function.configure({"AFLUENTE_QUARANTINE_BUCKET": data.quarantine.bucket.bucket_name})
    function.allow_objects(["s3:PutObject"], data.quarantine.bucket, QUARANTINED_OBJECTS)


def limit_rates(function: ServiceFunction, stage: Stage, data: DataStores) -> None:
    """Admit requests and points within the limits of the stage."""
    limits = msgspec.to_builtins(stage.limits)
    function.configure(
        {
            "AFLUENTE_LIMITS": json.dumps({name: limits[name] for name in ("ip", "key", "source", "csv")}),
            "AFLUENTE_LIMITS_FAIL": stage.limits_fail,
            "AFLUENTE_LIMITS_TABLE": data.tables.limits.table_name,
        }
    )
    function.allow(["dynamodb:GetItem", "dynamodb:PutItem"], data.tables.limits.table_arn)


def check_keys(function: ServiceFunction, data: DataStores) -> None:
    """Look keys up by their peppered hashes, and write down when one was last used."""
    function.configure(
        {
            "AFLUENTE_ACCESS_TABLE": data.tables.access.table_name,
            "AFLUENTE_KEY_USES_TABLE": data.tables.key_uses.table_name,
            "AFLUENTE_KEY_PEPPER_SECRET": data.key_pepper.secret.secret_arn,
        }
    )
    function.allow(["dynamodb:GetItem"], data.tables.access.table_arn)
    function.allow(["dynamodb:GetItem", "dynamodb:PutItem"], data.tables.key_uses.table_arn)
    function.allow(["secretsmanager:GetSecretValue"], data.key_pepper.secret.secret_arn)


def keep_csv_jobs(function: ServiceFunction, stage: Stage, data: DataStores, actions: Sequence[str]) -> None:
    """Do the actions to the table of CSV jobs; a job is kept as long as its file."""
    function.configure(
        {
            "AFLUENTE_CSV_BUCKET": data.csv_files.bucket.bucket_name,
            "AFLUENTE_CSV_JOBS_TABLE": data.tables.csv_jobs.table_name,
            "AFLUENTE_CSV_JOB_RETENTION_DAYS": str(stage.quarantine_retention_days),
        }
    )
    if actions:
        function.allow(actions, data.tables.csv_jobs.table_arn)


def pace_bulk(function: ServiceFunction, data: DataStores, actions: Sequence[str]) -> None:
    """Do the actions to the slots by which packs of CSV files are paced."""
    function.configure({"AFLUENTE_CSV_SLOTS_TABLE": data.tables.csv_slots.table_name})
    function.allow(actions, data.tables.csv_slots.table_arn)


def look_up_sensors(function: ServiceFunction, data: DataStores, *, enabled: bool = True) -> None:
    """Find the sensors of legacy readings in their directory; the function knows the table in any case."""
    function.configure({"AFLUENTE_MIGRATION_TABLE": data.tables.migration.table_name})
    if enabled:
        function.allow(["dynamodb:BatchGetItem"], data.tables.migration.table_arn)


def require_front(function: ServiceFunction, secrets: FrontSecrets) -> None:
    """Serve requests alone that came through the front."""
    function.configure({"AFLUENTE_FRONT_SECRETS": ",".join(secrets.arns)})
    function.allow(["secretsmanager:GetSecretValue"], *secrets.arns)
