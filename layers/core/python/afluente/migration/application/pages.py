"""A walk over the sensors of the legacy tables, a page at a time."""

from collections.abc import Iterator, Sequence

import msgspec

from afluente.migration.application.ports import LegacyTables
from afluente.migration.application.selection import Selection
from afluente.migration.domain.thresholds import SensorThresholds

PAGE = 500
"""Sensors of a page, which are read and written together."""


class Page(msgspec.Struct, frozen=True):
    """A page of sensors.

    Attributes:
        sensors: those that are selected.
        last_id: of the page's last sensor, selected or not.
        looked_at: the number of sensors, selected or not.
    """

    sensors: Sequence[SensorThresholds]
    last_id: int
    looked_at: int


def pages(tables: LegacyTables, selection: Selection, *, after: int | None = None) -> Iterator[Page]:
    """The pages of all sensors after an id, by ascending id.

    Raises:
        UnavailableError: the database does not answer.
    """
    while sensors := tables.sensors(after=after, limit=PAGE):
        after = sensors[-1].sensor.sensor_id
        yield Page([its for its in sensors if selection.includes(its.sensor)], after, len(sensors))
