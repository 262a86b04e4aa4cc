"""What tells the operator that the service needs a person."""

from aws_cdk import ArnFormat, Duration, Stack
from aws_cdk.aws_apigatewayv2 import HttpApi
from aws_cdk.aws_cloudwatch import Alarm, ComparisonOperator, Metric, TreatMissingData
from aws_cdk.aws_cloudwatch_actions import SnsAction
from aws_cdk.aws_iam import PolicyStatement, ServicePrincipal
from aws_cdk.aws_lambda import Function
from aws_cdk.aws_sns import Topic
from aws_cdk.aws_sns_subscriptions import EmailSubscription
from aws_cdk.aws_sqs import Queue
from constructs import Construct

from infra.stage import Stage

MAX_AGE = Duration.minutes(5)
"""A pack that waits longer than this says that the classifier does not keep up or cannot go on."""

_MINUTE = Duration.minutes(1)
_FIVE_MINUTES = Duration.minutes(5)


class Monitoring(Construct):
    """CloudWatch alarms, told to an SNS topic when they begin and when they are over."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        stage: Stage,
        queue: Queue,
        dead_letter_queue: Queue,
        mqtt_inbox: Queue,
        mqtt_dead_letter_queue: Queue,
        iot_rule_handler: Function,
        ws_ingest: Function | None,
        classifier: Function,
        api: HttpApi,
    ) -> None:
        super().__init__(scope, id_)
        self._stage = stage
        self.topic = self._topic()
        self._alarm(
            "DeadLetters",
            "dead-letters",
            dead_letter_queue.metric_approximate_number_of_messages_visible(period=_MINUTE, statistic="Maximum"),
            1,
            "Packs could not be classified: read the classifier's log, mend the cause, then run "
            f"`afluente dlq redrive --stage {stage.name}`.",
        )
        self._alarm(
            "QueueAge",
            "queue-age",
            queue.metric_approximate_age_of_oldest_message(period=_MINUTE, statistic="Maximum"),
            MAX_AGE.to_seconds() + 1,
            "The oldest pack has waited more than 5 minutes: the classifier does not keep up or a dependency is down.",
        )
        self._alarm(
            "MqttDeadLetters",
            "mqtt-dead-letters",
            mqtt_dead_letter_queue.metric_approximate_number_of_messages_visible(period=_MINUTE, statistic="Maximum"),
            1,
            "MQTT messages could not be queued: read the log of iot_rule_handler, mend the cause, then run "
            f"`afluente dlq redrive --queue mqtt --stage {stage.name}`.",
        )
        self._alarm(
            "MqttInboxAge",
            "mqtt-inbox-age",
            mqtt_inbox.metric_approximate_age_of_oldest_message(period=_MINUTE, statistic="Maximum"),
            MAX_AGE.to_seconds() + 1,
            "The oldest MQTT message has waited more than 5 minutes: iot_rule_handler does not keep up or SQS is away.",
        )
        self._alarm(
            "IotRuleHandlerErrors",
            "iot-rule-handler-errors",
            iot_rule_handler.metric_errors(period=_FIVE_MINUTES, statistic="Sum"),
            1,
            "iot_rule_handler failed as a whole: its messages come again, but its log says what to mend.",
        )
        if ws_ingest is not None:
            self._alarm(
                "WsIngestErrors",
                "ws-ingest-errors",
                ws_ingest.metric_errors(period=_FIVE_MINUTES, statistic="Sum"),
                1,
                "ws_ingest failed as a whole: its clients send again, but its log says what to mend.",
            )
        self._alarm(
            "ClassifierErrors",
            "classifier-errors",
            classifier.metric_errors(period=_FIVE_MINUTES, statistic="Sum"),
            1,
            "The classifier failed as a whole: its packs come again, but its log says what to mend.",
        )
        self._alarm(
            "HttpServerErrors",
            "http-5xx",
            api.metric_server_error(period=_FIVE_MINUTES, statistic="Sum"),
            1,
            "Clients were told to send again: read the log of http_ingest.",
        )

    def _topic(self) -> Topic:
        topic = Topic(self, "Topic", topic_name=f"{self._stage.prefix}-operations", enforce_ssl=True)
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
