"""Grants of the functions of prod, without those of the stage's key, which follow from them."""

# The grants with a star in them: what each is for has a name of its own, known when it is made.
QUARANTINE = "<QuarantineBucket>/quarantine/*"
CSV_INBOX = "<CsvFilesBucket>/inbox/*"
CSV_REJECTS = "<CsvFilesBucket>/rejects/*"
CONNECTIONS = "arn:aws:execute-api:us-east-1:<AWS::AccountId>:afluente-prod-websocket/live/*/@connections/*"

OF_LIMITS = {("dynamodb:GetItem", "afluente-prod-limits"), ("dynamodb:PutItem", "afluente-prod-limits")}
CSV_OF_HTTP = {
    ("s3:PutObject", CSV_INBOX),
    ("s3:AbortMultipartUpload", CSV_INBOX),
    ("s3:GetObject", CSV_REJECTS),
    ("dynamodb:GetItem", "afluente-prod-csv-jobs"),
    ("dynamodb:BatchGetItem", "afluente-prod-csv-jobs"),
    ("dynamodb:PutItem", "afluente-prod-csv-jobs"),
    ("dynamodb:UpdateItem", "afluente-prod-csv-jobs"),
    ("dynamodb:Query", "afluente-prod-csv-jobs/index/by-domain"),
}
SENSORS = {("dynamodb:BatchGetItem", "afluente-prod-migration")}
GRANTS = {
    "http_ingest": {
        ("sqs:SendMessage", "afluente-prod-datapoints.fifo"),
        ("s3:PutObject", QUARANTINE),
        *CSV_OF_HTTP,
        *SENSORS,
        *OF_LIMITS,
    },
    "http_admin": {
        *OF_LIMITS,
        ("dynamodb:BatchGetItem", "afluente-prod-stream-constraints"),
        ("dynamodb:UpdateItem", "afluente-prod-stream-constraints"),
        ("dynamodb:Query", "afluente-prod-stream-constraints/index/by-domain"),
        ("dynamodb:PutItem", "afluente-prod-constraint-history"),
        ("dynamodb:Query", "afluente-prod-constraint-history"),
        ("logs:FilterLogEvents", "/afluente/prod/alarms"),
    },
    "http_authorizer": {
        ("dynamodb:GetItem", "afluente-prod-access"),
        ("dynamodb:GetItem", "afluente-prod-key-uses"),
        ("dynamodb:PutItem", "afluente-prod-key-uses"),
        ("secretsmanager:GetSecretValue", "<SecretsManager::Secret>"),
    },
    "iot_rule_handler": {
        *OF_LIMITS,
        ("sqs:ReceiveMessage", "afluente-prod-mqtt-inbox"),
        ("sqs:DeleteMessage", "afluente-prod-mqtt-inbox"),
        ("sqs:GetQueueAttributes", "afluente-prod-mqtt-inbox"),
        ("sqs:SendMessage", "afluente-prod-datapoints.fifo"),
        ("s3:PutObject", QUARANTINE),
        ("dynamodb:BatchGetItem", "afluente-prod-migration"),
    },
    "csv_trigger": {
        *(
            (f"sqs:{action}", queue)
            for action in ("ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility", "GetQueueAttributes")
            for queue in ("afluente-prod-csv-inbox", "afluente-prod-csv-jobs.fifo")
        ),
        *OF_LIMITS,
        ("dynamodb:GetItem", "afluente-prod-access"),
        ("sqs:SendMessage", "afluente-prod-csv-jobs.fifo"),
        ("sqs:SendMessage", "afluente-prod-datapoints.fifo"),
        ("s3:PutObject", QUARANTINE),
        ("s3:ListBucket", "<CsvFilesBucket>"),
        ("s3:GetObject", CSV_INBOX),
        ("s3:GetObjectVersion", CSV_INBOX),
        ("s3:GetObject", CSV_REJECTS),
        ("s3:PutObject", CSV_REJECTS),
        ("dynamodb:GetItem", "afluente-prod-csv-jobs"),
        ("dynamodb:PutItem", "afluente-prod-csv-jobs"),
        ("dynamodb:UpdateItem", "afluente-prod-csv-jobs"),
        ("dynamodb:DeleteItem", "afluente-prod-csv-jobs"),
        ("dynamodb:GetItem", "afluente-prod-csv-slots"),
        ("dynamodb:UpdateItem", "afluente-prod-csv-slots"),
    },
    "ws_ingest": {
        *OF_LIMITS,
        ("sqs:SendMessage", "afluente-prod-datapoints.fifo"),
        ("s3:PutObject", QUARANTINE),
        ("dynamodb:GetItem", "afluente-prod-access"),
        ("dynamodb:GetItem", "afluente-prod-key-uses"),
        ("dynamodb:PutItem", "afluente-prod-key-uses"),
        ("secretsmanager:GetSecretValue", "<SecretsManager::Secret>"),
        ("dynamodb:GetItem", "afluente-prod-ws-connections"),
        ("dynamodb:PutItem", "afluente-prod-ws-connections"),
        ("dynamodb:DeleteItem", "afluente-prod-ws-connections"),
        ("sqs:SendMessage", "afluente-prod-unanswered-connections"),
        ("sqs:ReceiveMessage", "afluente-prod-unanswered-connections"),
        ("sqs:DeleteMessage", "afluente-prod-unanswered-connections"),
        ("sqs:GetQueueAttributes", "afluente-prod-unanswered-connections"),
        ("execute-api:ManageConnections", CONNECTIONS),
    },
    "classifier": {
        ("sqs:ReceiveMessage", "afluente-prod-datapoints.fifo"),
        ("sqs:DeleteMessage", "afluente-prod-datapoints.fifo"),
        ("sqs:ChangeMessageVisibility", "afluente-prod-datapoints.fifo"),
        ("sqs:GetQueueAttributes", "afluente-prod-datapoints.fifo"),
        ("sqs:SendMessage", "afluente-prod-datapoints-dlq.fifo"),
        ("dynamodb:BatchGetItem", "afluente-prod-stream-constraints"),
        ("dynamodb:BatchGetItem", "afluente-prod-stream-latest"),
        ("dynamodb:Query", "afluente-prod-stream-latest"),
        ("dynamodb:PutItem", "afluente-prod-stream-latest"),
        ("dynamodb:UpdateItem", "afluente-prod-stream-latest"),
        ("dynamodb:UpdateItem", "afluente-prod-csv-slots"),
        ("kinesis:PutRecords", "afluente-prod-alert"),
        ("kinesis:PutRecords", "afluente-prod-warning"),
        ("kinesis:PutRecords", "afluente-prod-anomaly"),
        ("kinesis:PutRecords", "afluente-prod-normal"),
        ("events:PutEvents", "afluente-prod-alarms"),
        (
            "logs:PutLogEvents",
            "arn:aws:logs:us-east-1:<AWS::AccountId>:log-group:/afluente/prod/alarms:log-stream:alarms",
        ),
        ("s3:PutObject", QUARANTINE),
    },
}
