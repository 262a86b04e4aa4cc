"""Units that the functions were counted to spend; `python -m benchmarks.cost_calls` counts them anew."""

from collections.abc import Sequence
from importlib import resources

import msgspec

Curve = Sequence[tuple[float, float]]
"""Measured values by number of points, in ascending order."""


class FunctionCosts(msgspec.Struct, frozen=True):
    """Costs of an invocation of a function.

    Attributes:
        invocation_ms, message_ms, point_ms, write_ms: processor time at 1,769 MB of an invocation, and what each of its
            messages or packs, of its points, and of its writes of states adds.
        log_bytes: by points of the invocation, with the bytes that CloudWatch adds to each line; by `log_lines` of the
            stage.
    """

    invocation_ms: float
    message_ms: float
    point_ms: float
    write_ms: float
    log_bytes: dict[str, Curve]

    def cpu_ms(self, *, messages: float, points: float, writes: float = 0.0) -> float:
        """Processor time of an invocation at 1,769 MB."""
        return self.invocation_ms + self.message_ms * messages + self.point_ms * points + self.write_ms * writes


class Counted(msgspec.Struct, frozen=True):
    """A kind of traffic with the units of a request, of a batch of messages or of a file, as they were counted."""

    transport: str
    points: int
    streams: int
    window: int
    points_counted: int
    requests: int
    units: dict[str, float]


class Calls(msgspec.Struct, frozen=True):
    """The measured costs of the functions.

    Attributes:
        state_bytes: bytes of an item of states, by the number of its streams.
        pack_bytes: bytes of a pack on the queue, by points.
        record_bytes: bytes that a pack of one class makes on Kinesis, by format and points.
        http_answer_bytes, ws_answer_bytes: of an answer, by points.
        inbox_event_bytes: bytes of a message of MQTT in an event of Lambda, by points.
        functions: costs by function.
        csv_pack_points: points of a pack of a CSV file.
        csv_pack_units, csv_file_units: other units of such a pack, and of a file.
        counted: the kinds of traffic.
    """

    state_bytes: Curve
    pack_bytes: Curve
    record_bytes: dict[str, Curve]
    http_answer_bytes: Curve
    ws_answer_bytes: Curve
    inbox_event_bytes: Curve
    functions: dict[str, FunctionCosts]
    csv_pack_points: float
    csv_pack_units: dict[str, float]
    csv_file_units: dict[str, float]
    counted: tuple[Counted, ...]


def read_calls() -> Calls:
    """The calls of this version."""
    return msgspec.json.decode(resources.files("cli.cost").joinpath("calls.json").read_bytes(), type=Calls)


def at(curve: Curve, points: float) -> float:
    """The value of a curve: straight between measured points, and beyond them."""
    if len(curve) == 1:
        return curve[0][1]
    after = next((place for place, (x, _) in enumerate(curve) if x >= points), len(curve) - 1)
    (x0, y0), (x1, y1) = curve[max(after, 1) - 1], curve[max(after, 1)]
    return max(0.0, y0 + (y1 - y0) * (points - x0) / (x1 - x0))
