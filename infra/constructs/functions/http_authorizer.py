"""The function that authenticates requests for API Gateway."""

import json

import msgspec
from aws_cdk import Duration
from constructs import Construct

from infra.constructs.data_stores import DataStores
from infra.constructs.functions.capabilities import check_keys
from infra.constructs.functions.service_function import ServiceFunction
from infra.constructs.layers import Layers
from infra.limits import DEFAULT_LIMITS
from infra.stage import Stage

_TIMEOUT = Duration.seconds(5)
_NO_LIMIT = msgspec.structs.replace(DEFAULT_LIMITS.refused_keys, per_second=0.0)


class HttpAuthorizer(ServiceFunction):
    """Checks the key of a request, and refuses an address that tries too many."""

    def __init__(self, scope: Construct, id_: str, *, stage: Stage, data: DataStores, layers: Layers) -> None:
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
        # Behind a front, which limits addresses itself, the authorizer would see no address but the front's.
        limit = _NO_LIMIT if stage.enable_waf else stage.limits.refused_keys
        self.configure({"AFLUENTE_LIMITS": json.dumps({"refused_keys": msgspec.to_builtins(limit)})})
