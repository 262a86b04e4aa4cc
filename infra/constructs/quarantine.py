"""The bucket of rejected records, each with its reason, to be replayed."""

from aws_cdk.aws_kms import IKey
from constructs import Construct

from afluente.adapters.aws.s3_quarantine import PREFIX
from infra.constructs.expiring_bucket import ExpiringBucket, Objects
from infra.stage import Stage

QUARANTINED_OBJECTS = Objects(
    f"{PREFIX}/*", "A quarantined record has a key of its own, known when it is written: no grant can be narrower."
)


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
