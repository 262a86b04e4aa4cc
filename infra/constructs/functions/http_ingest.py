"""The function that accepts points over HTTP, and requests about CSV files."""

from constructs import Construct

from infra.constructs.csv_inbox import INBOX_OBJECTS, REJECTS_OBJECTS
from infra.constructs.data_stores import DataStores
from infra.constructs.edge import FrontSecrets
from infra.constructs.functions.capabilities import (
    accept_points,
    keep_csv_jobs,
    limit_rates,
    look_up_sensors,
    require_front,
)
from infra.constructs.functions.service_function import GATEWAY_TIMEOUT, ServiceFunction, flag
from infra.constructs.layers import Layers
from infra.stage import Stage


class HttpIngest(ServiceFunction):
    """Answers the routes of points, of legacy packets where the stage has them, and of CSV files and their jobs."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        stage: Stage,
        data: DataStores,
        layers: Layers,
        front_secrets: FrontSecrets | None,
    ) -> None:
        super().__init__(
            scope,
            id_,
            stage=stage,
            package="http_ingest",
            layers=layers.common,
            timeout=GATEWAY_TIMEOUT,
            key=data.encryption.key,
        )
        self.configure({"AFLUENTE_ENABLE_AGNOSTIC_API": flag(stage.enable_agnostic_api)})
        accept_points(self, stage, data)
        limit_rates(self, stage, data)
        self._legacy_clients(stage, data)
        self._csv_files(stage, data)
        if front_secrets is not None:
            require_front(self, front_secrets)

    def _legacy_clients(self, stage: Stage, data: DataStores) -> None:
        self.configure(
            {
                "AFLUENTE_ENABLE_LEGACY_API": flag(stage.enable_legacy_api),
                "AFLUENTE_OLD_CLIENTS_DEPRECATED_ON": stage.old_clients_deprecated_on.isoformat(),
                "AFLUENTE_OLD_CLIENTS_SUNSET_ON": str(stage.old_clients_sunset_on or ""),
                "AFLUENTE_OLD_CLIENTS_GUIDE_URL": stage.old_clients_guide_url or "",
            }
        )
        look_up_sensors(self, data, enabled=stage.takes_packets)

    def _csv_files(self, stage: Stage, data: DataStores) -> None:
        """Put an upload into the inbox; let a client fetch rejected rows, and look at jobs."""
        self.configure({"AFLUENTE_ENABLE_CSV_INGEST": flag(stage.enable_csv_ingest)})
        if not stage.enable_csv_ingest:
            keep_csv_jobs(self, stage, data, [])
            return
        bucket = data.csv_files.bucket
        self.allow_objects(["s3:PutObject", "s3:AbortMultipartUpload"], bucket, INBOX_OBJECTS)
        self.allow_objects(["s3:GetObject"], bucket, REJECTS_OBJECTS)
        keep_csv_jobs(
            self, stage, data, ["dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
        )
        self.allow(["dynamodb:Query"], data.tables.csv_jobs_by_domain_arn)
