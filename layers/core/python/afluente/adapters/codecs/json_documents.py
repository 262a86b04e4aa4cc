"""JSON documents, read tolerantly."""

import json
import sys
from collections.abc import Callable
from typing import Any

from afluente.domain.datapoints import is_deeper_than

MAX_DEPTH = 64
"""Objects and arrays inside each other in a document: twice what metadata may have."""

# Of the longest integer that Python converts, and msgspec reads.
_MAX_INTEGER_DIGITS = sys.int_info.default_max_str_digits


class MalformedJsonError(Exception):
    """A document that is no JSON, or too deep.

    Attributes:
        fault: what is wrong, to follow the document's name in a sentence.
        offset: the byte at fault; None where no single one is.
    """

    def __init__(self, fault: str, offset: int | None = None) -> None:
        super().__init__(fault)
        self.fault = fault
        self.offset = offset

    def of(self, document: str) -> str:
        """The fault as a sentence about the document, by the name that people know."""
        where = "" if self.offset is None else f" (at byte {self.offset})"
        return f"the {document} {self.fault}{where}"


def parse_json(document: bytes, *, object_of: Callable[[list[tuple[str, Any]]], Any] | None = None) -> Any:
    """Parse a document tolerantly.

    The standard library's parser accepts values that JSON does not have and some clients write (NaN, lone surrogates),
    so that only the points with such values are rejected. It also knows the place of an error.

    Args:
        document: bytes of JSON.
        object_of: makes an object of its fields; by default a dict with the last field of each name.

    Raises:
        MalformedJsonError: it is no UTF-8, no JSON, or nests too deeply.
    """
    try:
        parsed = json.loads(document.decode("utf-8"), parse_int=_parse_int, object_pairs_hook=object_of)
    except UnicodeDecodeError as error:
        raise MalformedJsonError("is not UTF-8", error.start) from error
    except json.JSONDecodeError as error:
        raise MalformedJsonError(f"is no JSON: {error.msg}", len(error.doc[: error.pos].encode())) from error
    except RecursionError as error:
        raise too_deep() from error
    if is_deeper_than(MAX_DEPTH, parsed):
        raise too_deep()
    return parsed


def too_deep() -> MalformedJsonError:
    """The error of a document with too many levels."""
    return MalformedJsonError(f"nests deeper than {MAX_DEPTH} levels")


def _parse_int(digits: str) -> float:
    """An integer; infinity for one too long for any field."""
    return int(digits) if len(digits) <= _MAX_INTEGER_DIGITS else float(digits)
