"""Devices, for people."""

from collections.abc import Iterable

from rich.table import Table

from cli.devices.devices import Device


def devices_table(devices: Iterable[Device]) -> Table:
    """Devices with the states of their certificates, a line each."""
    table = Table("device", "domain", "certificates", box=None, padding=(0, 2, 0, 0))
    for device in devices:
        states = " ".join(f"{one[:8]}:{state.lower()}" for one, state in device.certificates.items())
        table.add_row(device.name, f"{device.domain} (legacy)" if device.legacy else device.domain, states)
    return table
