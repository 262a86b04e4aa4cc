"""Templates of domains: what a field of use calls things, what is normal there, and points to try it with."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from afluente.application.constraints.documents import ConstraintEntry, EntryFaults, parse_document
from afluente.application.constraints.scopes import lookup_order
from afluente.domain.classification import classify, in_stream_order
from afluente.domain.constraints import VersionedConfig
from afluente.domain.datapoints import DataPoint
from afluente.domain.evaluation import Classification
from afluente.domain.faults import FaultyError
from afluente.domain.stream_keys import StreamKey
from afluente.domain.stream_state import StreamState
from cli.constraints.files import read_document
from cli.core.errors import CommandError, ExitCode

SHIPPED = Path(__file__).parent / "templates"
"""Folder of the templates that come with afluente."""

MAX_SECONDS_AGO = 86_400.0
"""Time range of the examples: the last day."""

_AT = 1_800_000_000.0
"""Arbitrary time at which examples are tried."""

_OF_A_SCOPE = ("key", "domain")
"""Fields of an entry in a file of constraints that an entry of a template lacks."""

_Name = Annotated[str, Field(min_length=1)]


class Example(BaseModel):
    """A point to try the domain with, and the class that it is to be of."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    source_id: str
    stream_id: str
    value: float
    becomes: Annotated[Classification, Field(strict=False)]
    stream_type: str | None = None
    seconds_ago: Annotated[float, Field(ge=0, le=MAX_SECONDS_AGO)] = 0

    def point(self, domain: str, now: float) -> DataPoint:
        """The point that it is in a domain, measured before `now` (Unix seconds).

        Raises:
            FaultyError: no point can be so; it names every fault.
        """
        return DataPoint(
            domain=domain,
            source_id=self.source_id,
            stream_id=self.stream_id,
            stream_type=self.stream_type,
            value=self.value,
            timestamp=now - self.seconds_ago,
        )


class DomainTemplate(BaseModel):
    """The content of a template's file.

    Attributes:
        description: what is measured there.
        source: what the field calls a source, such as a device.
        stream: what it calls a stream, such as a sensor.
        constraints: entries of a file of constraints, without a domain: it is the one that is added.
        examples: points to try it with.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    description: _Name
    source: _Name = "source"
    stream: _Name = "stream"
    constraints: Annotated[list[dict[str, Any]], Field(min_length=1)]
    examples: Annotated[list[Example], Field(min_length=1)]

    def entries(self, domain: str) -> list[dict[str, Any]]:
        """The constraints as entries of a file of the domain."""
        return [{"domain": domain, **entry} for entry in self.constraints]


class TemplateFault(msgspec.Struct, frozen=True):
    """A fault in a field of a template, with a hint."""

    field: str
    message: str


class TemplateError(Exception):
    """A template with faults.

    Attributes:
        faults: all of them.
    """

    def __init__(self, faults: Sequence[TemplateFault]) -> None:
        super().__init__(f"{len(faults)} fault(s)")
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True)
class Domain:
    """A template for a domain of a name: all that is to be written is known."""

    name: str
    template: DomainTemplate
    constraints: tuple[ConstraintEntry, ...]


def shipped_names() -> list[str]:
    """The names of the templates that come with afluente."""
    return sorted(path.stem for path in SHIPPED.glob("*.yaml"))


def text_of(name: str) -> str:
    """A template that comes with afluente, as its file is.

    Raises:
        CommandError: there is none of that name.
    """
    if name not in shipped_names():
        raise CommandError(
            f"there is no template '{name}'",
            hint=f"those that come with afluente are {', '.join(shipped_names())}",
            code=ExitCode.USAGE,
        )
    return (SHIPPED / f"{name}.yaml").read_text(encoding="utf-8")


def find(given: str) -> Path:
    """The file of a template, given by the name of one that comes with afluente, or by its path.

    Raises:
        CommandError: it is neither.
    """
    if given in shipped_names():
        return SHIPPED / f"{given}.yaml"
    if Path(given).is_file():
        return Path(given)
    raise CommandError(
        f"'{given}' is neither a template nor a file",
        hint=f"templates are {', '.join(shipped_names())}; 'afluente domains show iot > {given}' begins one",
        code=ExitCode.USAGE,
    )


def load(file: Path, domain: str) -> Domain:
    """Read a template, for a domain.

    Args:
        file: YAML, or JSON if it is called so.
        domain: a sound name.

    Raises:
        CommandError: the file cannot be read.
        TemplateError: it has faults; it names every one.
    """
    return parse(read_document(file), domain)


def parse(document: object, domain: str) -> Domain:
    """A template of what a parser made of its file.

    Raises:
        TemplateError: it has faults; it names every one.
    """
    template, faults = _read(document)
    raw = document if isinstance(document, Mapping) else {}
    entries, faulty = _constraints(raw.get("constraints"), domain)
    faults += faulty
    if not faulty:
        examples = _sound_examples(raw.get("examples"))
        faults += _example_faults(examples, {entry.scope: entry for entry in entries}, domain)
    if template is None or faults:
        raise TemplateError(faults)
    return Domain(domain, template, tuple(entries))


def _read(document: object) -> tuple[DomainTemplate | None, list[TemplateFault]]:
    try:
        return DomainTemplate.model_validate(document), []
    except ValidationError as error:
        return None, [_told(fault["loc"], fault["type"], fault["msg"]) for fault in error.errors()]


def _told(place: Sequence[int | str], kind: str, message: str) -> TemplateFault:
    model: type[BaseModel] = Example if place[:1] == ("examples",) and len(place) > 1 else DomainTemplate
    match kind:
        case "missing":
            message = "is required"
        case "extra_forbidden":
            message = f"is not known; known are {', '.join(model.model_fields)}"
        case "model_type":
            message = f"must be an object with {', '.join(model.model_fields)}"
        case _:
            message = message.replace("Input should be", "must be").replace("a valid dictionary", "an object")
    return TemplateFault(_path(place) or "template", message)


def _path(place: Iterable[int | str]) -> str:
    """A place in a document, such as `examples[2].value`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).removeprefix(".")


