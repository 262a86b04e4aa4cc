"""Environment variables that each function needs."""

HTTP_INGEST = {
    "AFLUENTE_DOMAINS": "iot, health",
    "AFLUENTE_SHARDS": "64",
    "AFLUENTE_DATAPOINTS_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/123456789012/datapoints.fifo",
    "AFLUENTE_QUARANTINE_BUCKET": "quarantine",
}

IOT_RULE_HANDLER = HTTP_INGEST

HTTP_ADMIN = {
    "AFLUENTE_DOMAINS": "iot, health",
    "AFLUENTE_CONSTRAINTS_TABLE": "stream-constraints",
    "AFLUENTE_CONSTRAINT_HISTORY_TABLE": "constraint-history",
    "AFLUENTE_ALARM_LOG_GROUP": "/afluente/dev/alarms",
}

CLASSIFIER = {
    "AFLUENTE_CSV_SLOTS_TABLE": "csv-slots",
    "AFLUENTE_DATAPOINTS_DLQ_URL": "https://sqs.us-east-1.amazonaws.com/123456789012/datapoints-dlq.fifo",
    "AFLUENTE_DATAPOINTS_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/123456789012/datapoints.fifo",
    "AFLUENTE_STREAM_ALERT": "alert",
    "AFLUENTE_STREAM_WARNING": "warning",
    "AFLUENTE_STREAM_ANOMALY": "anomaly",
    "AFLUENTE_STREAM_NORMAL": "normal",
    "AFLUENTE_LATEST_TABLE": "stream-latest",
    "AFLUENTE_CONSTRAINTS_TABLE": "stream-constraints",
    "AFLUENTE_QUARANTINE_BUCKET": "quarantine",
    "AFLUENTE_ALARM_BUS": "alarms",
    "AFLUENTE_ALARM_LOG_GROUP": "/afluente/dev/alarms",
    "AFLUENTE_ALARM_LOG_STREAM": "alarms",
}

HTTP_AUTHORIZER = {
    "AFLUENTE_ACCESS_TABLE": "access",
    "AFLUENTE_KEY_USES_TABLE": "key-uses",
    "AFLUENTE_KEY_PEPPER_SECRET": "pepper",
}

WS_INGEST = {
    **HTTP_INGEST,
    **HTTP_AUTHORIZER,
    "AFLUENTE_CONNECTIONS_TABLE": "connections",
    "AFLUENTE_UNANSWERED_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/123456789012/unanswered",
    "AFLUENTE_WEBSOCKET_API_ID": "a1b2c3d4",
    "AFLUENTE_WEBSOCKET_STAGE": "live",
    "AFLUENTE_WEBSOCKET_MANAGEMENT_URL": "https://a1b2c3d4.execute-api.us-east-1.amazonaws.com/live",
}

CSV_TRIGGER = {
    **HTTP_INGEST,
    "AFLUENTE_CSV_BUCKET": "csv",
    "AFLUENTE_CSV_JOBS_TABLE": "csv-jobs",
    "AFLUENTE_CSV_SLOTS_TABLE": "csv-slots",
    "AFLUENTE_ACCESS_TABLE": "access",
    "AFLUENTE_CSV_INBOX_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/123456789012/csv-inbox",
    "AFLUENTE_CSV_JOBS_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/123456789012/csv-jobs.fifo",
}

ENVIRONMENTS = {
    "classifier": CLASSIFIER,
    "csv_trigger": CSV_TRIGGER,
    "http_admin": HTTP_ADMIN,
    "http_authorizer": HTTP_AUTHORIZER,
    "http_ingest": HTTP_INGEST,
    "iot_rule_handler": IOT_RULE_HANDLER,
    "ws_ingest": WS_INGEST,
}
