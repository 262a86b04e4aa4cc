"""Packets of legacy clients over HTTP: `{device_uuid, ts?, readings: [{sensor_id | sensor_uuid, value, …}]}`."""

from codecs import BOM_UTF8
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from afluente.adapters.http.errors import RequestError, invalid_request
from afluente.adapters.http.points import MAX_POINTS
from afluente.adapters.http.requests import object_of
from afluente.domain.faults import Fault, FaultCode
from afluente.domain.stream_keys import closed_domain_faults, json_type
from afluente.migration.adapters.legacy_readings import LegacyReadings, partition
from afluente.migration.adapters.readings import TIME, ReadingContext, device_of
from afluente.migration.adapters.sender_words import time_of
from afluente.migration.domain.legacy_service import LEGACY_DOMAIN


def decode_packet(body: bytes, *, domains: Collection[str], now: float) -> LegacyReadings:
    """Decode the body of `POST /ingest/packets`.

    Args:
        body: from `read_body`.
        domains: the domains that are open.
        now: the time of arrival, in Unix seconds.

    Raises:
        RequestError: 400 for a body that is no JSON or no packet; 413 for too many readings.
    """
    # Some clients write a byte order mark.
    document = object_of(body.removeprefix(BOM_UTF8))
    faults = list(closed_domain_faults(LEGACY_DOMAIN, domains))
    readings = _readings(document, faults)
    device = device_of(document, faults)
    time_field = next((name for name in TIME if document.get(name) is not None), TIME[0])
    context = ReadingContext(device, time_of(document.get(time_field), time_field, faults), time_field)
    if faults:
        raise invalid_request(faults)
    if len(readings) > MAX_POINTS:
        detail = f"{len(readings)} readings are more than {MAX_POINTS}; send them in several requests"
        raise RequestError(413, "too_many_points", detail)
    origin = {} if context.time is None else {time_field: str(document[time_field])}
    valid, rejected = partition(readings, context, now)
    return LegacyReadings("http", valid, rejected, device, now, origin)


def _readings(document: Mapping[str, Any], faults: list[Fault]) -> Sequence[object]:
    readings = document.get("readings")
    if isinstance(readings, list):
        return readings
    if "readings" in document:
        faults.append(Fault(FaultCode.WRONG_TYPE, "readings", f"must be an array, not {json_type(readings)}"))
    else:
        faults.append(Fault(FaultCode.MISSING, "readings", "is required: an array of readings"))
    return ()
