"""Notifications of S3 about dropped files, as messages of the inbox queue."""

from base64 import b64encode
from urllib.parse import unquote_plus

import msgspec

from afluente.application.csv.files import FileVersion
from afluente.application.ingest.quarantine import QuarantinedRecord, QuarantineReason


class NoNotificationError(Exception):
    """A message that is no notification of S3."""


class _Object(msgspec.Struct, rename={"etag": "eTag", "version_id": "versionId"}):
    key: str
    size: int
    etag: str
    # Of an object from before versioning was on.
    version_id: str = "null"


class _S3(msgspec.Struct):
    object: _Object


class _Event(msgspec.Struct):
    s3: _S3


class _Notification(msgspec.Struct, rename={"records": "Records"}):
    # None in the test that S3 sends when notifications are switched on.
    records: list[_Event] = []


_decoder = msgspec.json.Decoder(_Notification)


def dropped_files(body: str) -> list[FileVersion]:
    """The files of a notification.

    Raises:
        NoNotificationError: the message is none.
    """
    try:
        notification = _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError) as error:
        raise NoNotificationError(f"the message is no notification of S3: {error}") from error
    return [_file(event.s3.object) for event in notification.records]


def _file(item: _Object) -> FileVersion:
    # The key is form-encoded: a space is a plus sign, and a plus sign %2B.
    return FileVersion(unquote_plus(item.key), item.version_id, item.etag.strip('"'), item.size)


def quarantined_csv_message(body: str, error: Exception, *, message_id: str, sent_at: float) -> QuarantinedRecord:
    """The quarantined record of an unusable message of either queue of CSV files.

    Args:
        body: the message.
        error: the reason.
        message_id: the queue's id of the message.
        sent_at: when the queue got it, in Unix seconds.
    """
    return QuarantinedRecord(
        record_id=message_id,
        reason=QuarantineReason.UNUSABLE_MESSAGE,
        transport="csv",
        failed_at=sent_at,
        message=str(error),
        origin={},
        payload=b64encode(body.encode("utf-8", "surrogatepass")).decode(),
        payload_encoding="base64",
    )
