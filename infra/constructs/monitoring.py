"""CloudWatch alarms that call an operator."""

from aws_cdk import ArnFormat, Duration, Stack
from aws_cdk.aws_apigatewayv2 import HttpApi
from aws_cdk.aws_cloudwatch import Alarm, ComparisonOperator, Metric, TreatMissingData
from aws_cdk.aws_cloudwatch_actions import SnsAction
from aws_cdk.aws_iam import PolicyStatement, ServicePrincipal
from aws_cdk.aws_kms import IKey
from aws_cdk.aws_lambda import Function
from aws_cdk.aws_logs import FilterPattern, LogGroup, MetricFilter
from aws_cdk.aws_sns import Topic
from aws_cdk.aws_sns_subscriptions import EmailSubscription
from aws_cdk.aws_sqs import Queue
from constructs import Construct

from afluente.runtime.core.observability import METRICS_NAMESPACE, LogCode
from infra.constructs.queue import CsvInboxQueue, CsvJobsQueue, DatapointsQueue, MqttInboxQueue
from infra.stage import Stage

MAX_AGE = Duration.minutes(5)
"""Messages that wait longer show that their function does not keep up, or cannot go on."""

_MINUTE = Duration.minutes(1)
_FIVE_MINUTES = Duration.minutes(5)


