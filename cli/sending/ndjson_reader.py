"""Reads newline-delimited JSON: one data point a line, sent as it is."""

from collections.abc import Iterable, Iterator

import msgspec

from cli.sending.points import Fault, Read, Readable, Unreadable

_decoder = msgspec.json.Decoder(dict[str, object])


def read_ndjson(lines: Iterable[str]) -> Iterator[Read]:
    """The points of the lines; empty lines are passed over.

    Only the syntax is looked at, so that one bad line cannot spoil a request; what the fields hold is for the service
    to judge.
    """
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text:
            continue
        try:
            _decoder.decode(text)
        except msgspec.ValidationError:
            yield Unreadable(number, text, Fault("wrong_type", "line", "must be a JSON object"))
        except msgspec.DecodeError as error:
            yield Unreadable(number, text, Fault("malformed", "line", str(error)))
        else:
            yield Readable(number, msgspec.Raw(text))
