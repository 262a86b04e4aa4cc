"""The service stack: it works on the data and holds none, so it may be deleted and deployed again at any time."""

from aws_cdk import CfnOutput
from constructs import Construct

from infra.constructs.dashboards import Dashboards, Sources
from infra.constructs.data_stores import DataStores
from infra.constructs.edge import Front, FrontSecrets
from infra.constructs.functions.classifier import Classifier
from infra.constructs.functions.csv_trigger import CsvTrigger
from infra.constructs.functions.http_admin import HttpAdmin
from infra.constructs.functions.http_authorizer import HttpAuthorizer
from infra.constructs.functions.http_ingest import HttpIngest
from infra.constructs.functions.iot_rule_handler import IotRuleHandler
from infra.constructs.functions.ws_ingest import WsIngest
from infra.constructs.http_api import ServiceApi
from infra.constructs.layers import Layers
from infra.constructs.monitoring import Monitoring
from infra.constructs.mqtt import DevicePolicy, LegacyDevicePolicy, MqttInbox, rule_name
from infra.constructs.websocket_api import StreamApi, UnansweredConnections
from infra.layer_build import LayerFolders
from infra.stacks.stage_stack import StageStack
from infra.stage import Stage


class ServiceStack(StageStack):
    """Functions, APIs, topic rules and operations alarms of a stage; its outputs name the data stack too."""

    def __init__(self, scope: Construct, *, stage: Stage, data: DataStores, layers: LayerFolders) -> None:
        super().__init__(scope, "service", stage=stage, description=f"afluente {stage.name}: functions and APIs")
        self._settings = stage
        self._data = data
        self._key = data.encryption.key
        self._layers = Layers(self, "Layers", stage=stage, folders=layers)
        front_secrets = FrontSecrets(self, "FrontSecrets", stage=stage, key=self._key) if stage.enable_waf else None
        self.http_ingest = HttpIngest(
            self, "HttpIngest", stage=stage, data=data, layers=self._layers, front_secrets=front_secrets
        )
        self.http_authorizer = HttpAuthorizer(
            self, "HttpAuthorizer", stage=stage, data=data, layers=self._layers, front_secrets=front_secrets
        )
        self.http_admin = HttpAdmin(
            self, "HttpAdmin", stage=stage, data=data, layers=self._layers, front_secrets=front_secrets
        )
        self.iot_rule_handler = IotRuleHandler(self, "IotRuleHandler", stage=stage, data=data, layers=self._layers)
        self.csv_trigger = CsvTrigger(self, "CsvTrigger", stage=stage, data=data, layers=self._layers)
        self.ws_ingest = self._websocket() if stage.enable_websocket_ingest else None
        self.classifier = Classifier(self, "Classifier", stage=stage, data=data, layers=self._layers)
        # The classifier releases the slots of the loader's packs, so it is updated first.
        self.csv_trigger.function.node.add_dependency(self.classifier.function)
        self.http = self._http_api()
        self._mqtt()
        self._monitoring()
        if stage.domain_dashboards:
            self._dashboards()
        self._output(
            HttpApiUrl=self.http.api.api_endpoint if front_secrets is None else self._front(front_secrets).url,
            **self._functions(),
            **self._stores(),
        )

    def _http_api(self) -> ServiceApi:
        api = ServiceApi(
            self,
            "Http",
            stage=self._settings,
            functions={"http_ingest": self.http_ingest.function, "http_admin": self.http_admin.function},
            authorizer=self.http_authorizer.function,
            key=self._key,
        )
        self._output(HttpApiId=api.api.api_id)
        return api

    def _front(self, secrets: FrontSecrets) -> Front:
        return Front(
            self,
            "Front",
            stage=self._settings,
            api=self.http.api,
            secret=secrets.newest,
            # They know the new secret before CloudFront shows it.
            after=[self.http_ingest.function, self.http_admin.function, self.http_authorizer.function],
            key=self._key,
        )

    def _mqtt(self) -> None:
        inbox, stage = self._data.mqtt_inbox, self._settings
        if stage.enable_mqtt_multi_domain or stage.accepts_legacy_messages:
            MqttInbox(
                self,
                "Mqtt",
                stage=stage,
                inbox=inbox.queue,
                dead_letter_queue=inbox.dead_letter_queue,
                key=self._key,
            )
        if stage.enable_mqtt_multi_domain:
            self._output(IotPolicy=DevicePolicy(self, "Devices", stage=stage).name)
            if stage.enable_basic_ingest:
                self._output(BasicIngestRulePrefix=rule_name(stage, ""))
        if stage.accepts_legacy_messages:
            self._output(LegacyIotPolicy=LegacyDevicePolicy(self, "OldDevices", stage=stage).name)

    def _websocket(self) -> WsIngest:
        stage = self._settings
        api = StreamApi(self, "WebSocket", stage=stage, key=self._key)
        unanswered = UnansweredConnections(self, "Unanswered", stage=stage, key=self._key)
        ingest = WsIngest(
            self, "WsIngest", stage=stage, data=self._data, layers=self._layers, api=api, unanswered=unanswered
        )
        api.serve(stage, ingest.function)
        self._output(
            WebSocketApiId=api.api.api_id,
            WebSocketUrl=api.management_url.replace("https://", "wss://"),
            WsIngestFunction=ingest.function.function_name,
            ConnectionsTable=self._data.tables.connections.table_name,
        )
        return ingest

    def _monitoring(self) -> None:
        data = self._data
        Monitoring(
            self,
            "Monitoring",
            stage=self._settings,
            datapoints=data.datapoints,
            mqtt_inbox=data.mqtt_inbox,
            csv_inbox=data.csv_inbox,
            csv_jobs=data.csv_jobs,
            iot_rule_handler=self.iot_rule_handler.function,
            csv_trigger=self.csv_trigger.function,
            ws_ingest=self.ws_ingest.function if self.ws_ingest else None,
            classifier=self.classifier.function,
            legacy_tables_log=self.classifier.log_group if self._settings.reads_legacy_tables else None,
            api=self.http.api,
            key=self._key,
        )

    def _dashboards(self) -> None:
        data = self._data
        queues = (data.datapoints, data.mqtt_inbox, data.csv_inbox, data.csv_jobs)
        sources = Sources(
            http_log=self.http_ingest.log_group,
            websocket_log=self.ws_ingest.log_group if self.ws_ingest else None,
            csv_log=self.csv_trigger.log_group,
            alarms_log=data.alarms.log_group,
            datapoints=data.datapoints.queue,
            queues=[queue.queue for queue in queues],
            dead_letter_queues=[queue.dead_letter_queue for queue in queues],
            streams=data.streams.all,
        )
        Dashboards(self, "Dashboards", stage=self._settings, sources=sources)

    def _functions(self) -> dict[str, str]:
        return {
            "HttpIngestFunction": self.http_ingest.function.function_name,
            "HttpAdminFunction": self.http_admin.function.function_name,
            "HttpAuthorizerFunction": self.http_authorizer.function.function_name,
            "IotRuleHandlerFunction": self.iot_rule_handler.function.function_name,
            "CsvTriggerFunction": self.csv_trigger.function.function_name,
            "ClassifierFunction": self.classifier.function.function_name,
        }

    def _stores(self) -> dict[str, str]:
        data = self._data
        bucket = {"CsvBucket": data.csv_files.bucket.bucket_name} if self._settings.enable_csv_ingest else {}
        return {
            "DatapointsQueueUrl": data.datapoints.queue.queue_url,
            "DatapointsDlqUrl": data.datapoints.dead_letter_queue.queue_url,
            "InboxQueueUrl": data.mqtt_inbox.queue.queue_url,
            "InboxDlqUrl": data.mqtt_inbox.dead_letter_queue.queue_url,
            "CsvInboxQueueUrl": data.csv_inbox.queue.queue_url,
            "CsvInboxDlqUrl": data.csv_inbox.dead_letter_queue.queue_url,
            "CsvJobsQueueUrl": data.csv_jobs.queue.queue_url,
            "CsvJobsDlqUrl": data.csv_jobs.dead_letter_queue.queue_url,
            "AlertStream": data.streams.alert.stream_name,
            "WarningStream": data.streams.warning.stream_name,
            "AnomalyStream": data.streams.anomaly.stream_name,
            "NormalStream": data.streams.normal.stream_name,
            "LatestTable": data.tables.latest.table_name,
            "ConstraintsTable": data.tables.constraints.table_name,
            "ConstraintHistoryTable": data.tables.constraint_history.table_name,
            "AccessTable": data.tables.access.table_name,
            "KeyUsesTable": data.tables.key_uses.table_name,
            "KeyPepperSecret": data.key_pepper.secret.secret_arn,
            "CsvJobsTable": data.tables.csv_jobs.table_name,
            "MigrationTable": data.tables.migration.table_name,
            "QuarantineBucket": data.quarantine.bucket.bucket_name,
            "AlarmBus": data.alarms.bus.event_bus_name,
            "AlarmLogGroup": data.alarms.log_group.log_group_name,
            **bucket,
        }

    def _output(self, **values: str) -> None:
        for name, value in values.items():
            CfnOutput(self, name, value=value)
