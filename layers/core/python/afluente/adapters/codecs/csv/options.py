"""Options of a CSV file; those that are not given are inferred."""

import codecs
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import to_json

from afluente.domain.faults import Fault, FaultCode
from afluente.domain.stream_keys import part_faults

DEFAULT_NULLS = ("", "NA", "N/A", "#N/A", "NaN", "nan", "NULL", "null", "None", "none", "?", "-", "--")
"""Cells that hold no value, and are skipped, not rejected."""

UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
"""Units of Unix times, with their number in a second."""

MAX_SKIPPED_ROWS = 10_000

MAX_INTEGER = 2**63 - 1
"""Largest integer of 64 bits: no file has more rows."""

MAX_OPTIONS_BYTES = 65_536
"""Options of a file as JSON: they are kept in the item of its job (DynamoDB, "Item size": 400 KB)."""

# Directives of strptime that name a year: one of these is needed, or every time would be in 1900.
_NAMES_A_YEAR = ("%Y", "%y", "%G", "%c", "%x")


_ASCII = b'a,;"\r\n'
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_A_MOMENT = datetime(2024, 1, 31, 13, 4, 5, 6, tzinfo=UTC)


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


Columns = Annotated[tuple[str, ...], BeforeValidator(_as_list)]
"""Names of columns; a single one may be given as it is."""


