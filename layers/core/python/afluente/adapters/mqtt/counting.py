"""Number of points in a payload, found by splitting it: it is charged before a point is decoded."""

import msgspec

_ARRAY, _WHITE_SPACE = b"[", b" \t\r\n"


class _Listing(msgspec.Struct):
    datapoints: msgspec.Raw = msgspec.Raw()


_items = msgspec.json.Decoder(list[msgspec.Raw])
_listing = msgspec.json.Decoder(_Listing)


def count_points(payload: bytes) -> int:
    """The points of a payload; an upper bound where it is no JSON in the strict sense.

    Args:
        payload: a point, an array of points, an object with `datapoints`, or SenML.
    """
    try:
        items = payload if payload.lstrip(_WHITE_SPACE)[:1] == _ARRAY else bytes(_listing.decode(payload).datapoints)
        return max(1, len(_items.decode(items))) if items else 1
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return payload.count(b",") + 1
