"""Reads newline-delimited JSON: one data point a line, sent as it is."""

from collections.abc import Iterable, Iterator

import msgspec

from cli.sending.points import Fault, Read, Readable, Unreadable

_decoder = msgspec.json.Decoder(dict[str, object])


def read_ndjson(lines: Iterable[str]) -> Iterator[Read]:
    """The points of the lines; empty lines are skipped.

    Only the syntax is checked, so that one bad line cannot spoil a request; the service checks the fields.
    """
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text:
            continue
        try:
            _decoder.decode(text)
        except msgspec.ValidationError:
            yield Unreadable(number, text, (Fault("wrong_type", "line", "must be a JSON object"),))
        except msgspec.DecodeError as error:
            yield Unreadable(number, text, (Fault("malformed", "line", str(error)),))
        else:
            yield Readable(number, msgspec.Raw(text))