class CSVIngestConfig(BaseModel):
    """Options of a CSV file; each may be left out.

    Attributes:
        domain, source_id: of the points; they have to be those of the object's key.
        timestamp_column: the column of the times, or several whose cells belong together, such as date and time; an
            empty list for none.
        value_columns: columns that are streams; by default all numeric ones.
        timestamp_format: `unix` (seconds, or `timestamp_unit`), `iso8601`, or `custom` with a pattern.
        timestamp_pattern: as `strptime` of Python has it: `%d.%m.%Y %H:%M`.
        timestamp_unit: of Unix times: s, ms, us or ns.
        timezone: of times that name none, by its IANA name; by default UTC.
        ambiguous_times: what a time is that the clock showed twice, when daylight-saving time ended.
        skip_rows: lines before the header.
        max_rows: rows of data to read at the most.
        delimiter: one character between cells.
        decimal: the decimal sign: `.` or `,`.
        thousands: the sign between thousands.
        encoding: of the text, as Python names it.
        has_header: whether the first row names the columns; without it they are `column_1`, `column_2`, ….
        stream_column: the column that names the stream of a row (long format).
        stream_type: the type of all streams, or of each by the name of its column.
        null_values: cells that hold no value.
        start: without a time column the time of the first row, with a timer that of its zero: Unix seconds or ISO 8601.
        step: without a time column the seconds from row to row.
        allow_duplicate: read the file though its content was read before.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    domain: str | None = None
    source_id: str | None = None
    timestamp_column: Columns | None = None
    value_columns: Columns | None = None
    timestamp_format: Literal["unix", "iso8601", "custom"] | None = None
    timestamp_pattern: str | None = None
    timestamp_unit: Literal["s", "ms", "us", "ns"] | None = None
    timezone: str | None = None
    ambiguous_times: Literal["reject", "earlier", "later"] = "reject"
    skip_rows: int | None = Field(default=None, ge=0, le=MAX_SKIPPED_ROWS)
    max_rows: int | None = Field(default=None, ge=1)
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    decimal: Literal[".", ","] | None = None
    thousands: Literal["", ",", ".", " ", "'", "\u00a0", "\u202f"] | None = None
    encoding: str | None = None
    has_header: bool | None = None
    stream_column: str | None = None
    stream_type: str | dict[str, str] | None = None
    null_values: tuple[str, ...] | None = None
    start: Annotated[float, Field(allow_inf_nan=False)] | datetime | None = None
    step: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    allow_duplicate: bool = False

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, name: str | None) -> str | None:
        if name is not None:
            try:
                ZoneInfo(name)
            except (ZoneInfoNotFoundError, ValueError, OSError) as error:
                raise ValueError(f"{name!a} is no time zone; write an IANA name such as Europe/Madrid") from error
        return name

    @field_validator("max_rows")
    @classmethod
    def _can_be_kept(cls, rows: int | None) -> int | None:
        if rows is not None and rows > MAX_INTEGER:
            raise ValueError(f"must be at most {MAX_INTEGER}; leave it out for all rows")
        return rows

    @field_validator("encoding")
    @classmethod
    def _is_text(cls, name: str | None) -> str | None:
        if name is not None:
            try:
                holds_ascii = _ASCII.decode(name, "surrogateescape") == _ASCII.decode("ascii")
                holds_text = holds_ascii or codecs.lookup(name).name.startswith(("utf-16", "utf-32"))
            except (LookupError, UnicodeError) as error:
                raise ValueError(f"{name!a} is no encoding; write utf-8, utf-16, latin-1, cp1252, …") from error
            if not holds_text:
                raise ValueError(f"files in {name!a} cannot be read; write them in UTF-8")
        return name

    @field_validator("delimiter")
    @classmethod
    def _separates(cls, sign: str | None) -> str | None:
        if sign is not None and (sign in '"\r\n\0' or not sign.isascii()):
            raise ValueError("must be one ASCII character, and no quote or end of line")
        return sign

    @field_validator("timestamp_pattern")
    @classmethod
    def _names_a_year(cls, pattern: str | None) -> str | None:
        if pattern is not None and not any(directive in pattern for directive in _NAMES_A_YEAR):
            raise ValueError("names no year; write a pattern as Python's strptime has it, such as %d.%m.%Y %H:%M")
        return pattern

    @field_validator("timestamp_pattern")
    @classmethod
    def _reads_what_it_writes(cls, pattern: str | None) -> str | None:
        if pattern is not None:
            try:
                datetime.strptime(_A_MOMENT.strftime(pattern), pattern)  # noqa: DTZ007 - only whether it can
            except (ValueError, re.error) as error:
                raise ValueError(f"{pattern!a} is no pattern of Python's strptime: {error}") from error
        return pattern

    @field_validator("stream_type")
    @classmethod
    def _is_part_of_a_key(cls, types: str | dict[str, str] | None) -> str | dict[str, str] | None:
        for name in types.values() if isinstance(types, dict) else [types] if types is not None else []:
            for fault in part_faults("stream_type", name):
                raise ValueError(fault.message)
        return types

    @model_validator(mode="after")
    def _is_text_throughout(self) -> "CSVIngestConfig":
        for name, value in self:
            texts = (
                [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, tuple) else [value]
            )
            if any(isinstance(text, str) and _LONE_SURROGATE.search(text) for text in texts):
                raise ValueError(f"{name} holds half a character (a lone surrogate), which no text can")
        return self

    @model_validator(mode="after")
    def _agrees(self) -> "CSVIngestConfig":
        if (self.timestamp_format == "custom") and self.timestamp_pattern is None:
            raise ValueError("timestamp_pattern is missing: timestamp_format custom needs it")
        if self.timestamp_pattern is not None and self.timestamp_format not in {None, "custom"}:
            raise ValueError(f"timestamp_pattern goes with timestamp_format custom, not {self.timestamp_format}")
        if self.timestamp_unit is not None and self.timestamp_format not in {None, "unix"}:
            raise ValueError(f"timestamp_unit goes with timestamp_format unix, not {self.timestamp_format}")
        for name in ("value_columns", "timestamp_column"):
            columns = getattr(self, name) or ()
            if len(set(columns)) < len(columns):
                raise ValueError(f"{name} names a column twice")
        streams = {self.stream_column} if self.stream_column else set()
        roles = [set(self.value_columns or ()), set(self.timestamp_column or ()), streams]
        for column in (roles[0] & roles[1]) | (roles[0] & roles[2]) | (roles[1] & roles[2]):
            raise ValueError(f"column {column!a} cannot be two of value_columns, timestamp_column and stream_column")
        if self.decimal is not None and self.decimal == self.thousands:
            raise ValueError("decimal and thousands cannot be the same sign")
        return self

    def given(self) -> dict[str, Any]:
        """The options that differ from the defaults, as a JSON value."""
        return self.model_dump(mode="json", exclude_none=True, exclude_defaults=True)


def option_faults(raw: Mapping[str, Any]) -> tuple[Fault, ...]:
    """Faults of options."""
    try:
        options = CSVIngestConfig.model_validate(dict(raw))
    except ValidationError as error:
        return tuple(_fault(fault) for fault in error.errors())
    size = len(to_json(options.given()))
    if size <= MAX_OPTIONS_BYTES:
        return ()
    return (Fault(FaultCode.TOO_LONG, "options", f"have {size} bytes as JSON; {MAX_OPTIONS_BYTES} are allowed"),)


def _fault(fault: Any) -> Fault:
    field = ".".join(str(part) for part in fault["loc"]) or "options"
    message = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "extra_forbidden":
        known = ", ".join(CSVIngestConfig.model_fields)
        return Fault(FaultCode.UNKNOWN_FIELD, field, f"is no option; options are {known}")
    return Fault(FaultCode.WRONG_TYPE if "type" in fault["type"] else FaultCode.OUT_OF_RANGE, field, message)
