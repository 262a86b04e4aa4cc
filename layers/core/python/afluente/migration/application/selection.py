"""The selection of the sensors that a command works on."""

from collections.abc import Iterable
from typing import Self

import msgspec

from afluente.migration.application.sensors import canonical_uuid
from afluente.migration.domain.thresholds import Sensor


class Selection(msgspec.Struct, frozen=True):
    """Sensors by their ids, by their UUIDs, or by the UUIDs of their devices.

    Attributes:
        only: the sensors that are included; all if empty.
        exclude: those of them that are not.
    """

    only: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    @classmethod
    def of(cls, only: Iterable[str] = (), exclude: Iterable[str] = ()) -> Self:
        """Read names as people write them: in any case and form, in any order, with commas between several."""
        return cls(_names(only), _names(exclude))

    def includes(self, sensor: Sensor) -> bool:
        """True if a sensor is selected."""
        return self.includes_names(sensor.sensor_id, sensor.uuid, sensor.device_uuid)

    def includes_names(self, sensor_id: int, uuid: str | None, device_uuid: str | None) -> bool:
        """True if the sensor of these names is selected."""
        names = {str(sensor_id), uuid, device_uuid}
        return (not self.only or not names.isdisjoint(self.only)) and names.isdisjoint(self.exclude)

    def __str__(self) -> str:
        return f"only={','.join(self.only)} exclude={','.join(self.exclude)}"


def _names(texts: Iterable[str]) -> tuple[str, ...]:
    names = {name.strip().lower() for text in texts for name in text.split(",")}
    return tuple(sorted(canonical_uuid(name) or name for name in names if name))
