"""What works on the data and holds none: it may be deleted and deployed again at any time."""

from pathlib import Path

from aws_cdk import CfnOutput, Duration
from aws_cdk.aws_lambda import EventSourceMapping
from constructs import Construct

from afluente.adapters.s3 import PREFIX as QUARANTINE_PREFIX
from infra.checks import acknowledge, as_reported
from infra.constructs.alarm_bus import LOG_STREAM
from infra.constructs.functions import ServiceFunction
from infra.constructs.http_api import IngestApi
from infra.constructs.layers import Layers
from infra.constructs.monitoring import Monitoring
from infra.constructs.mqtt import DevicePolicy, MqttInbox
from infra.constructs.websocket_api import StreamApi, UnansweredConnections
from infra.stacks.data import DataStack
from infra.stacks.stage_stack import StageStack
from infra.stage import Stage

BATCH_SIZE = 10
"""Lambda, "Batch size" of a FIFO queue: the most there is."""

MQTT_BATCH_SIZE = 1_000
MQTT_BATCH_WINDOW = Duration.seconds(1)
"""Messages of one device that are taken together are sorted: a second of them, or a thousand."""

# A little under what API Gateway waits for an integration (30 s), so that the answer is still the function's own.
_INGEST_TIMEOUT = Duration.seconds(29)
_AUTHORIZER_TIMEOUT = Duration.seconds(5)
# Lambda gives processor time by memory: 1,769 MB is one whole processor.
_WHOLE_PROCESSOR_MB = 1_769
_AUTHORIZER_MB = 512


