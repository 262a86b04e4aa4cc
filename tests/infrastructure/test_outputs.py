"""Outputs, by which tools find the parts of a deployment."""

from collections.abc import Callable

from tests.infrastructure.deployment import Deployment

OUTPUTS = {
    "HttpApiId": "afluente-prod-http",
    "HttpApiUrl": "afluente-prod-http",
    "HttpIngestFunction": "afluente-prod-http-ingest",
    "HttpAdminFunction": "afluente-prod-http-admin",
    "HttpAuthorizerFunction": "afluente-prod-http-authorizer",
    "IotRuleHandlerFunction": "afluente-prod-iot-rule-handler",
    "CsvTriggerFunction": "afluente-prod-csv-trigger",
    "ClassifierFunction": "afluente-prod-classifier",
    "DatapointsQueueUrl": "afluente-prod-datapoints.fifo",
    "DatapointsDlqUrl": "afluente-prod-datapoints-dlq.fifo",
    "InboxQueueUrl": "afluente-prod-mqtt-inbox",
    "InboxDlqUrl": "afluente-prod-mqtt-inbox-dlq",
    "CsvInboxQueueUrl": "afluente-prod-csv-inbox",
    "CsvInboxDlqUrl": "afluente-prod-csv-inbox-dlq",
    "CsvJobsQueueUrl": "afluente-prod-csv-jobs.fifo",
    "CsvJobsDlqUrl": "afluente-prod-csv-jobs-dlq.fifo",
    "AlertStream": "afluente-prod-alert",
    "WarningStream": "afluente-prod-warning",
    "AnomalyStream": "afluente-prod-anomaly",
    "NormalStream": "afluente-prod-normal",
    "LatestTable": "afluente-prod-stream-latest",
    "ConstraintsTable": "afluente-prod-stream-constraints",
    "ConstraintHistoryTable": "afluente-prod-constraint-history",
    "AccessTable": "afluente-prod-access",
    "KeyUsesTable": "afluente-prod-key-uses",
    "KeyPepperSecret": "<SecretsManager::Secret>",
    "CsvJobsTable": "afluente-prod-csv-jobs",
    "MigrationTable": "afluente-prod-migration",
    "QuarantineBucket": "<QuarantineBucket>",
    "AlarmBus": "afluente-prod-alarms",
    "AlarmLogGroup": "/afluente/prod/alarms",
}
WITH_MQTT = {
    "IotPolicy": "afluente-prod-device",
    "LegacyIotPolicy": "afluente-prod-old-device",
    "BasicIngestRulePrefix": "afluente_prod_",
}
WITH_CSV = {"CsvBucket": "<CsvFilesBucket>"}
WITH_WEBSOCKET = {
    "WebSocketApiId": "afluente-prod-websocket",
    "WebSocketUrl": "wss://afluente-prod-websocket.execute-api.us-east-1.<AWS::URLSuffix>/live",
    "WsIngestFunction": "afluente-prod-ws-ingest",
    "ConnectionsTable": "afluente-prod-ws-connections",
}


def test_the_service_stack_names_every_part_of_the_deployment(prod: Deployment) -> None:
    outputs = {name: prod.plain(output["Value"]) for name, output in prod.service["Outputs"].items()}

    assert outputs == OUTPUTS | WITH_MQTT | WITH_CSV | WITH_WEBSOCKET


def test_a_transport_that_is_off_has_no_outputs(deployment_of: Callable[[str], Deployment]) -> None:
    assert deployment_of("migration").service["Outputs"].keys() == OUTPUTS.keys()


def test_a_template_needs_no_parameters_and_no_bootstrapped_account(prod: Deployment) -> None:
    for template in (prod.data, prod.service):
        assert "Parameters" not in template
        assert "Rules" not in template
