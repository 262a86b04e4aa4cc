"""What works on the data and holds none: it may be deleted and deployed again at any time."""

import dataclasses
import json
from functools import partial

from aws_cdk import ArnFormat, CfnOutput, Duration
from aws_cdk.aws_lambda import EventSourceMapping
from aws_cdk.aws_s3 import Bucket
from constructs import Construct

from afluente.adapters.aws.s3_quarantine import PREFIX as QUARANTINE_PREFIX
from infra.checks import acknowledge, as_reported
from infra.constructs.alarm_bus import LOG_STREAM
from infra.constructs.csv_inbox import INBOX_OBJECTS, REJECTS_OBJECTS
from infra.constructs.dashboards import Dashboards, Sources
from infra.constructs.edge import Front, FrontSecrets
from infra.constructs.functions import ServiceFunction
from infra.constructs.http_api import ServiceApi
from infra.constructs.layers import Layers
from infra.constructs.monitoring import Monitoring
from infra.constructs.mqtt import DevicePolicy, LegacyDevicePolicy, MqttInbox
from infra.constructs.websocket_api import StreamApi, UnansweredConnections
from infra.layer_build import LayerFolders
from infra.stacks.data import DataStack
from infra.stacks.stage_stack import StageStack
from infra.stage import RefusedKeyLimits, Stage

BATCH_SIZE = 10
"""Lambda, "Batch size" of a FIFO queue: the most there is."""

MQTT_BATCH_SIZE = 1_000
MQTT_BATCH_WINDOW = Duration.seconds(1)
"""Messages of one device that are taken together are sorted: a second of them, or a thousand."""

CSV_INBOX_BATCH_SIZE = 10
"""New files that are announced together; each becomes a job, none is read."""

# A little under what API Gateway waits for an integration (30 s), so that the answer is still the function's own.
_INGEST_TIMEOUT = Duration.seconds(29)
_AUTHORIZER_TIMEOUT = Duration.seconds(5)
# Lambda gives processor time by memory: 1,769 MB is one whole processor.
_WHOLE_PROCESSOR_MB = 1_769
_AUTHORIZER_MB = 512
_ADMIN_MB = 1_024
_MEGABYTE = 1024 * 1024

# Why a grant has a star.
_OF_A_RECORD = "A quarantined record has a key of its own, known when it is written: no grant can be narrower."
_OF_A_FILE = "A file has the name that its sender gives it: no grant can be narrower than the folder of new files."
_OF_A_JOB = "Rejected rows have the id of their job for a name, known when it begins: no grant can be narrower."


