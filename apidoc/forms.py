"""Forms that the service reads or writes field by field, as records; tests hold them to the readers and the answers."""

from typing import Any, Literal

import msgspec

from afluente.application.constraints.changes import Effect
from afluente.application.constraints.history import ChangeKind
from afluente.application.csv.jobs import JobStatus
from afluente.application.csv.reports import JobReport
from afluente.domain.constraints import RateConstraints, StreamConfig, ValueConstraints


class Announcement(msgspec.Struct):
    """A file that is still to be uploaded.

    Attributes:
        file: the name of the file; of a path the last part counts.
        domain: of its points; may be said by the header X-Domain.
        source_id: of its points; may be said by the header X-Source-ID. A file has to name its source.
        size: of the file, in bytes. If it is given, the URL takes a file of just that size.
        options: how the file is to be read; options may also be fields of their own.
    """

    file: str
    domain: str | None = None
    source_id: str | None = None
    size: int | None = None
    options: dict[str, Any] | None = None


class Renewal(msgspec.Struct):
    """An upload whose URLs have expired.

    Attributes:
        size: of the whole file, in bytes; required with an upload_id.
        upload_id: of the upload, where it goes in parts.
    """

    size: int | None = None
    upload_id: str | None = None


class UploadAtOnce(msgspec.Struct):
    """A URL that takes the whole file.

    Attributes:
        method: of the request that uploads it.
        url: takes the file without a key.
        expires_at: until when, in Unix seconds; in an account it may end sooner, with the credentials that signed it.
    """

    method: Literal["PUT"]
    url: str
    expires_at: float


class UploadInParts(msgspec.Struct):
    """URLs that take the parts of a file.

    Attributes:
        method: says that the file goes in parts.
        upload_id: names the upload once its URLs have expired.
        part_bytes: the size of every part but the last.
        part_urls: a URL for each part, in their order: PUT the part, and keep the header ETag of the answer.
        complete_url: POST the list of the parts to it once all are up.
        abort_url: DELETE it to give the upload up.
        expires_at: until when, in Unix seconds.
    """

    method: Literal["multipart"]
    upload_id: str
    part_bytes: int
    part_urls: list[str]
    complete_url: str
    abort_url: str
    expires_at: float


class UploadBegun(msgspec.Struct):
    """A job that awaits its file, and where the file is to be uploaded to.

    Attributes:
        job_id: of the job.
        status: of the job.
        upload: how the file is uploaded.
    """

    job_id: str
    status: JobStatus
    upload: dict[str, Any]


class Next(msgspec.Struct):
    """Where a list goes on.

    Attributes:
        before: the parameter `before` of the next page.
    """

    before: float


class JobList(msgspec.Struct):
    """A page of jobs, the newest first.

    Attributes:
        jobs: without their options; they may be fewer than `limit`, even none.
        next: the next page; null where there is none.
    """

    jobs: list[JobReport]
    next: Next | None


class Health(msgspec.Struct):
    """The service answers.

    Attributes:
        status: that it does.
        service: which it is.
        version: of the service.
    """

    status: Literal["ok"]
    service: Literal["afluente"]
    version: str


class GatewayMessage(msgspec.Struct):
    """What API Gateway answers itself, before or instead of the service.

    Attributes:
        message: what is wrong.
    """

    message: str


class ConstraintsBody(msgspec.Struct):
    """The constraints of a stream, or of a template.

    Attributes:
        stream_type: what kind of stream it is; of a template it may only repeat what the request is for.
        value_constraints: bounds of the value.
        rate_constraints: bounds of its change.
        consecutive_violations_required: violating points in a row that raise the alarm, and normal ones that clear it.
        cooldown_seconds: between two raises of the alarm, by the time of the data.
        metadata: anything people want to keep beside it.
        key: of the stream; may only repeat what the request is for.
        domain: of the template; may only repeat what the request is for.
        file, column, version: for people, and passed over: so what is shown can be sent again.
    """

    value_constraints: ValueConstraints | msgspec.UnsetType = msgspec.UNSET
    rate_constraints: RateConstraints | msgspec.UnsetType = msgspec.UNSET
    consecutive_violations_required: int = StreamConfig().consecutive_violations_required
    cooldown_seconds: float = StreamConfig().cooldown_seconds
    metadata: dict[str, Any] = {}
    stream_type: str | None = None
    key: str | msgspec.UnsetType = msgspec.UNSET
    domain: str | msgspec.UnsetType = msgspec.UNSET
    file: Any = msgspec.UNSET
    column: Any = msgspec.UNSET
    version: Any = msgspec.UNSET


