"""The limits of a stage and of single keys; docs/reference/limits.md.

The synthesis of a stage reads them too, so this module imports nothing but msgspec.
"""

from typing import Annotated

import msgspec

Rate = Annotated[float, msgspec.Meta(ge=0)]
Amount = Annotated[int, msgspec.Meta(ge=0)]


class KeyLimits(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Limits of one key; each replaces the stage's limit for keys.

    Attributes:
        requests_per_second: steady rate of requests; as in all fields, None for the stage's limit, 0 for no limit.
        requests_burst: requests that may come at once.
        points_per_second: steady rate of points.
        points_burst: points that may come at once.
        points_per_day: points of a day, which begins at midnight UTC.
        csv_bytes_per_day: bytes of CSV files of a day, in place of `CsvLimits.bytes_per_day`.
    """

    requests_per_second: float | None = None
    requests_burst: int | None = None
    points_per_second: float | None = None
    points_burst: int | None = None
    points_per_day: int | None = None
    csv_bytes_per_day: int | None = None


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of each subject of one kind; 0 stands for no limit, a burst of 0 for the rate of one second.

    Attributes:
        requests_per_second: steady rate of requests.
        requests_burst: requests that may come at once.
        points_per_second: steady rate of points.
        points_burst: points that may come at once.
        points_per_day: points of a day, which begins at midnight UTC.
    """

    requests_per_second: Rate = 0
    requests_burst: Amount = 0
    points_per_second: Rate = 0
    points_burst: Amount = 0
    points_per_day: Amount = 0

    def overridden_by(self, own: KeyLimits | None) -> "Limits":
        """These limits, replaced by those of one key as far as it has its own."""
        if own is None:
            return self
        named = {name: getattr(own, name) for name in self.__struct_fields__}
        return msgspec.structs.replace(self, **{name: value for name, value in named.items() if value is not None})


class CsvLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The limit of what each key uploads as CSV files; 0 stands for no limit.

    Attributes:
        bytes_per_day: bytes of a day, which begins at midnight UTC.
    """

    bytes_per_day: Amount = 0

    def overridden_by(self, own: KeyLimits | None) -> "CsvLimits":
        """This limit, replaced by that of one key if it has its own."""
        if own is None or own.csv_bytes_per_day is None:
            return self
        return CsvLimits(bytes_per_day=own.csv_bytes_per_day)


class RefusedKeys(msgspec.Struct, frozen=True, kw_only=True):
    """The limit of bad keys of one address that a container looks up; 0 stands for no limit."""

    per_second: Rate = 0
    burst: Amount = 0


class StageLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of a stage, by kind of subject."""

    ip: Limits = Limits()
    key: Limits = Limits()
    source: Limits = Limits()
    csv: CsvLimits = CsvLimits()
    refused_keys: RefusedKeys = RefusedKeys()


_decoder = msgspec.json.Decoder(StageLimits)


def decode_limits(text: str) -> StageLimits:
    """Decode the limits of a stage from JSON.

    Raises:
        ValueError: they are not of the form; the message names the field.
    """
    try:
        return _decoder.decode(text)
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from error
