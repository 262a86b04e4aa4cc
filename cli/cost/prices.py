"""List prices of AWS."""

import msgspec

HOURS_A_MONTH = 730
SECONDS_A_MONTH = HOURS_A_MONTH * 3600


class Price(msgspec.Struct, frozen=True):
    """A list price.

    Attributes:
        service: as the bill names it.
        dollars: for one unit.
        unit: that is billed.
        source: page of AWS that has the price.
    """

    service: str
    dollars: float
    unit: str
    source: str


REGION = "us-east-1"
AS_OF = "2026-11-25"
"""Day on which the prices were taken from the pages; free tiers are left out."""

_MILLION = 1e-6
_API = "aws.amazon.com/api-gateway/pricing"
_IOT = "aws.amazon.com/iot-core/pricing"
_LAMBDA = "aws.amazon.com/lambda/pricing"
_SQS = "aws.amazon.com/sqs/pricing"
_DYNAMODB = "aws.amazon.com/dynamodb/pricing"
_KINESIS = "aws.amazon.com/kinesis/data-streams/pricing"
_CLOUDWATCH = "aws.amazon.com/cloudwatch/pricing"
_S3 = "aws.amazon.com/s3/pricing"

PRICES: dict[str, Price] = {
    "http_request": Price("API Gateway", 1.00 * _MILLION, "request of at most 512 KB", _API),
    "ws_message": Price("API Gateway", 1.00 * _MILLION, "message of at most 32 KB, either way", _API),
    "ws_minute": Price("API Gateway", 0.25 * _MILLION, "minute of a connection", _API),
    "transfer_gb": Price("Data transfer", 0.09, "GB to the internet", "aws.amazon.com/ec2/pricing/on-demand"),
    "iot_message": Price("IoT Core", 1.00 * _MILLION, "message of at most 5 KB", _IOT),
    "iot_rule": Price("IoT Core", 0.15 * _MILLION, "rule triggered, each 5 KB", _IOT),
    "iot_action": Price("IoT Core", 0.15 * _MILLION, "action of a rule, each 5 KB", _IOT),
    "iot_minute": Price("IoT Core", 0.08 * _MILLION, "minute of a connection", _IOT),
    "invocation": Price("Lambda", 0.20 * _MILLION, "invocation", _LAMBDA),
    "gb_second": Price("Lambda", 0.0000133334, "GB-second on arm64", _LAMBDA),
    "gb_second_x86": Price("Lambda", 0.0000166667, "GB-second on x86_64", _LAMBDA),
    "fifo_request": Price("SQS", 0.50 * _MILLION, "request to a FIFO queue, each 64 KB", _SQS),
    "standard_request": Price("SQS", 0.40 * _MILLION, "request to a standard queue, each 64 KB", _SQS),
    "write_unit": Price("DynamoDB", 0.625 * _MILLION, "write request unit, 1 KB", _DYNAMODB),
    "read_unit": Price("DynamoDB", 0.125 * _MILLION, "read request unit, 4 KB", _DYNAMODB),
    "write_capacity_hour": Price("DynamoDB", 0.00065, "hour of a provisioned write unit", _DYNAMODB),
    "read_capacity_hour": Price("DynamoDB", 0.00013, "hour of a provisioned read unit", _DYNAMODB),
    "stream_hour": Price("Kinesis", 0.04, "hour of a stream on demand", _KINESIS),
    "kinesis_in_gb": Price("Kinesis", 0.08, "GB written on demand, each record rounded up to 1 KB", _KINESIS),
    "kinesis_out_gb": Price("Kinesis", 0.04, "GB read on demand", _KINESIS),
    "shard_hour": Price("Kinesis", 0.015, "hour of a provisioned shard", _KINESIS),
    "payload_unit": Price("Kinesis", 0.014 * _MILLION, "record written to a shard, each 25 KB", _KINESIS),
    "log_gb": Price("CloudWatch", 0.50, "GB of logs ingested", _CLOUDWATCH),
    "alarm": Price("CloudWatch", 0.10, "month of an alarm", _CLOUDWATCH),
    "s3_put": Price("S3", 0.005 / 1000, "PUT request", _S3),
    "s3_get": Price("S3", 0.0004 / 1000, "GET request", _S3),
    "event": Price("EventBridge", 1.00 * _MILLION, "event, each 64 KB", "aws.amazon.com/eventbridge/pricing"),
    "secret": Price("Secrets Manager", 0.40, "month of a secret", "aws.amazon.com/secrets-manager/pricing"),
}