class ConstraintsEntry(ConstraintsBody):
    """The constraints of a stream, by its key, or of a template, by its domain, with or without a type of streams.

    Attributes:
        key: of the stream: `domain/source_id/stream_id`; a stream has no domain of its own here.
        domain: of the template.
        stream_type: what kind of stream it is; of a template the type that it is for.
    """


class ConstraintsShown(msgspec.Struct):
    """Constraints that are in force.

    Attributes:
        version: of them; the ETag says it, too.
        key: of the stream: `domain/source_id/stream_id`.
        domain: of the template.
        stream_type: what kind of stream it is; of a template the type that it is for.
        value_constraints: bounds of the value.
        rate_constraints: bounds of its change.
        consecutive_violations_required: left out where it is the default.
        cooldown_seconds: left out where it is the default.
        metadata: left out where there is none.
    """

    version: int
    key: str | msgspec.UnsetType = msgspec.UNSET
    domain: str | msgspec.UnsetType = msgspec.UNSET
    stream_type: str | msgspec.UnsetType = msgspec.UNSET
    value_constraints: ValueConstraints | msgspec.UnsetType = msgspec.UNSET
    rate_constraints: RateConstraints | msgspec.UnsetType = msgspec.UNSET
    consecutive_violations_required: int | msgspec.UnsetType = msgspec.UNSET
    cooldown_seconds: float | msgspec.UnsetType = msgspec.UNSET
    metadata: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET


class ConstraintsList(msgspec.Struct):
    """A page of constraints, by their scopes.

    Attributes:
        constraints: they may be fewer than `limit`, even none.
        next: the parameter `next` of the next page; null where there is none.
    """

    constraints: list[ConstraintsShown]
    next: str | None


class Version(msgspec.Struct):
    """Which constraints are to be in force again.

    Attributes:
        version: of the history.
    """

    version: int


class ConstraintsEffect(msgspec.Struct):
    """What became of an entry.

    Attributes:
        key: of its stream.
        domain: of its template.
        stream_type: of its template, where it is for a type.
        result: what became of it.
        version: that its constraints have since.
    """

    result: Effect
    version: int
    key: str | msgspec.UnsetType = msgspec.UNSET
    domain: str | msgspec.UnsetType = msgspec.UNSET
    stream_type: str | msgspec.UnsetType = msgspec.UNSET


class ConstraintsApplied(msgspec.Struct):
    """What became of the entries of a request.

    Attributes:
        results: one for each entry, in their order.
    """

    results: list[ConstraintsEffect]


class ConstraintsChanged(msgspec.Struct):
    """A change of constraints.

    Attributes:
        version: that they have since.
        kind: what was done.
        at: when, in Unix seconds.
        by: who did it: `key:` and the id of an API key, or the name of a command.
        restored: the version that a roll back wrote again.
        constraints: since then, as they were written; null after a deletion.
    """

    version: int
    kind: ChangeKind
    at: float
    by: str
    constraints: dict[str, Any] | None
    restored: int | msgspec.UnsetType = msgspec.UNSET


class ConstraintsHistory(msgspec.Struct):
    """A page of the changes of constraints, the newest first.

    Attributes:
        key: of the stream.
        domain: of the template.
        stream_type: of the template, where it is for a type.
        changes: they may be fewer than `limit`.
        next: the parameter `before` of the next page; null where there is none.
    """

    changes: list[ConstraintsChanged]
    next: int | None
    key: str | msgspec.UnsetType = msgspec.UNSET
    domain: str | msgspec.UnsetType = msgspec.UNSET
    stream_type: str | msgspec.UnsetType = msgspec.UNSET