class ServiceStack(StageStack):
    """Functions, APIs, topic rules and operations alarms of a stage; its outputs name the data stack too."""

    def __init__(self, scope: Construct, *, stage: Stage, data: DataStack, layers: LayerFolders) -> None:
        super().__init__(scope, "service", stage=stage, description=f"afluente {stage.name}: functions and APIs")
        self._settings = stage
        self._data = data
        self._layers = Layers(self, "Layers", stage=stage, folders=layers)
        self._function = partial(ServiceFunction, self, stage=stage, key=data.encryption.key)
        self._front_secrets = (
            FrontSecrets(self, "FrontSecrets", stage=stage, key=data.encryption.key) if stage.enable_waf else None
        )
        self.http_ingest = self._http_ingest()
        self.http_authorizer = self._http_authorizer()
        self.classifier = self._classifier()
        self.http_admin = self._http_admin()
        self.http = ServiceApi(
            self,
            "Http",
            stage=stage,
            functions={"http_ingest": self.http_ingest.function, "http_admin": self.http_admin.function},
            authorizer=self.http_authorizer.function,
            key=data.encryption.key,
        )
        self._api_url = self._front() or self.http.api.api_endpoint
        self.iot_rule_handler = self._iot_rule_handler()
        self.csv_trigger = self._csv_trigger()
        self._optional: dict[str, str] = {}
        self._mqtt()
        self.ws_ingest = self._websocket() if stage.enable_websocket_ingest else None
        if stage.enable_csv_ingest:
            self._optional["CsvBucket"] = data.csv_files.bucket.bucket_name
        Monitoring(
            self,
            "Monitoring",
            stage=stage,
            datapoints=data.datapoints,
            mqtt_inbox=data.mqtt_inbox,
            csv_inbox=data.csv_inbox,
            csv_jobs=data.csv_jobs,
            iot_rule_handler=self.iot_rule_handler.function,
            csv_trigger=self.csv_trigger.function,
            ws_ingest=self.ws_ingest.function if self.ws_ingest else None,
            classifier=self.classifier.function,
            old_tables_log=self.classifier.log_group if stage.reads_old_tables else None,
            api=self.http.api,
            key=data.encryption.key,
        )
        if stage.domain_dashboards:
            self._dashboards()
        self._outputs()

    def _front(self) -> str | None:
        """The URL of the front before the HTTP API, where the stage has one; behind it no function answers without."""
        if self._front_secrets is None:
            return None
        behind = [self.http_ingest, self.http_admin]
        for function in behind:
            function.function.add_environment("AFLUENTE_FRONT_SECRETS", ",".join(self._front_secrets.arns))
            function.allow(["secretsmanager:GetSecretValue"], *self._front_secrets.arns)
        front = Front(
            self,
            "Front",
            stage=self._settings,
            api=self.http.api,
            secret=self._front_secrets.newest,
            # They take the new secret before CloudFront shows it.
            after=[function.function for function in behind],
            key=self._data.encryption.key,
        )
        return front.url

    def _dashboards(self) -> None:
        sources = Sources(
            http_log=self.http_ingest.log_group,
            websocket_log=self.ws_ingest.log_group if self.ws_ingest else None,
            csv_log=self.csv_trigger.log_group,
            alarms_log=self._data.alarms.log_group,
            datapoints=self._data.datapoints.queue,
            streams=self._data.streams.all,
        )
        Dashboards(self, "Dashboards", stage=self._settings, sources=sources)

    def _http_ingest(self) -> ServiceFunction:
        ingest = self._function(
            "HttpIngest",
            package="http_ingest",
            layers=self._layers.of_all,
            memory_mb=_WHOLE_PROCESSOR_MB,
            timeout=_INGEST_TIMEOUT,
            environment={
                "AFLUENTE_ENABLE_AGNOSTIC_API": str(self._settings.enable_agnostic_api).lower(),
                "AFLUENTE_ENABLE_CSV_INGEST": str(self._settings.enable_csv_ingest).lower(),
                **self._old_clients(),
                **self._sensors(),
                **self._accepting(),
                **self._csv_jobs(),
                **self._limits(),
            },
        )
        self._allow_accepting(ingest)
        self._allow_limits(ingest)
        if self._settings.takes_packets:
            self._allow_sensors(ingest)
        if self._settings.enable_csv_ingest:
            self._allow_csv_requests(ingest)
        return ingest

    def _allow_csv_requests(self, ingest: ServiceFunction) -> None:
        """Put an upload into the inbox, and let a client fetch rejected rows and look at jobs."""
        tables = self._data.tables
        bucket = self._data.csv_files.bucket
        self._allow_objects(ingest, bucket, INBOX_OBJECTS, ["s3:PutObject", "s3:AbortMultipartUpload"], _OF_A_FILE)
        self._allow_objects(ingest, bucket, REJECTS_OBJECTS, ["s3:GetObject"], _OF_A_JOB)
        ingest.allow(
            ["dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"],
            tables.csv_jobs.table_arn,
        )
        ingest.allow(["dynamodb:Query"], tables.csv_jobs_by_domain_arn)

    def _iot_rule_handler(self) -> ServiceFunction:
        inbox = self._data.mqtt_inbox.queue
        handler = self._function(
            "IotRuleHandler",
            package="iot_rule_handler",
            layers=self._layers.of_all,
            memory_mb=_WHOLE_PROCESSOR_MB,
            # As long as the classifier: the messages of both come again after the same visibility timeout.
            timeout=Duration.seconds(self._settings.classifier_timeout_seconds),
            environment={**self._sensors(), **self._accepting(), **self._limits()},
        )
        self._allow_accepting(handler)
        self._allow_limits(handler)
        # Also where no rule takes such messages any more: some may be in the inbox.
        self._allow_sensors(handler)
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

    def _csv_trigger(self) -> ServiceFunction:
        data, stage = self._data, self._settings
        trigger = self._function(
            "CsvTrigger",
            package="csv_trigger",
            layers=self._layers.of_the_loader,
            memory_mb=_WHOLE_PROCESSOR_MB,
            timeout=Duration.seconds(stage.csv_timeout_seconds),
            environment={
                **self._accepting(),
                **self._csv_jobs(),
                "AFLUENTE_CSV_JOBS_QUEUE_URL": data.csv_jobs.queue.queue_url,
                "AFLUENTE_CSV_SPLIT_BYTES": str(stage.csv_split_megabytes * _MEGABYTE),
                "AFLUENTE_CSV_PARTS": str(stage.csv_parts),
            },
        )
        self._allow_accepting(trigger)
        self._allow_jobs(trigger)
        for id_, queue, batch_size, concurrency in (
            ("Inbox", data.csv_inbox.queue, CSV_INBOX_BATCH_SIZE, None),
            # A job may take all the time that the function has.
            ("Jobs", data.csv_jobs.queue, 1, stage.csv_concurrency),
        ):
            trigger.allow(
                ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"],
                queue.queue_arn,
            )
            EventSourceMapping(
                trigger,
                id_,
                target=trigger.function,
                event_source_arn=queue.queue_arn,
                batch_size=batch_size,
                max_concurrency=concurrency,
                report_batch_item_failures=True,
            )
        return trigger

    def _allow_jobs(self, trigger: ServiceFunction) -> None:
        """Read files, keep what was rejected, write down how far each job is, and queue its parts."""
        data = self._data
        bucket = data.csv_files.bucket
        # Without it a side file that is not there would be 403 and not 404.
        trigger.allow(["s3:ListBucket"], bucket.bucket_arn)
        self._allow_objects(trigger, bucket, INBOX_OBJECTS, ["s3:GetObject", "s3:GetObjectVersion"], _OF_A_FILE)
        self._allow_objects(
            trigger,
            bucket,
            REJECTS_OBJECTS,
            ["s3:GetObject", "s3:PutObject"],
            _OF_A_JOB,
        )
        trigger.allow(
            ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"],
            data.tables.csv_jobs.table_arn,
        )
        trigger.allow(["sqs:SendMessage"], data.csv_jobs.queue.queue_arn)

    def _csv_jobs(self) -> dict[str, str]:
        """What a function that has to do with CSV jobs is told."""
        return {
            "AFLUENTE_CSV_BUCKET": self._data.csv_files.bucket.bucket_name,
            "AFLUENTE_CSV_JOBS_TABLE": self._data.tables.csv_jobs.table_name,
            # As long as the files.
            "AFLUENTE_CSV_JOB_RETENTION_DAYS": str(self._settings.quarantine_retention_days),
        }

    def _mqtt(self) -> None:
        inbox, stage = self._data.mqtt_inbox, self._settings
        if stage.enable_mqtt_multi_domain or stage.takes_old_messages:
            MqttInbox(
                self,
                "Mqtt",
                stage=stage,
                inbox=inbox.queue,
                dead_letter_queue=inbox.dead_letter_queue,
                key=self._data.encryption.key,
            )
        if stage.enable_mqtt_multi_domain:
            self._optional["IotPolicy"] = DevicePolicy(self, "Devices", stage=stage).name
        if stage.takes_old_messages:
            self._optional["LegacyIotPolicy"] = LegacyDevicePolicy(self, "OldDevices", stage=stage).name

    def _websocket(self) -> ServiceFunction:
        tables = self._data.tables
        api = StreamApi(self, "WebSocket", stage=self._settings, key=self._data.encryption.key)
        unanswered = UnansweredConnections(self, "Unanswered", stage=self._settings, key=self._data.encryption.key)
        ingest = self._function(
            "WsIngest",
            package="ws_ingest",
            layers=self._layers.of_all,
            memory_mb=_WHOLE_PROCESSOR_MB,
            timeout=_INGEST_TIMEOUT,
            environment={
                **self._accepting(),
                **self._keys(),
                **self._limits(),
                "AFLUENTE_CONNECTIONS_TABLE": tables.connections.table_name,
                "AFLUENTE_UNANSWERED_QUEUE_URL": unanswered.queue.queue_url,
                "AFLUENTE_WEBSOCKET_API_ID": api.api.api_id,
                "AFLUENTE_WEBSOCKET_STAGE": api.stage.stage_name,
                "AFLUENTE_WEBSOCKET_MANAGEMENT_URL": api.management_url,
            },
        )
        self._allow_accepting(ingest)
        self._allow_keys(ingest)
        self._allow_limits(ingest)
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
        authorizer = self._function(
            "HttpAuthorizer",
            package="http_authorizer",
            layers=self._layers.of_all,
            memory_mb=_AUTHORIZER_MB,
            timeout=_AUTHORIZER_TIMEOUT,
            environment={**self._keys(), "AFLUENTE_LIMITS": self._refused_keys()},
        )
        self._allow_keys(authorizer)
        return authorizer

    def _http_admin(self) -> ServiceFunction:
        tables = self._data.tables
        admin = self._function(
            "HttpAdmin",
            package="http_admin",
            layers=self._layers.of_the_admin,
            memory_mb=_ADMIN_MB,
            timeout=_INGEST_TIMEOUT,
            environment={
                "AFLUENTE_DOMAINS": ",".join(self._settings.domains),
                "AFLUENTE_CONSTRAINTS_TABLE": tables.constraints.table_name,
                "AFLUENTE_CONSTRAINT_HISTORY_TABLE": tables.constraint_history.table_name,
                "AFLUENTE_ALARM_LOG_GROUP": self._data.alarms.log_group.log_group_name,
                **self._limits(),
            },
        )
        self._allow_limits(admin)
        admin.allow(["logs:FilterLogEvents"], self._data.alarms.log_group.log_group_arn)
        # A change and its entry in the history are one transaction, which asks for the rights of its parts.
        admin.allow(["dynamodb:BatchGetItem", "dynamodb:UpdateItem"], tables.constraints.table_arn)
        admin.allow(["dynamodb:Query"], tables.constraints_by_domain_arn)
        admin.allow(["dynamodb:PutItem", "dynamodb:Query"], tables.constraint_history.table_arn)
        return admin

    def _limits(self) -> dict[str, str]:
        """What a function that keeps to limits is told."""
        limits = dataclasses.asdict(self._settings.limits)
        return {
            "AFLUENTE_LIMITS": json.dumps({name: limits[name] for name in ("ip", "key", "source")}),
            "AFLUENTE_LIMITS_FAIL": self._settings.limits_fail,
            "AFLUENTE_LIMITS_TABLE": self._data.tables.limits.table_name,
        }

    def _refused_keys(self) -> str:
        """What the authorizer is told; behind a front, which limits addresses itself, it would see the front's."""
        limit = RefusedKeyLimits(per_second=0) if self._settings.enable_waf else self._settings.limits.refused_keys
        return json.dumps({"refused_keys": dataclasses.asdict(limit)})

    def _allow_limits(self, function: ServiceFunction) -> None:
        function.allow(["dynamodb:GetItem", "dynamodb:PutItem"], self._data.tables.limits.table_arn)

    def _keys(self) -> dict[str, str]:
        """What a function is told that asks callers for a key."""
        return {
            "AFLUENTE_ACCESS_TABLE": self._data.tables.access.table_name,
            "AFLUENTE_KEY_PEPPER_SECRET": self._data.key_pepper.secret.secret_arn,
        }

    def _allow_keys(self, function: ServiceFunction) -> None:
        """Look keys up, write down when one was used last, and know what is part of their hashes."""
        function.allow(["dynamodb:GetItem", "dynamodb:UpdateItem"], self._data.tables.access.table_arn)
        function.allow(["secretsmanager:GetSecretValue"], self._data.key_pepper.secret.secret_arn)

    def _classifier(self) -> ServiceFunction:
        data = self._data
        streams = data.streams
        classifier = self._function(
            "Classifier",
            package="classifier",
            layers=self._layers.of_the_classifier,
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
                **self._old_service(),
            },
        )
        if self._settings.reads_old_tables:
            self._allow_old_tables(classifier)
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

    def _old_service(self) -> dict[str, str]:
        """What the classifier is told of the old service's database."""
        stage = self._settings
        if not stage.reads_old_tables:
            return {}
        names = {"AFLUENTE_OLD_SQL_TABLES": json.dumps(stage.old_sql_tables)} if stage.old_sql_tables else {}
        return {
            "AFLUENTE_OLD_SQL_SECRET": str(stage.old_sql_secret),
            "AFLUENTE_MIGRATION_TABLE": self._data.tables.migration.table_name,
            **names,
        }

    def _allow_old_tables(self, classifier: ServiceFunction) -> None:
        secret = str(self._settings.old_sql_secret)
        if not secret.startswith("arn:"):
            # Six characters that Secrets Manager adds to the name.
            secret = self.format_arn(
                service="secretsmanager",
                resource="secret",
                resource_name=f"{secret}-??????",
                arn_format=ArnFormat.COLON_RESOURCE_NAME,
            )
        classifier.allow(["secretsmanager:GetSecretValue"], secret, with_key=False)
        # The trial of the new way: its settings, its counters, what follows from them.
        trial = self._data.tables.migration.table_arn
        classifier.allow(["dynamodb:GetItem", "dynamodb:UpdateItem", "dynamodb:PutItem"], trial)
        if self._settings.old_sql_subnet_ids:
            classifier.attach(self._settings.old_sql_subnet_ids, self._settings.old_sql_security_group_ids)

    def _old_clients(self) -> dict[str, str]:
        """What `http_ingest` is told of the clients of the old service."""
        stage = self._settings
        return {
            "AFLUENTE_ENABLE_LEGACY_API": str(stage.enable_legacy_api).lower(),
            "AFLUENTE_OLD_CLIENTS_DEPRECATED_ON": stage.old_clients_deprecated_on.isoformat(),
            "AFLUENTE_OLD_CLIENTS_SUNSET_ON": str(stage.old_clients_sunset_on or ""),
            "AFLUENTE_OLD_CLIENTS_GUIDE_URL": stage.old_clients_guide_url or "",
        }

    def _sensors(self) -> dict[str, str]:
        """What a function that takes old readings is told."""
        return {"AFLUENTE_MIGRATION_TABLE": self._data.tables.migration.table_name}

    def _allow_sensors(self, function: ServiceFunction) -> None:
        """Look sensors up in their directory."""
        function.allow(["dynamodb:BatchGetItem"], self._data.tables.migration.table_arn)

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
        self._allow_objects(
            function, self._data.quarantine.bucket, f"{QUARANTINE_PREFIX}/*", ["s3:PutObject"], _OF_A_RECORD
        )

    def _allow_objects(
        self, function: ServiceFunction, bucket: Bucket, objects: str, actions: list[str], reason: str
    ) -> None:
        function.allow(actions, bucket.arn_for_objects(objects))
        # cdk-nag knows the bucket by the name under which this stack imports its ARN.
        imported = self.resolve(self._data.export_value(bucket.bucket_arn))["Fn::ImportValue"]
        acknowledge(
            function.role,
            f"AwsSolutions-IAM5[Resource::{imported}/{objects}]",
            reason,
        )

    def _outputs(self) -> None:
        data = self._data
        outputs = {
            "HttpApiId": self.http.api.api_id,
            "HttpApiUrl": self._api_url,
            "HttpIngestFunction": self.http_ingest.function.function_name,
            "HttpAdminFunction": self.http_admin.function.function_name,
            "HttpAuthorizerFunction": self.http_authorizer.function.function_name,
            "IotRuleHandlerFunction": self.iot_rule_handler.function.function_name,
            "CsvTriggerFunction": self.csv_trigger.function.function_name,
            "ClassifierFunction": self.classifier.function.function_name,
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
            "KeyPepperSecret": data.key_pepper.secret.secret_arn,
            "CsvJobsTable": data.tables.csv_jobs.table_name,
            "MigrationTable": data.tables.migration.table_name,
            "QuarantineBucket": data.quarantine.bucket.bucket_name,
            "AlarmBus": data.alarms.bus.event_bus_name,
            "AlarmLogGroup": data.alarms.log_group.log_group_name,
            **self._optional,
        }
        for name, value in outputs.items():
            CfnOutput(self, name, value=value)