class ServiceStack(StageStack):
    """Functions, APIs, topic rules and operations alarms of a stage; its outputs name the data stack too."""

    def __init__(self, scope: Construct, *, stage: Stage, data: DataStack, third_party_layer: Path) -> None:
        super().__init__(scope, "service", stage=stage, description=f"afluente {stage.name}: functions and APIs")
        self._settings = stage
        self._data = data
        self._layers = Layers(self, "Layers", stage=stage, third_party=third_party_layer).all
        self.http_ingest = self._http_ingest()
        self.http_authorizer = self._http_authorizer()
        self.classifier = self._classifier()
        self.http = IngestApi(
            self, "Http", stage=stage, handler=self.http_ingest.function, authorizer=self.http_authorizer.function
        )
        self.iot_rule_handler = self._iot_rule_handler()
        self._optional: dict[str, str] = {}
        if stage.enable_mqtt_multi_domain:
            self._mqtt()
        self.ws_ingest = self._websocket() if stage.enable_websocket_ingest else None
        Monitoring(
            self,
            "Monitoring",
            stage=stage,
            queue=data.datapoints.queue,
            dead_letter_queue=data.datapoints.dead_letter_queue,
            mqtt_inbox=data.mqtt_inbox.queue,
            mqtt_dead_letter_queue=data.mqtt_inbox.dead_letter_queue,
            iot_rule_handler=self.iot_rule_handler.function,
            ws_ingest=self.ws_ingest.function if self.ws_ingest else None,
            classifier=self.classifier.function,
            api=self.http.api,
        )
        self._outputs()

    def _http_ingest(self) -> ServiceFunction:
        ingest = ServiceFunction(
            self,
            "HttpIngest",
            stage=self._settings,
            package="http_ingest",
            layers=self._layers,
            memory_mb=_WHOLE_PROCESSOR_MB,
            timeout=_INGEST_TIMEOUT,
            environment={
                "AFLUENTE_ENABLE_AGNOSTIC_API": str(self._settings.enable_agnostic_api).lower(),
                **self._accepting(),
            },
        )
        self._allow_accepting(ingest)
        return ingest

    def _iot_rule_handler(self) -> ServiceFunction:
        inbox = self._data.mqtt_inbox.queue
        handler = ServiceFunction(
            self,
            "IotRuleHandler",
            stage=self._settings,
            package="iot_rule_handler",
            layers=self._layers,
            memory_mb=_WHOLE_PROCESSOR_MB,
            # As long as the classifier: the messages of both come again after the same visibility timeout.
            timeout=Duration.seconds(self._settings.classifier_timeout_seconds),
            environment=self._accepting(),
        )
        self._allow_accepting(handler)
        handler.allow(["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], inbox.queue_arn)
        EventSourceMapping(
            handler,
            "Inbox",
            target=handler.function,
            event_source_arn=inbox.queue_arn,
            batch_size=MQTT_BATCH_SIZE,
            max_batching_window=MQTT_BATCH_WINDOW,
            max_concurrency=self._settings.mqtt_concurrency,
            report_batch_item_failures=True,
        )
        return handler

    def _mqtt(self) -> None:
        inbox = self._data.mqtt_inbox
        MqttInbox(self, "Mqtt", stage=self._settings, inbox=inbox.queue, dead_letter_queue=inbox.dead_letter_queue)
        policy = DevicePolicy(self, "Devices", stage=self._settings)
        self._optional["IotPolicy"] = policy.name

    def _websocket(self) -> ServiceFunction:
        tables = self._data.tables
        api = StreamApi(self, "WebSocket", stage=self._settings)
        unanswered = UnansweredConnections(self, "Unanswered", stage=self._settings)
        ingest = ServiceFunction(
            self,
            "WsIngest",
            stage=self._settings,
            package="ws_ingest",
            layers=self._layers,
            memory_mb=_WHOLE_PROCESSOR_MB,
            timeout=_INGEST_TIMEOUT,
            environment={
                **self._accepting(),
                "AFLUENTE_API_KEYS_TABLE": tables.api_keys.table_name,
                "AFLUENTE_CONNECTIONS_TABLE": tables.connections.table_name,
                "AFLUENTE_UNANSWERED_QUEUE_URL": unanswered.queue.queue_url,
                "AFLUENTE_WEBSOCKET_API_ID": api.api.api_id,
                "AFLUENTE_WEBSOCKET_STAGE": api.stage.stage_name,
                "AFLUENTE_WEBSOCKET_MANAGEMENT_URL": api.management_url,
            },
        )
        self._allow_accepting(ingest)
        ingest.allow(["dynamodb:GetItem"], tables.api_keys.table_arn)
        ingest.allow(["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:DeleteItem"], tables.connections.table_arn)
        ingest.allow(
            ["sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
            unanswered.queue.queue_arn,
        )
        ingest.allow(["execute-api:ManageConnections"], api.connections_arn())
        acknowledge(
            ingest.role,
            f"AwsSolutions-IAM5[Resource::{as_reported(self, api.connections_arn())}]",
            "A connection is known when a client makes it: no grant can be narrower than those of this API.",
        )
        EventSourceMapping(
            ingest,
            "Unanswered",
            target=ingest.function,
            event_source_arn=unanswered.queue.queue_arn,
            batch_size=BATCH_SIZE,
            report_batch_item_failures=True,
        )
        api.serve(self._settings, ingest.function)
        self._optional |= {
            "WebSocketApiId": api.api.api_id,
            "WebSocketUrl": api.management_url.replace("https://", "wss://"),
            "WsIngestFunction": ingest.function.function_name,
            "ConnectionsTable": tables.connections.table_name,
        }
        return ingest

    def _http_authorizer(self) -> ServiceFunction:
        api_keys = self._data.tables.api_keys
        authorizer = ServiceFunction(
            self,
            "HttpAuthorizer",
            stage=self._settings,
            package="http_authorizer",
            layers=self._layers,
            memory_mb=_AUTHORIZER_MB,
            timeout=_AUTHORIZER_TIMEOUT,
            environment={"AFLUENTE_API_KEYS_TABLE": api_keys.table_name},
        )
        authorizer.allow(["dynamodb:GetItem"], api_keys.table_arn)
        return authorizer

    def _classifier(self) -> ServiceFunction:
        data = self._data
        streams = data.streams
        classifier = ServiceFunction(
            self,
            "Classifier",
            stage=self._settings,
            package="classifier",
            layers=self._layers,
            memory_mb=_WHOLE_PROCESSOR_MB,
            timeout=Duration.seconds(self._settings.classifier_timeout_seconds),
            environment={
                "AFLUENTE_USE_AGNOSTIC_CONSTRAINTS": str(self._settings.use_agnostic_constraints).lower(),
                "AFLUENTE_ONE_POINT_A_RECORD": str(self._settings.one_point_a_record).lower(),
                "AFLUENTE_CONSTRAINTS_TTL_SECONDS": str(self._settings.constraints_ttl_seconds),
                "AFLUENTE_DATAPOINTS_QUEUE_URL": data.datapoints.queue.queue_url,
                "AFLUENTE_STREAM_ALERT": streams.alert.stream_name,
                "AFLUENTE_STREAM_WARNING": streams.warning.stream_name,
                "AFLUENTE_STREAM_ANOMALY": streams.anomaly.stream_name,
                "AFLUENTE_STREAM_NORMAL": streams.normal.stream_name,
                "AFLUENTE_LATEST_TABLE": data.tables.latest.table_name,
                "AFLUENTE_CONSTRAINTS_TABLE": data.tables.constraints.table_name,
                "AFLUENTE_QUARANTINE_BUCKET": data.quarantine.bucket.bucket_name,
                "AFLUENTE_ALARM_BUS": data.alarms.bus.event_bus_name,
                "AFLUENTE_ALARM_LOG_GROUP": data.alarms.log_group.log_group_name,
                "AFLUENTE_ALARM_LOG_STREAM": LOG_STREAM,
            },
        )
        classifier.allow(
            ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"],
            data.datapoints.queue.queue_arn,
        )
        classifier.allow(["dynamodb:BatchGetItem"], data.tables.constraints.table_arn)
        classifier.allow(["dynamodb:BatchGetItem", "dynamodb:Query", "dynamodb:PutItem"], data.tables.latest.table_arn)
        classifier.allow(["kinesis:PutRecords"], *(stream.stream_arn for stream in streams.all))
        classifier.allow(["events:PutEvents"], data.alarms.bus.event_bus_arn)
        classifier.allow(["logs:PutLogEvents"], data.alarms.log_stream_arn(self))
        self._allow_quarantine(classifier)
        EventSourceMapping(
            classifier,
            "Datapoints",
            target=classifier.function,
            event_source_arn=data.datapoints.queue.queue_arn,
            batch_size=BATCH_SIZE,
            report_batch_item_failures=True,
        )
        return classifier

    def _accepting(self) -> dict[str, str]:
        """What a function that accepts points is told."""
        return {
            "AFLUENTE_DOMAINS": ",".join(self._settings.domains),
            "AFLUENTE_SHARDS": str(self._settings.shards),
            "AFLUENTE_DATAPOINTS_QUEUE_URL": self._data.datapoints.queue.queue_url,
            "AFLUENTE_QUARANTINE_BUCKET": self._data.quarantine.bucket.bucket_name,
        }

    def _allow_accepting(self, function: ServiceFunction) -> None:
        function.allow(["sqs:SendMessage"], self._data.datapoints.queue.queue_arn)
        self._allow_quarantine(function)

    def _allow_quarantine(self, function: ServiceFunction) -> None:
        objects = f"{QUARANTINE_PREFIX}/*"
        bucket = self._data.quarantine.bucket
        function.allow(["s3:PutObject"], bucket.arn_for_objects(objects))
        # cdk-nag knows the bucket by the name under which this stack imports its ARN.
        imported = self.resolve(self._data.export_value(bucket.bucket_arn))["Fn::ImportValue"]
        acknowledge(
            function.role,
            f"AwsSolutions-IAM5[Resource::{imported}/{objects}]",
            "A quarantined record has a key of its own, known when it is written: no grant can be narrower.",
        )

    def _outputs(self) -> None:
        data = self._data
        outputs = {
            "HttpApiId": self.http.api.api_id,
            "HttpApiUrl": self.http.api.api_endpoint,
            "HttpIngestFunction": self.http_ingest.function.function_name,
            "HttpAuthorizerFunction": self.http_authorizer.function.function_name,
            "IotRuleHandlerFunction": self.iot_rule_handler.function.function_name,
            "ClassifierFunction": self.classifier.function.function_name,
            "DatapointsQueueUrl": data.datapoints.queue.queue_url,
            "DatapointsDlqUrl": data.datapoints.dead_letter_queue.queue_url,
            "InboxQueueUrl": data.mqtt_inbox.queue.queue_url,
            "InboxDlqUrl": data.mqtt_inbox.dead_letter_queue.queue_url,
            "AlertStream": data.streams.alert.stream_name,
            "WarningStream": data.streams.warning.stream_name,
            "AnomalyStream": data.streams.anomaly.stream_name,
            "NormalStream": data.streams.normal.stream_name,
            "LatestTable": data.tables.latest.table_name,
            "ConstraintsTable": data.tables.constraints.table_name,
            "ApiKeysTable": data.tables.api_keys.table_name,
            "QuarantineBucket": data.quarantine.bucket.bucket_name,
            "AlarmBus": data.alarms.bus.event_bus_name,
            "AlarmLogGroup": data.alarms.log_group.log_group_name,
            **self._optional,
        }
        for name, value in outputs.items():
            CfnOutput(self, name, value=value)
