"""The bucket of records that could not be taken, each with its reason, to be replayed."""

from aws_cdk.aws_kms import IKey
from constructs import Construct

from infra.constructs.expiring_bucket import ExpiringBucket
from infra.stage import Stage


class Quarantine(Construct):
    """A bucket whose records expire."""

    def __init__(self, scope: Construct, id_: str, *, stage: Stage, key: IKey | None) -> None:
        super().__init__(scope, id_)
        self.bucket = ExpiringBucket(
            self,
            "Bucket",
            stage=stage,
            key=key,
            unfinished_days=1,
            without_access_log="Two functions of this service are all that may write here",
        )
