"""Faults of CSV files: why a job failed, and why rows were rejected."""

from enum import StrEnum

import msgspec


class JobFault(StrEnum):
    """Why a job failed: a closed set."""

    BAD_KEY = "bad_key"
    UNKNOWN_DOMAIN = "unknown_domain"
    UNSUPPORTED_FILE = "unsupported_file"
    INVALID_OPTIONS = "invalid_options"
    EMPTY_FILE = "empty_file"
    NOT_CSV = "not_csv"
    UNKNOWN_COLUMN = "unknown_column"
    NO_VALUES = "no_values"
    UNREADABLE_TIMES = "unreadable_times"
    AMBIGUOUS_DATES = "ambiguous_dates"
    AMBIGUOUS_NUMBERS = "ambiguous_numbers"
    AMBIGUOUS_UNIT = "ambiguous_unit"
    AMBIGUOUS_STREAMS = "ambiguous_streams"
    DAMAGED_ARCHIVE = "damaged_archive"
    FILE_GONE = "file_gone"
    KEY_REVOKED = "key_revoked"
    UPLOAD_USED = "upload_used"
    TOO_MANY_BYTES = "too_many_bytes"
    GIVEN_UP = "given_up"


MAX_REASON = 1_000
"""Characters of the reason of a job, which may repeat parts of its file."""


class JobFailure(msgspec.Struct, frozen=True):
    """Why a job failed, and a hint, for a person."""

    code: JobFault
    message: str


class NotReadableError(Exception):
    """A file that cannot be read as a whole.

    Attributes:
        reason: why, with a hint.
    """

    def __init__(self, code: JobFault, message: str) -> None:
        super().__init__(message)
        self.reason = JobFailure(code, message if len(message) <= MAX_REASON else f"{message[: MAX_REASON - 1]}…")


class RowFaultCode(StrEnum):
    """Why a row, or a cell of it, was rejected: a closed set."""

    RAGGED_ROW = "ragged_row"
    UNTERMINATED_QUOTE = "unterminated_quote"
    ROW_TOO_LONG = "row_too_long"
    UNDECODABLE = "undecodable"
    MISSING_TIME = "missing_time"
    UNREADABLE_TIME = "unreadable_time"
    AMBIGUOUS_TIME = "ambiguous_time"
    NONEXISTENT_TIME = "nonexistent_time"
    NOT_SECONDS = "not_seconds"
    IN_FUTURE = "in_future"
    MISSING_STREAM = "missing_stream"
    BAD_STREAM_NAME = "bad_stream_name"
    NOT_A_NUMBER = "not_a_number"
    NOT_FINITE = "not_finite"


class RowFault(msgspec.Struct, frozen=True):
    """A fault of a row; of a cell, where a column is named."""

    code: RowFaultCode
    column: str | None
    message: str


class RejectedRow(msgspec.Struct, frozen=True):
    """A row that was rejected, or cells of it.

    Attributes:
        line: its first line in the file, from 1.
        row: its text, without the end of its last line.
        faults: everything that is wrong with it.
    """

    line: int
    row: str
    faults: tuple[RowFault, ...]
