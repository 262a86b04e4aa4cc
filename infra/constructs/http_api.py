"""The HTTP API: which route asks for a key, and what is written down of each call."""

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
from aws_cdk.aws_lambda import IFunction
from constructs import Construct

from infra.checks import acknowledge
from infra.constructs.access_log import access_log_settings
from infra.stage import Stage

CSV_ROUTES = {
    "CreateCsvJob": ("/ingest/csv", HttpMethod.POST),
    "CreateCsvUpload": ("/ingest/csv/uploads", HttpMethod.POST),
    "RenewCsvUpload": ("/ingest/csv/{job_id}/upload", HttpMethod.POST),
    "ListCsvJobs": ("/ingest/csv", HttpMethod.GET),
    "GetCsvJob": ("/ingest/csv/{job_id}", HttpMethod.GET),
    "CancelCsvJob": ("/ingest/csv/{job_id}", HttpMethod.DELETE),
}

AUTHORIZER_TTL = Duration.seconds(60)
"""How long a revoked key may still be taken."""

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


class IngestApi(Construct):
    """An HTTP API whose answers come from `handler`, where no route matches too: so every error has one form."""

    def __init__(self, scope: Construct, id_: str, *, stage: Stage, handler: IFunction, authorizer: IFunction) -> None:
        super().__init__(scope, id_)
        self.api = HttpApi(self, "Api", api_name=f"{stage.prefix}-http", create_default_stage=False)
        self.stage = self._stage(stage)
        self._integration = HttpLambdaIntegration("Handler", handler)
        key_authorizer = HttpLambdaAuthorizer(
            "ApiKey",
            authorizer,
            authorizer_name=f"{stage.prefix}-api-key",
            response_types=[HttpLambdaResponseType.SIMPLE],
            identity_source=["$request.header.X-API-Key"],
            results_cache_ttl=AUTHORIZER_TTL,
        )
        if stage.enable_agnostic_api:
            self._route("IngestDatapoints", HttpRouteKey.with_("/ingest/datapoints", HttpMethod.POST), key_authorizer)
        if stage.takes_packets:
            self._route("IngestPackets", HttpRouteKey.with_("/ingest/packets", HttpMethod.POST), key_authorizer)
        if stage.enable_csv_ingest:
            for name, (path, method) in CSV_ROUTES.items():
                self._route(name, HttpRouteKey.with_(path, method), key_authorizer)
        self._open_route(
            "Health",
            HttpRouteKey.with_("/health", HttpMethod.GET),
            "Says that the service answers, nothing about its data: load balancers and people ask without a key.",
        )
        self._open_route(
            "Default",
            HttpRouteKey.DEFAULT,
            "Answers 404, 405 or 410 and reads nothing: without it such a call would get another form of answer.",
        )

    def _stage(self, stage: Stage) -> HttpStage:
        api_stage = HttpStage(
            self,
            "Stage",
            http_api=self.api,
            stage_name="$default",
            auto_deploy=True,
            throttle=ThrottleSettings(rate_limit=stage.requests_per_second, burst_limit=2 * stage.requests_per_second),
        )
        resource = cast("CfnStage", api_stage.node.default_child)
        resource.access_log_settings = access_log_settings(self, stage, "http", _ACCESS_LOG)
        return api_stage

    def _open_route(self, id_: str, key: HttpRouteKey, reason: str) -> None:
        acknowledge(self._route(id_, key, HttpNoneAuthorizer()), "AwsSolutions-APIG4", reason)

    def _route(self, id_: str, key: HttpRouteKey, authorizer: IHttpRouteAuthorizer) -> HttpRoute:
        return HttpRoute(
            self, id_, http_api=self.api, route_key=key, integration=self._integration, authorizer=authorizer
        )
