"""The Kinesis stream of each class of data point."""

from aws_cdk import Duration
from aws_cdk.aws_kinesis import Stream, StreamEncryption, StreamMode
from aws_cdk.aws_kms import IKey
from constructs import Construct

from infra.checks import acknowledge
from infra.constructs import lifetime
from infra.stage import Stage


class ClassStreams(Construct):
    """One stream a class, encrypted with the key of the stage or the one that Kinesis manages in the account."""

    def __init__(self, scope: Construct, id_: str, *, stage: Stage, key: IKey | None) -> None:
        super().__init__(scope, id_)
        self._stage = stage
        self._encryption_key = key
        self.alert = self._stream("Alert", "alert")
        self.warning = self._stream("Warning", "warning")
        self.anomaly = self._stream("Anomaly", "anomaly")
        self.normal = self._stream("Normal", "normal")

    @property
    def all(self) -> tuple[Stream, ...]:
        return self.alert, self.warning, self.anomaly, self.normal

    def _stream(self, id_: str, name: str) -> Stream:
        shards = self._stage.stream_shards
        stream = Stream(
            self,
            id_,
            stream_name=f"{self._stage.prefix}-{name}",
            stream_mode=StreamMode.ON_DEMAND if shards is None else StreamMode.PROVISIONED,
            shard_count=shards,
            retention_period=Duration.hours(self._stage.stream_retention_hours),
            encryption=StreamEncryption.MANAGED if self._encryption_key is None else StreamEncryption.KMS,
            encryption_key=self._encryption_key,
            removal_policy=lifetime.of_data(self._stage),
        )
        if self._encryption_key is not None:
            acknowledge(
                stream,
                "AwsSolutions-KDS3",
                "The stage asks for a key of its own: who may read the streams is then in the hand of its owner.",
            )
        return stream
