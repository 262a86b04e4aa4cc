"""The key of a stage's own, which encrypts all data of the stage, and grants of its use."""

from collections.abc import Iterable, Iterator

from aws_cdk import ArnFormat, Duration, Stack
from aws_cdk.aws_iam import IGrantable, PolicyStatement, ServicePrincipal
from aws_cdk.aws_kms import Key
from constructs import Construct

from infra.constructs import lifetime
from infra.stage import Stage

ROTATION = Duration.days(365)
"""KMS, "Rotation period": older key material is kept, so that what it encrypted can still be read."""

DATA_KEY_REUSE = Duration.minutes(5)
"""SQS, "Data key reuse period": one call to KMS in so many minutes for each queue and caller, not for each message.
A caller that loses the key can still read for as long."""

_READ = ("kms:Decrypt",)
_WRITE = ("kms:GenerateDataKey",)
_READ_AND_WRITE = (*_READ, *_WRITE)
# DynamoDB Developer Guide, "Authorizing use of your customer managed key".
_TABLE = ("kms:Decrypt", "kms:DescribeKey")
_TABLE_WRITE = (
    *_TABLE,
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
)
_LOGS = ("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*")

_NEEDED: dict[str, tuple[str, tuple[str, ...]]] = {
    # SQS Developer Guide, "Configuring KMS permissions": who sends checks the data key too.
    "sqs:SendMessage": ("sqs", _READ_AND_WRITE),
    "sqs:ReceiveMessage": ("sqs", _READ),
    "dynamodb:GetItem": ("dynamodb", _TABLE),
    "dynamodb:BatchGetItem": ("dynamodb", _TABLE),
    "dynamodb:Query": ("dynamodb", _TABLE),
    "dynamodb:Scan": ("dynamodb", _TABLE),
    "dynamodb:PutItem": ("dynamodb", _TABLE_WRITE),
    "dynamodb:UpdateItem": ("dynamodb", _TABLE_WRITE),
    "dynamodb:DeleteItem": ("dynamodb", _TABLE_WRITE),
    "dynamodb:BatchWriteItem": ("dynamodb", _TABLE_WRITE),
    "dynamodb:ConditionCheckItem": ("dynamodb", _TABLE),
    "s3:GetObject": ("s3", _READ),
    "s3:GetObjectVersion": ("s3", _READ),
    # An upload in parts reads the data key of its first part: S3 User Guide, "Multipart upload API and permissions".
    "s3:PutObject": ("s3", _READ_AND_WRITE),
    "kinesis:PutRecords": ("kinesis", _WRITE),
    "secretsmanager:GetSecretValue": ("secretsmanager", _READ),
}
"""Actions of the key that an action on encrypted data needs, and the service that does them."""


class Encryption(Construct):
    """A key that KMS rotates every year, or none: then each service encrypts with the key that AWS manages for it.

    It outlives its stack in every stage, as the buckets do that it encrypts.
    """

    def __init__(self, scope: Construct, id_: str, *, stage: Stage) -> None:
        super().__init__(scope, id_)
        self._stage = stage
        self.key = self._key() if stage.customer_managed_key else None

    def _key(self) -> Key:
        key = Key(
            self,
            "Key",
            alias=f"alias/{self._stage.prefix}",
            description=f"afluente {self._stage.name}: all that the stage keeps",
            enable_key_rotation=True,
            rotation_period=ROTATION,
            removal_policy=lifetime.KEPT,
        )
        for statement in self._services():
            key.add_to_resource_policy(statement)
        return key

    def _services(self) -> Iterator[PolicyStatement]:
        """Statements for services of AWS that use the key by themselves, without the rights of a caller."""
        stage, stack = self._stage, Stack.of(self)
        of_this_account = {"aws:SourceAccount": stack.account}
        yield _statement(
            "LogGroupsOfThisStage",
            f"logs.{stack.region}.amazonaws.com",
            _LOGS,
            {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": [self._log_groups(name) for name in log_groups(stage)]}},
        )
        alarms = self._arn("cloudwatch", "alarm", f"{stage.prefix}-*")
        yield _statement(
            "AlarmsToTheTopic",
            "cloudwatch.amazonaws.com",
            _READ_AND_WRITE,
            {"StringEquals": of_this_account, "ArnLike": {"aws:SourceArn": alarms}},
        )
        bus = stack.format_arn(service="events", resource="event-bus", resource_name=f"{stage.prefix}-alarms")
        yield _statement(
            "EventsOnTheBus",
            "events.amazonaws.com",
            _READ_AND_WRITE,
            {
                "StringEquals": {
                    **of_this_account,
                    "aws:SourceArn": bus,
                    "kms:EncryptionContext:aws:events:event-bus:arn": bus,
                }
            },
        )
        # EventBridge User Guide, "Authorizing EventBridge to use a customer managed key": without a context.
        yield _statement(
            "BusLooksAtItsKey", "events.amazonaws.com", ("kms:DescribeKey",), {"StringEquals": of_this_account}
        )
        if stage.enable_csv_ingest:
            yield _statement("FilesToTheInbox", "s3.amazonaws.com", _READ_AND_WRITE, {"StringEquals": of_this_account})

    def _log_groups(self, name: str) -> str:
        return self._arn("logs", "log-group", name)

    def _arn(self, service: str, resource: str, name: str) -> str:
        return Stack.of(self).format_arn(
            service=service, resource=resource, resource_name=name, arn_format=ArnFormat.COLON_RESOURCE_NAME
        )


def log_groups(stage: Stage) -> tuple[str, ...]:
    """Patterns of the names of all log groups of a stage."""
    return (
        f"/aws/lambda/{stage.prefix}-*",
        f"/aws/vendedlogs/afluente/{stage.name}/*",
        f"/afluente/{stage.name}/*",
        f"aws-waf-logs-{stage.prefix}-*",
    )


def allow_key(grantee: IGrantable, key: Key | None, actions: Iterable[str]) -> None:
    """Let a grantee of the actions use the key of the stage for them, through the same services alone."""
    if key is None:
        return
    needed: dict[str, set[str]] = {}
    for action in actions:
        if action in _NEEDED:
            service, with_it = _NEEDED[action]
            needed.setdefault(service, set()).update(with_it)
    for service, with_key in needed.items():
        grantee.grant_principal.add_to_principal_policy(
            PolicyStatement(
                actions=sorted(with_key),
                resources=[key.key_arn],
                conditions={"StringEquals": {"kms:ViaService": f"{service}.{Stack.of(key).region}.amazonaws.com"}},
            )
        )


def _statement(sid: str, service: str, actions: Iterable[str], conditions: dict[str, object]) -> PolicyStatement:
    return PolicyStatement(
        sid=sid,
        principals=[ServicePrincipal(service)],
        actions=list(actions),
        # In the policy of a key this is the key.
        resources=["*"],
        conditions=conditions,
    )
