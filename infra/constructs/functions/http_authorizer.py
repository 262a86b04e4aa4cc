"""The function that authenticates requests for API Gateway."""

import json

import msgspec
from aws_cdk import Duration
from constructs import Construct

from infra.constructs.data_stores import DataStores
from infra.constructs.edge import FrontSecrets
from infra.constructs.functions.capabilities import check_keys, require_front
from infra.constructs.functions.service_function import ServiceFunction
from infra.constructs.layers import Layers
from infra.stage import Stage

_TIMEOUT = Duration.seconds(5)


class HttpAuthorizer(ServiceFunction):
    """Checks the key of a request, and refuses an address that tries too many."""

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
            package="http_authorizer",
            layers=layers.common,
            timeout=_TIMEOUT,
            key=data.encryption.key,
        )
        check_keys(self, data)
        limit = msgspec.to_builtins(stage.limits.refused_keys)
        self.configure({"AFLUENTE_LIMITS": json.dumps({"refused_keys": limit})})
        if front_secrets is not None:
            # Which shows the address of the client: the gateway sees the front's alone.
            require_front(self, front_secrets)
