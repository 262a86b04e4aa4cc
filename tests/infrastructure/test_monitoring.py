"""CloudWatch alarms that call an operator."""

import pytest

from infra.presets import prod as prod_stage
from tests.infrastructure.deployment import Deployment

ALARMS = {
    "afluente-prod-dead-letters": (
        "AWS/SQS",
        "ApproximateNumberOfMessagesVisible",
        "afluente-prod-datapoints-dlq.fifo",
        1,
    ),
    "afluente-prod-queue-age": ("AWS/SQS", "ApproximateAgeOfOldestMessage", "afluente-prod-datapoints.fifo", 301),
    "afluente-prod-mqtt-dead-letters": (
        "AWS/SQS",
        "ApproximateNumberOfMessagesVisible",
        "afluente-prod-mqtt-inbox-dlq",
        1,
    ),
    "afluente-prod-mqtt-inbox-age": ("AWS/SQS", "ApproximateAgeOfOldestMessage", "afluente-prod-mqtt-inbox", 301),
    "afluente-prod-csv-inbox-dead-letters": (
        "AWS/SQS",
        "ApproximateNumberOfMessagesVisible",
        "afluente-prod-csv-inbox-dlq",
        1,
    ),
    "afluente-prod-csv-jobs-dead-letters": (
        "AWS/SQS",
        "ApproximateNumberOfMessagesVisible",
        "afluente-prod-csv-jobs-dlq.fifo",
        1,
    ),
    "afluente-prod-csv-inbox-age": ("AWS/SQS", "ApproximateAgeOfOldestMessage", "afluente-prod-csv-inbox", 301),
    "afluente-prod-csv-trigger-errors": ("AWS/Lambda", "Errors", "afluente-prod-csv-trigger", 1),
    "afluente-prod-iot-rule-handler-errors": ("AWS/Lambda", "Errors", "afluente-prod-iot-rule-handler", 1),
    "afluente-prod-ws-ingest-errors": ("AWS/Lambda", "Errors", "afluente-prod-ws-ingest", 1),
    "afluente-prod-classifier-errors": ("AWS/Lambda", "Errors", "afluente-prod-classifier", 1),
    "afluente-prod-http-5xx": ("AWS/ApiGateway", "5xx", "afluente-prod-http", 1),
}


def test_there_is_an_alarm_for_each_way_to_fall_behind_or_fail(prod: Deployment) -> None:
    alarms = {
        alarm["AlarmName"]: (
            alarm["Namespace"],
            alarm["MetricName"],
            prod.plain(alarm["Dimensions"])[0]["Value"],
            alarm["Threshold"],
        )
        for alarm in prod.resources("AWS::CloudWatch::Alarm").values()
    }

    assert alarms == ALARMS


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_is_published_when_it_begins_and_when_it_ends(prod: Deployment, name: str) -> None:
    alarm = prod.plain(prod.one("AWS::CloudWatch::Alarm", AlarmName=name))

    assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
    assert alarm["AlarmActions"] == ["afluente-prod-operations"]
    assert alarm["OKActions"] == ["afluente-prod-operations"]
    # No traffic is no failure.
    assert alarm["TreatMissingData"] == "notBreaching"


def test_the_operator_gets_mail_if_the_stage_names_an_address(prod: Deployment) -> None:
    assert prod_stage().operations_email is None
    assert prod.resources("AWS::SNS::Subscription") == {}