def _constraints(raw: object, domain: str) -> tuple[list[ConstraintEntry], list[TemplateFault]]:
    """The valid entries, and the faults of the others; the model reports an input that is no list."""
    given = {index: entry for index, entry in enumerate(_listed(raw)) if isinstance(entry, Mapping)}
    faults = [
        TemplateFault(f"constraints[{index}].{name}", "leave it out: the domain is the one that is added")
        for index, entry in given.items()
        for name in _OF_A_SCOPE
        if name in entry
    ]
    own = [{name: entry[name] for name in entry if name not in _OF_A_SCOPE} for entry in given.values()]
    entries, faulty = parse_document([{"domain": domain, **entry} for entry in own])
    return entries, [*faults, *_faults_of(faulty, list(given))]


def _listed(raw: object) -> list[object]:
    return raw if isinstance(raw, list) else []


def _faults_of(faulty: Iterable[EntryFaults], places: Sequence[int]) -> Iterator[TemplateFault]:
    for entry in faulty:
        for fault in entry.faults:
            # There are two of its scope, which here is its type.
            field = "stream_type" if fault.field == "key" else fault.field
            yield TemplateFault(f"constraints[{places[entry.index]}].{field}", fault.message)


def _sound_examples(raw: object) -> dict[int, Example]:
    """The well-formed examples by their index; the model reports the others."""
    sound = {}
    for index, example in enumerate(_listed(raw)):
        with suppress(ValidationError):
            sound[index] = Example.model_validate(example)
    return sound


def _example_faults(
    examples: Mapping[int, Example], constraints: Mapping[str, ConstraintEntry], domain: str
) -> Iterator[TemplateFault]:
    """Examples that are no points, and those whose class is another by the constraints."""
    streams: dict[tuple[StreamKey, str | None], list[tuple[int, DataPoint]]] = defaultdict(list)
    for index, example in examples.items():
        try:
            point = example.point(domain, _AT)
        except FaultyError as error:
            for fault in error.faults:
                yield TemplateFault(f"examples[{index}].{fault.field}", fault.message)
            continue
        streams[StreamKey(domain, point.source_id, point.stream_id), point.stream_type].append((index, point))
    for (key, stream_type), indexed in streams.items():
        found = [constraints[scope] for scope in lookup_order(key, stream_type) if scope in constraints]
        yield from _class_faults(examples, indexed, VersionedConfig(found[0].config, 1) if found else None)


def _class_faults(
    examples: Mapping[int, Example], indexed: Sequence[tuple[int, DataPoint]], constraints: VersionedConfig | None
) -> Iterator[TemplateFault]:
    index_of = {point.timestamp: index for index, point in indexed}
    if len(index_of) < len(indexed):
        yield TemplateFault(
            f"examples[{indexed[-1][0]}].seconds_ago", "another example of its stream is of the same time"
        )
        return
    points = in_stream_order(point for _, point in indexed)
    for classified in classify(points, constraints, StreamState(), _AT).points:
        index = index_of[classified.timestamp]
        expected = examples[index].becomes
        if classified.classification is not expected:
            broken = ", ".join((*classified.violated_constraints, *classified.violated_rate))
            why = f"{classified.reason}: {broken}" if broken else classified.reason
            yield TemplateFault(
                f"examples[{index}].becomes",
                f"is {classified.classification} by the constraints ({why}), not {expected}",
            )
