"""The CSV loader: the function that makes jobs of new files, and packs of their rows."""

from aws_cdk import Duration
from constructs import Construct

from infra.constructs.csv_inbox import INBOX_OBJECTS, REJECTS_OBJECTS
from infra.constructs.data_stores import DataStores
from infra.constructs.functions.capabilities import accept_points, keep_csv_jobs, limit_rates, pace_bulk
from infra.constructs.functions.service_function import RECEIVE_AND_RETRY, ServiceFunction
from infra.constructs.layers import Layers
from infra.stage import Stage

# New files that are announced together; each becomes a job, none is read.
_INBOX_BATCH_SIZE = 10
# A job may take all the time that the function has.
_JOBS_BATCH_SIZE = 1
_MEGABYTE = 1024 * 1024


class CsvTrigger(ServiceFunction):
    """Consumes the inbox of CSV files and the queue of their jobs; there with CSV off too, for jobs under way."""

    def __init__(self, scope: Construct, id_: str, *, stage: Stage, data: DataStores, layers: Layers) -> None:
        super().__init__(
            scope,
            id_,
            stage=stage,
            package="csv_trigger",
            layers=layers.csv_loader,
            timeout=Duration.seconds(stage.csv_timeout_seconds),
            key=data.encryption.key,
        )
        accept_points(self, stage, data)
        limit_rates(self, stage, data)
        self._uploads(data)
        pace_bulk(self, data, ["dynamodb:GetItem", "dynamodb:UpdateItem"])
        self._files(data)
        self._jobs(stage, data)
        reserved = stage.reserved_concurrency.of("csv_trigger")
        self.consume(
            "Inbox",
            data.csv_inbox.queue,
            RECEIVE_AND_RETRY,
            batch_size=_INBOX_BATCH_SIZE,
            # What is left of the reservation by jobs, so that no poll is throttled.
            max_concurrency=reserved and reserved - stage.csv_concurrency,
        )
        self.consume(
            "Jobs",
            data.csv_jobs.queue,
            RECEIVE_AND_RETRY,
            batch_size=_JOBS_BATCH_SIZE,
            max_concurrency=stage.csv_concurrency,
        )

    def _uploads(self, data: DataStores) -> None:
        """Look up whether the keys of an upload are still valid."""
        self.configure({"AFLUENTE_ACCESS_TABLE": data.tables.access.table_name})
        self.allow(["dynamodb:GetItem"], data.tables.access.table_arn)

    def _files(self, data: DataStores) -> None:
        """Read files with their options, and keep the rows that were rejected."""
        bucket = data.csv_files.bucket
        # Without it a file of options that is not there would be 403 and not 404.
        self.allow(["s3:ListBucket"], bucket.bucket_arn)
        self.allow_objects(["s3:GetObject", "s3:GetObjectVersion"], bucket, INBOX_OBJECTS)
        self.allow_objects(["s3:GetObject", "s3:PutObject"], bucket, REJECTS_OBJECTS)

    def _jobs(self, stage: Stage, data: DataStores) -> None:
        """Write down the progress of each job, and queue the parts of large ones."""
        keep_csv_jobs(
            self, stage, data, ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"]
        )
        self.configure(
            {
                "AFLUENTE_CSV_INBOX_QUEUE_URL": data.csv_inbox.queue.queue_url,
                "AFLUENTE_CSV_JOBS_QUEUE_URL": data.csv_jobs.queue.queue_url,
                "AFLUENTE_CSV_HELD_SECONDS": str(stage.csv_held_seconds),
                "AFLUENTE_CSV_SPLIT_BYTES": str(stage.csv_split_megabytes * _MEGABYTE),
                "AFLUENTE_CSV_PARTS": str(stage.csv_parts),
                "AFLUENTE_CSV_TENANT_CONCURRENCY": str(stage.csv_tenant_share),
                "AFLUENTE_CSV_TIMEOUT_SECONDS": str(stage.csv_timeout_seconds),
            }
        )
        self.allow(["sqs:SendMessage"], data.csv_jobs.queue.queue_arn)
