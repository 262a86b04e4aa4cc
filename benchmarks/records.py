"""Cost of making 1,000 records of nine fields, and of decoding them from JSON, by kind of record.

uv run python benchmarks/records.py
"""

import dataclasses
import json
from collections.abc import Callable
from timeit import repeat
from typing import Any

import msgspec
import pydantic

FIELDS: dict[str, Any] = {
    "domain": str,
    "source_id": str,
    "stream_id": str,
    "value": float,
    "timestamp": float,
    "stream_type": str | None,
    "sequence": int | None,
    "metadata": dict[str, Any],
    "ingested_at": float | None,
}
RECORD = {
    "domain": "iot",
    "source_id": "furnace-1",
    "stream_id": "furnace-1:temperature",
    "value": 73.96732207,
    "timestamp": 1.7e9,
    "stream_type": "temperature",
    "sequence": 3,
    "metadata": {},
    "ingested_at": 1.7e9,
}
COUNT = 1000


def milliseconds(call: Callable[[], object]) -> float:
    return min(repeat(call, number=20, repeat=5)) / 20 * 1000


def main() -> None:
    dataclass = dataclasses.make_dataclass("Dataclass", list(FIELDS.items()), frozen=True, slots=True)
    forms: Any = {name: (form, ...) for name, form in FIELDS.items()}
    model: Any = pydantic.create_model("Model", __config__=pydantic.ConfigDict(frozen=True), **forms)
    struct = msgspec.defstruct("Struct", list(FIELDS.items()), frozen=True, kw_only=True)
    body = json.dumps([RECORD] * COUNT).encode()
    models, structs = pydantic.TypeAdapter(list[model]), msgspec.json.Decoder(list[struct])  # type: ignore[valid-type]
    decoders: dict[Any, Callable[[], object]] = {
        dataclass: lambda: [dataclass(**record) for record in json.loads(body)],
        model: lambda: models.validate_json(body),
        struct: lambda: structs.decode(body),
    }
    print("| record | make 1,000 | decode 1,000 from JSON |\n|---|---|---|")
    for kind, decode in decoders.items():
        made = milliseconds(lambda kind=kind: [kind(**RECORD) for _ in range(COUNT)])  # type: ignore[misc]
        print(f"| {kind.__name__} | {made:.2f} ms | {milliseconds(decode):.2f} ms |")


if __name__ == "__main__":
    main()
