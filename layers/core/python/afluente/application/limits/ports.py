"""The port of limits: the store of shared buckets."""

from typing import Protocol

from afluente.application.limits.leases import SharedBucket


class LimitStore(Protocol):
    """Shared buckets by subject."""

    def load(self, subject: str) -> SharedBucket:
        """The newest bucket of a subject; an empty `SharedBucket()` if none is stored.

        Raises:
            UnavailableError: the store does not answer.
        """
        ...

    def save(self, subject: str, bucket: SharedBucket, *, expires_at: float) -> SharedBucket | None:
        """Replace the bucket of a subject, on the condition that the stored one is of the version before.

        Args:
            subject: the subject.
            bucket: its version is one more than that of the bucket it was made from.
            expires_at: time from which it may be deleted, in Unix seconds.

        Returns:
            None if it is saved; the stored bucket if another writer was faster.

        Raises:
            UnavailableError: the store does not answer; it may have saved the bucket all the same.
        """
        ...
