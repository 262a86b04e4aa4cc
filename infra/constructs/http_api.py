"""The HTTP API: its routes, the check of keys, and the log of calls."""

from collections.abc import Mapping
from typing import cast

from aws_cdk import Duration
from aws_cdk.aws_apigatewayv2 import (
    CfnStage,
    HttpApi,
    HttpMethod,
    HttpNoneAuthorizer,
    HttpRoute,
    HttpRouteKey,
    HttpStage,
    IHttpRouteAuthorizer,
    ThrottleSettings,
)
from aws_cdk.aws_apigatewayv2_authorizers import HttpLambdaAuthorizer, HttpLambdaResponseType
from aws_cdk.aws_apigatewayv2_integrations import HttpLambdaIntegration
from aws_cdk.aws_kms import IKey
from aws_cdk.aws_lambda import IFunction
from constructs import Construct

from afluente.adapters.http.client_address import FRONT_HEADER
from afluente.adapters.http.routes import ROUTES
from infra.checks import acknowledge
from infra.constructs.access_log import WITHOUT_ACCESS_LOG, access_log_settings
from infra.stage import Stage

AUTHORIZER_TTL = Duration.seconds(30)
"""API Gateway caches an answer of the authorizer so long: with the authorizer's own cache, a revoked key is accepted
for less than a minute."""

# One JSON object a call. The caller's key is no part of it.
_ACCESS_LOG = {
    "requestId": "$context.requestId",
    "requestTime": "$context.requestTime",
    "routeKey": "$context.routeKey",
    "status": "$context.status",
    "sourceIp": "$context.identity.sourceIp",
    "userAgent": "$context.identity.userAgent",
    "responseLength": "$context.responseLength",
    "responseLatency": "$context.responseLatency",
    "integrationLatency": "$context.integrationLatency",
    "integrationError": "$context.integrationErrorMessage",
    "authorizerError": "$context.authorizer.error",
}


class ServiceApi(Construct):
    """An HTTP API whose functions answer requests without a route too, so that every error has one form.

    Args:
        functions: those that answer, by their package.
        authorizer: identifies the caller.
        key: encrypts the access log.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        stage: Stage,
        functions: Mapping[str, IFunction],
        authorizer: IFunction,
        key: IKey | None,
    ) -> None:
        super().__init__(scope, id_)
        self.api = HttpApi(self, "Api", api_name=f"{stage.prefix}-http", create_default_stage=False)
        self.stage = self._stage(stage, key)
        integrations = {
            package: HttpLambdaIntegration(_in_camel_case(package), function) for package, function in functions.items()
        }
        key_authorizer = HttpLambdaAuthorizer(
            "ApiKey",
            authorizer,
            authorizer_name=f"{stage.prefix}-api-key",
            response_types=[HttpLambdaResponseType.SIMPLE],
            identity_source=_identity(stage),
            results_cache_ttl=AUTHORIZER_TTL,
        )
        for route in ROUTES:
            if route.flag is not None and not getattr(stage, route.flag):
                continue
            route_key = HttpRouteKey.with_(route.path, HttpMethod(route.method))
            integration = integrations[route.function]
            if route.action is None:
                self._open_route(route.name, route_key, integration, route.open_because)
            else:
                self._route(route.name, route_key, integration, key_authorizer)
        self._open_route(
            "Default",
            HttpRouteKey.DEFAULT,
            integrations["http_ingest"],
            "Answers 404, 405 or 410 and reads nothing: without it such a call would get another form of answer.",
        )

    def _stage(self, stage: Stage, key: IKey | None) -> HttpStage:
        api_stage = HttpStage(
            self,
            "Stage",
            http_api=self.api,
            stage_name="$default",
            auto_deploy=True,
            throttle=ThrottleSettings(rate_limit=stage.requests_per_second, burst_limit=2 * stage.requests_per_second),
        )
        resource = cast("CfnStage", api_stage.node.default_child)
        if stage.access_log:
            resource.access_log_settings = access_log_settings(self, stage, "http", _ACCESS_LOG, key=key)
        else:
            acknowledge(api_stage, "AwsSolutions-APIG1", WITHOUT_ACCESS_LOG)
        return api_stage

    def _open_route(self, id_: str, key: HttpRouteKey, integration: HttpLambdaIntegration, reason: str) -> None:
        acknowledge(self._route(id_, key, integration, HttpNoneAuthorizer()), "AwsSolutions-APIG4", reason)

    def _route(
        self, id_: str, key: HttpRouteKey, integration: HttpLambdaIntegration, authorizer: IHttpRouteAuthorizer
    ) -> HttpRoute:
        return HttpRoute(self, id_, http_api=self.api, route_key=key, integration=integration, authorizer=authorizer)


def _identity(stage: Stage) -> list[str]:
    """Headers by which an answer of the authorizer is cached; a request that lacks one is refused by API Gateway.

    With a front, its secret is one of them: what is answered to a request that bypassed it applies to no other.
    """
    front = [f"$request.header.{FRONT_HEADER}"] if stage.enable_waf else []
    return ["$request.header.X-API-Key", *front]


def _in_camel_case(package: str) -> str:
    return "".join(part.capitalize() for part in package.split("_"))
