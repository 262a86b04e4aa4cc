"""The WebSocket API, and the queue by which connections that do not authenticate are closed."""

from typing import cast

from aws_cdk import Duration, Stack
from aws_cdk.aws_apigatewayv2 import (
    CfnRoute,
    CfnRouteResponse,
    CfnStage,
    WebSocketApi,
    WebSocketRoute,
    WebSocketStage,
)
from aws_cdk.aws_apigatewayv2_integrations import WebSocketLambdaIntegration
from aws_cdk.aws_kms import IKey
from aws_cdk.aws_lambda import IFunction
from aws_cdk.aws_sqs import Queue, QueueEncryption
from constructs import Construct

from infra.checks import acknowledge
from infra.constructs.access_log import WITHOUT_ACCESS_LOG, access_log_settings
from infra.constructs.encryption import DATA_KEY_REUSE
from infra.stage import Stage

STAGE = "live"
"""The stage of the API, which is the path of its URL."""

SECONDS_TO_AUTHENTICATE = 10

# One JSON object a connection and a message. The caller's key is no part of it.
_ACCESS_LOG = {
    "requestId": "$context.requestId",
    "requestTime": "$context.requestTime",
    "routeKey": "$context.routeKey",
    "eventType": "$context.eventType",
    "connectionId": "$context.connectionId",
    "status": "$context.status",
    "sourceIp": "$context.identity.sourceIp",
    "userAgent": "$context.identity.userAgent",
    "integrationLatency": "$context.integrationLatency",
    "integrationError": "$context.integrationErrorMessage",
}


class UnansweredConnections(Construct):
    """A queue that holds each new connection for its time to authenticate."""

    def __init__(self, scope: Construct, id_: str, *, stage: Stage, key: IKey | None) -> None:
        super().__init__(scope, id_)
        self.queue = Queue(
            self,
            "Queue",
            queue_name=f"{stage.prefix}-unanswered-connections",
            delivery_delay=Duration.seconds(SECONDS_TO_AUTHENTICATE),
            # API Gateway ends a connection after two hours by itself.
            retention_period=Duration.hours(2),
            # Six times the timeout of the function that consumes it.
            visibility_timeout=Duration.seconds(180),
            encryption=QueueEncryption.SQS_MANAGED if key is None else QueueEncryption.KMS,
            encryption_master_key=key,
            data_key_reuse=None if key is None else DATA_KEY_REUSE,
            enforce_ssl=True,
        )
        acknowledge(
            self.queue,
            "AwsSolutions-SQS3",
            "What cannot be closed is tried again until API Gateway has ended the connection: no letter is left then.",
        )


class StreamApi(Construct):
    """A WebSocket API; `serve` adds its function, which has to know the API's address first."""

    def __init__(self, scope: Construct, id_: str, *, stage: Stage, key: IKey | None) -> None:
        super().__init__(scope, id_)
        self.api = WebSocketApi(
            self,
            "Api",
            api_name=f"{stage.prefix}-websocket",
            route_selection_expression="$request.body.action",
        )
        self.stage = WebSocketStage(self, "Stage", web_socket_api=self.api, stage_name=STAGE, auto_deploy=True)
        resource = cast("CfnStage", self.stage.node.default_child)
        if stage.access_log:
            resource.access_log_settings = access_log_settings(self, stage, "websocket", _ACCESS_LOG, key=key)
        else:
            acknowledge(self.stage, "AwsSolutions-APIG1", WITHOUT_ACCESS_LOG)
        resource.default_route_settings = CfnStage.RouteSettingsProperty(
            throttling_rate_limit=stage.requests_per_second, throttling_burst_limit=2 * stage.requests_per_second
        )

    @property
    def management_url(self) -> str:
        """The URL at which a function sends messages to connections."""
        # Not the URL of the CDK: it depends on the stage, the stage on its routes, these on the function that has to
        # know the URL.
        host = f"{self.api.api_id}.execute-api.{Stack.of(self).region}.{Stack.of(self).url_suffix}"
        return f"https://{host}/{STAGE}"

    def connections_arn(self) -> str:
        """The ARN of all connections of the stage, for messages to them and for closing them."""
        return Stack.of(self).format_arn(
            service="execute-api", resource=self.api.api_id, resource_name=f"{STAGE}/*/@connections/*"
        )

    def serve(self, stage: Stage, handler: IFunction) -> None:
        """Let the function answer every route."""
        integration = WebSocketLambdaIntegration("Handler", handler)
        for key in ("$connect", "$disconnect", "$default"):
            route = WebSocketRoute(
                self, f"Route-{key[1:]}", web_socket_api=self.api, route_key=key, integration=integration
            )
            acknowledge(
                route,
                "AwsSolutions-APIG4",
                "A client may authenticate by its first message, which an authorizer never sees: the function checks.",
            )
            if key == "$default":
                self._return_answers(stage, route)

    def _return_answers(self, stage: Stage, route: WebSocketRoute) -> None:
        """Send the results of the function back to the client."""
        resource = cast("CfnRoute", route.node.default_child)
        resource.route_response_selection_expression = "$default"
        if stage.layer_target == "host":
            # The emulator has no such resource, and answers all the same.
            return
        CfnRouteResponse(
            self,
            "Answer",
            api_id=self.api.api_id,
            route_id=route.route_id,
            route_response_key="$default",
        )