class Monitoring(Construct):
    """CloudWatch alarms, published to an SNS topic when they begin and when they end."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        stage: Stage,
        datapoints: DatapointsQueue,
        mqtt_inbox: MqttInboxQueue,
        csv_inbox: CsvInboxQueue,
        csv_jobs: CsvJobsQueue,
        iot_rule_handler: Function,
        csv_trigger: Function,
        ws_ingest: Function | None,
        classifier: Function,
        legacy_tables_log: LogGroup | None,
        api: HttpApi,
        key: IKey | None,
    ) -> None:
        super().__init__(scope, id_)
        self._stage = stage
        self.topic = self._topic(key)
        self._packs(datapoints, classifier)
        if legacy_tables_log is not None:
            self._legacy_tables(legacy_tables_log)
        self._mqtt(mqtt_inbox, iot_rule_handler)
        self._csv(csv_inbox, csv_jobs, csv_trigger)
        if ws_ingest is not None:
            self._errors(
                "WsIngestErrors",
                "ws-ingest-errors",
                ws_ingest,
                "ws_ingest failed as a whole: its clients retry, and its log names the cause.",
            )
        self._alarm(
            "HttpServerErrors",
            "http-5xx",
            api.metric_server_error(period=_FIVE_MINUTES, statistic="Sum"),
            1,
            "Requests ended with a server error, and clients retry them: read the log of http_ingest.",
        )

    def _packs(self, datapoints: DatapointsQueue, classifier: Function) -> None:
        self._dead_letters(
            "DeadLetters",
            "dead-letters",
            datapoints.dead_letter_queue,
            "Packs could not be classified: read the classifier's log, mend the cause, then run "
            f"`afluente dlq redrive --stage {self._stage.name}`.",
        )
        self._age(
            "QueueAge",
            "queue-age",
            datapoints.queue,
            "The oldest pack has waited more than 5 minutes: the classifier does not keep up or a dependency is down.",
        )
        self._errors(
            "ClassifierErrors",
            "classifier-errors",
            classifier,
            "The classifier failed as a whole: its packs are retried, and its log names the cause.",
        )

    def _legacy_tables(self, log: LogGroup) -> None:
        self._lines(
            "OldTablesUnavailable",
            "old-tables-unavailable",
            log,
            LogCode.LEGACY_TABLES_UNAVAILABLE,
            "The legacy database does not answer, or its tables have other names: packs are retried. Read "
            "the cause in the classifier's log, under LEGACY_TABLES_UNAVAILABLE.",
        )
        self._lines(
            "CanaryRolledBack",
            "canary-rolled-back",
            log,
            LogCode.CANARY_ROLLED_BACK,
            "The canary was rolled back: the legacy classifier evaluates every reading. Nothing is lost; see why with "
            f"`afluente migrate canary history --stage {self._stage.name}`.",
        )

    def _mqtt(self, inbox: MqttInboxQueue, iot_rule_handler: Function) -> None:
        self._dead_letters(
            "MqttDeadLetters",
            "mqtt-dead-letters",
            inbox.dead_letter_queue,
            "MQTT messages could not be queued: read the log of iot_rule_handler, mend the cause, then run "
            f"`afluente dlq redrive --queue mqtt --stage {self._stage.name}`.",
        )
        self._age(
            "MqttInboxAge",
            "mqtt-inbox-age",
            inbox.queue,
            "The oldest MQTT message has waited more than 5 minutes: iot_rule_handler does not keep up or SQS is away.",
        )
        self._errors(
            "IotRuleHandlerErrors",
            "iot-rule-handler-errors",
            iot_rule_handler,
            "iot_rule_handler failed as a whole: its messages are retried, and its log names the cause.",
        )

    def _csv(self, inbox: CsvInboxQueue, jobs: CsvJobsQueue, csv_trigger: Function) -> None:
        """There is no alarm for the age of jobs: a job may wait for a large one of the same source."""
        self._dead_letters(
            "CsvInboxDeadLetters",
            "csv-inbox-dead-letters",
            inbox.dead_letter_queue,
            "New CSV files did not become jobs: read the log of csv_trigger, mend the cause, then run "
            f"`afluente dlq redrive --queue csv-inbox --stage {self._stage.name}`.",
        )
        self._dead_letters(
            "CsvJobsDeadLetters",
            "csv-jobs-dead-letters",
            jobs.dead_letter_queue,
            "CSV jobs came to no end in 1,000 attempts: read the log of csv_trigger, mend the cause, then run "
            f"`afluente dlq redrive --queue csv-jobs --stage {self._stage.name}`.",
        )
        self._age(
            "CsvInboxAge",
            "csv-inbox-age",
            inbox.queue,
            "The oldest new CSV file has waited more than 5 minutes to become a job: read the log of csv_trigger; it "
            "does not keep up or a dependency is down.",
        )
        self._errors(
            "CsvTriggerErrors",
            "csv-trigger-errors",
            csv_trigger,
            "csv_trigger failed as a whole: its jobs continue where they were, and its log names the cause.",
        )

    def _dead_letters(self, id_: str, name: str, queue: Queue, description: str) -> None:
        visible = queue.metric_approximate_number_of_messages_visible(period=_MINUTE, statistic="Maximum")
        self._alarm(id_, name, visible, 1, description)

    def _age(self, id_: str, name: str, queue: Queue, description: str) -> None:
        age = queue.metric_approximate_age_of_oldest_message(period=_MINUTE, statistic="Maximum")
        self._alarm(id_, name, age, MAX_AGE.to_seconds() + 1, description)

    def _errors(self, id_: str, name: str, function: Function, description: str) -> None:
        self._alarm(id_, name, function.metric_errors(period=_FIVE_MINUTES, statistic="Sum"), 1, description)

    def _lines(self, id_: str, name: str, log: LogGroup, code: LogCode, description: str) -> None:
        # Counted from the log: an invocation that runs out of time has logged its line, but writes no metrics.
        lines = MetricFilter(
            self,
            f"{id_}Lines",
            log_group=log,
            filter_pattern=FilterPattern.string_value("$.code", "=", code),
            metric_namespace=f"{METRICS_NAMESPACE}/{self._stage.name}",
            metric_name=id_,
            metric_value="1",
        )
        self._alarm(id_, name, lines.metric(period=_FIVE_MINUTES, statistic="Sum"), 1, description)

    def _topic(self, key: IKey | None) -> Topic:
        topic = Topic(self, "Topic", topic_name=f"{self._stage.prefix}-operations", enforce_ssl=True, master_key=key)
        topic.add_to_resource_policy(
            PolicyStatement(
                # A topic with a policy of its own has lost the default one, by which CloudWatch could publish.
                sid="AlarmsOfThisStage",
                principals=[ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
                conditions={"ArnLike": {"aws:SourceArn": self._alarm_arns()}},
            )
        )
        if self._stage.operations_email is not None:
            topic.add_subscription(EmailSubscription(self._stage.operations_email))
        return topic

    def _alarm_arns(self) -> str:
        return Stack.of(self).format_arn(
            service="cloudwatch",
            resource="alarm",
            resource_name=f"{self._stage.prefix}-*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )

    def _alarm(self, id_: str, name: str, metric: Metric, threshold: float, description: str) -> None:
        alarm = Alarm(
            self,
            id_,
            alarm_name=f"{self._stage.prefix}-{name}",
            alarm_description=description,
            metric=metric,
            threshold=threshold,
            comparison_operator=ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            evaluation_periods=1,
            treat_missing_data=TreatMissingData.NOT_BREACHING,
        )
        action = SnsAction(self.topic)
        alarm.add_alarm_action(action)
        alarm.add_ok_action(action)
