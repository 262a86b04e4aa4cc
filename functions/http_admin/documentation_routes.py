"""Routes of the documents that describe the API, and of the page that shows them. They take no key and read no data."""

import gzip
from base64 import b64encode
from collections.abc import Callable, Mapping
from functools import cache
from hashlib import sha256
from importlib.resources import files

import msgspec

from afluente.adapters.http.answers import Answer
from afluente.runtime.http_admin import HttpAdmin
from afluente.runtime.http_request import Event

# Of the layer that `infra/documentation_build.py` makes.
_PACKAGE = "afluente_documents"

# A cached page costs a request for its ETag, and a new release is seen at once.
_CACHE_CONTROL = "no-cache"


class _Document(msgspec.Struct, frozen=True):
    """A document, packed with gzip, and its entity tag."""

    packed: bytes
    etag: str


def _openapi(event: Event, _function: HttpAdmin) -> Answer:
    return _answer(event, "openapi.json", "application/json")


def _asyncapi(event: Event, _function: HttpAdmin) -> Answer:
    return _answer(event, "asyncapi.json", "application/json")


def _docs(event: Event, _function: HttpAdmin) -> Answer:
    policy = gzip.decompress(_document("docs.policy.txt").packed).decode()
    headers = {"content-security-policy": policy, "referrer-policy": "no-referrer"}
    return _answer(event, "docs.html", "text/html; charset=utf-8", headers)


def _answer(event: Event, name: str, content_type: str, more: dict[str, str] | None = None) -> Answer:
    document = _document(name)
    headers = {
        "content-type": content_type,
        "cache-control": _CACHE_CONTROL,
        "etag": document.etag,
        "vary": "accept-encoding",
        "x-content-type-options": "nosniff",
        **(more or {}),
    }
    if document.etag in _listed(event, "if-none-match"):
        return Answer(304, "", headers)
    if any(coding.split(";")[0].strip() == "gzip" for coding in _listed(event, "accept-encoding")):
        return Answer(200, b64encode(document.packed).decode(), {**headers, "content-encoding": "gzip"}, is_base64=True)
    return Answer(200, gzip.decompress(document.packed).decode(), headers)


def _listed(event: Event, header: str) -> list[str]:
    """The items of a header; entity tags as strong ones."""
    return [item.strip().removeprefix("W/") for item in event["headers"].get(header, "").split(",")]


@cache
def _document(name: str) -> _Document:
    """Read a file of the layer, once a container."""
    packed = (files(_PACKAGE) / f"{name}.gz").read_bytes()
    return _Document(packed, f'"{sha256(packed).hexdigest()[:32]}"')


DOCUMENTATION_ROUTES: Mapping[str, Callable[[Event, HttpAdmin], Answer]] = {
    "GetOpenapi": _openapi,
    "GetAsyncapi": _asyncapi,
    "GetDocs": _docs,
}
