"""The function that manages constraints and shows alarms, and the documents of the API."""

from constructs import Construct

from infra.constructs.data_stores import DataStores
from infra.constructs.edge import FrontSecrets
from infra.constructs.functions.capabilities import limit_rates, require_front
from infra.constructs.functions.service_function import GATEWAY_TIMEOUT, ServiceFunction
from infra.constructs.layers import Layers
from infra.stage import Stage

_MEMORY_MB = 1_024


class HttpAdmin(ServiceFunction):
    """Answers the routes of constraints, alarms and documentation."""

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
            package="http_admin",
            layers=layers.http_admin,
            timeout=GATEWAY_TIMEOUT,
            key=data.encryption.key,
        )
        self.configure({"AFLUENTE_DOMAINS": ",".join(stage.domains)})
        limit_rates(self, stage, data)
        self._alarms(data)
        self._constraints(data)
        if front_secrets is not None:
            require_front(self, front_secrets)

    def _alarms(self, data: DataStores) -> None:
        log_group = data.alarms.log_group
        self.configure({"AFLUENTE_ALARM_LOG_GROUP": log_group.log_group_name})
        self.allow(["logs:FilterLogEvents"], log_group.log_group_arn)

    def _constraints(self, data: DataStores) -> None:
        tables = data.tables
        self.configure(
            {
                "AFLUENTE_CONSTRAINTS_TABLE": tables.constraints.table_name,
                "AFLUENTE_CONSTRAINT_HISTORY_TABLE": tables.constraint_history.table_name,
            }
        )
        # A change and its entry in the history are one transaction, which asks for the rights of its parts.
        self.allow(["dynamodb:BatchGetItem", "dynamodb:UpdateItem"], tables.constraints.table_arn)
        self.allow(["dynamodb:Query"], tables.constraints_by_domain_arn)
        self.allow(["dynamodb:PutItem", "dynamodb:Query"], tables.constraint_history.table_arn)
