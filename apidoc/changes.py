"""Changes of an interface that would break clients of the released one, as sentences for those who made them.

A request may have to hold less than before, and an answer may hold more. So a schema of requests must allow all that it
allowed, and a schema of answers nothing that it did not allow. The keywords that these documents use are compared; a
pattern that differs counts as a change.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from apidoc.schemas import Schema

_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_SAME = ("pattern", "format", "multipleOf", "uniqueItems", "not", "contentMediaType", "contentEncoding")
_METHODS = ("get", "put", "post", "delete", "patch", "head", "options")
_MIN = float("-inf")
_MAX = float("inf")


def breaking_changes(before: Schema, after: Schema) -> list[str]:
    """Changes that break the clients of an OpenAPI or AsyncAPI document; empty if there are none.

    Args:
        before: the document that clients were written for.
        after: the one that replaces it.
    """
    compare = _Messages if "asyncapi" in before else _Routes
    return list(dict.fromkeys(compare(before, after).changes()))


class _Documents:
    """Two documents, which the schemas that are compared refer to."""

    def __init__(self, before: Schema, after: Schema) -> None:
        self.before = before
        self.after = after

    def narrowed(self, where: str, before: Schema, after: Schema) -> Iterator[str]:
        """Parts of requests that clients may no longer send."""
        for place, what in _Comparison(self.before, self.after).of(before, after):
            yield f"{where}{place}: a request that was taken is taken no longer: {what}"
        for place in _Comparison(self.before, self.after).lost(before, after):
            yield f"{where}{place}: is gone from requests"

    def widened(self, where: str, before: Schema, after: Schema) -> Iterator[str]:
        """Parts of answers that are new to clients, or that they miss."""
        for place, what in _Comparison(self.after, self.before).of(after, before):
            yield f"{where}{place}: an answer may be what it was not before: {what}"
        for place in _Comparison(self.before, self.after).lost(before, after):
            yield f"{where}{place}: is gone from answers"


# --- OpenAPI ---------------------------------------------------------------------------------------------------------


class _Routes(_Documents):
    def changes(self) -> Iterator[str]:
        for name, scheme in self.before["components"].get("securitySchemes", {}).items():
            now = self.after["components"].get("securitySchemes", {}).get(name)
            if now is None or any(now.get(key) != scheme.get(key) for key in ("type", "in", "name", "scheme")):
                yield f"security scheme {name}: has changed"
        for path, item in self.before["paths"].items():
            for method in (method for method in _METHODS if method in item):
                where = f"{method.upper()} {path}"
                now = self.after["paths"].get(path, {}).get(method)
                if now is None:
                    yield f"{where}: is gone"
                else:
                    yield from self._operation(where, item[method], now)

    def _operation(self, where: str, before: Schema, after: Schema) -> Iterator[str]:
        if before.get("operationId") != after.get("operationId"):
            yield f"{where}: is called {after.get('operationId')}, and was {before.get('operationId')}"
        for alternative in before.get("security", []):
            if alternative not in after.get("security", []):
                yield f"{where}: another key is needed: {after.get('security')}, and was {before.get('security')}"
        if not before.get("security") and after.get("security"):
            yield f"{where}: a key is needed now"
        if before.get("x-required-action") != after.get("x-required-action"):
            actions = f"{after.get('x-required-action')}, and was {before.get('x-required-action')}"
            yield f"{where}: the key has to be for another action: {actions}"
        yield from self._parameters(where, before.get("parameters", []), after.get("parameters", []))
        yield from self._body(where, before.get("requestBody"), after.get("requestBody"))
        yield from self._answers(where, before["responses"], after["responses"])

    def _parameters(self, where: str, before: list[Schema], after: list[Schema]) -> Iterator[str]:
        # Names of headers are the same in any case.
        def by_name(parameters: list[Schema]) -> dict[str, Schema]:
            return {
                f"{its['in']} {its['name'].lower() if its['in'] == 'header' else its['name']}": its
                for its in parameters
            }

        old, new = by_name(before), by_name(after)
        for name, its in new.items():
            if its.get("required") and not old.get(name, {}).get("required"):
                yield f"{where} parameter {name}: is required now"
        for name, its in old.items():
            if name not in new:
                yield f"{where} parameter {name}: is gone"
            else:
                yield from self.narrowed(f"{where} parameter {name}", its["schema"], new[name]["schema"])

    def _body(self, where: str, before: Schema | None, after: Schema | None) -> Iterator[str]:
        if after and after.get("required") and not (before and before.get("required")):
            yield f"{where}: a body is required now"
        if before and not after:
            yield f"{where}: the body is gone"
        for media_type, its in (before or {}).get("content", {}).items():
            now = (after or {}).get("content", {}).get(media_type)
            if now is None:
                yield f"{where}: a body in {media_type} is taken no longer"
            else:
                yield from self.narrowed(f"{where} body", its["schema"], now["schema"])

    def _answers(self, where: str, before: Schema, after: Schema) -> Iterator[str]:
        for status, its in before.items():
            now = after.get(status)
            if now is None:
                yield f"{where} {status}: is gone"
                continue
            for name in its.get("headers", {}).keys() - now.get("headers", {}).keys():
                yield f"{where} {status}: the header {name} is gone"
            for media_type, content in its.get("content", {}).items():
                if media_type not in now.get("content", {}):
                    yield f"{where} {status}: an answer in {media_type} is gone"
                else:
                    schema = now["content"][media_type]["schema"]
                    yield from self.widened(f"{where} {status}", content["schema"], schema)


# --- AsyncAPI --------------------------------------------------------------------------------------------------------


class _Messages(_Documents):
    def changes(self) -> Iterator[str]:
        for name, operation in self.before["operations"].items():
            now = self.after["operations"].get(name)
            if now is None or now["action"] != operation["action"]:
                yield f"{name}: is gone"
                continue
            old, new = (
                _resolved(document, its["channel"])["address"]
                for document, its in ((self.before, operation), (self.after, now))
            )
            if old != new:
                yield f"{name}: is at {new}, and was at {old}"
            if operation["action"] == "receive":
                yield from self._sent_by_clients(name, operation, now)
                yield from self._sent_to_clients(name, operation.get("reply", {}), now.get("reply", {}))
            else:
                yield from self._sent_to_clients(name, operation, now)

    def _sent_by_clients(self, where: str, before: Schema, after: Schema) -> Iterator[str]:
        old, new = self._payloads(before, after)
        for name, payload in old.items():
            if name not in new:
                yield f"{where}: the message {name} is taken no longer"
            else:
                yield from self.narrowed(f"{where} {name}", payload, new[name])

    def _sent_to_clients(self, where: str, before: Schema, after: Schema) -> Iterator[str]:
        old, new = self._payloads(before, after)
        for name, payload in new.items():
            if name not in old:
                yield f"{where}: the message {name} was not there before"
            else:
                yield from self.widened(f"{where} {name}", old[name], payload)
        for name in old.keys() - new.keys():
            yield f"{where}: the message {name} is gone"

    def _payloads(self, before: Schema, after: Schema) -> tuple[dict[str, Schema], dict[str, Schema]]:
        def of(document: Schema, its: Schema) -> dict[str, Schema]:
            names = [message["$ref"] for message in its.get("messages", [])]
            return {name.rpartition("/")[2]: _resolved(document, {"$ref": name})["payload"] for name in names}

        return of(self.before, before), of(self.after, after)


# --- schemas ---------------------------------------------------------------------------------------------------------


class _Comparison:
    """Finds values that schemas of one document allow, and those of another do not."""

    def __init__(self, allowed: Schema, allowing: Schema) -> None:
        self._documents = (allowed, allowing)
        self._seen: set[tuple[str, str]] = set()

    def of(self, allowed: Schema, allowing: Schema, where: str = "") -> Iterator[tuple[str, str]]:
        """Places at which `allowed` has more than `allowing`, each with the difference."""
        if self._is_known(allowed, allowing):
            return
        one, other = (
            _resolved(document, its) for document, its in zip(self._documents, (allowed, allowing), strict=True)
        )
        if _alternatives(one) or _alternatives(other):
            yield from self._alternatives(one, other, where)
            return
        yield from ((where, what) for what in _types(one, other))
        yield from ((where, what) for what in _values(one, other))
        yield from ((where, what) for what in _bounds(one, other))
        yield from self._parts(one, other, where)

    def lost(self, before: Schema, after: Schema, where: str = "") -> Iterator[str]:
        """Properties that were removed."""
        if self._is_known(before, after):
            return
        one, other = (_resolved(document, its) for document, its in zip(self._documents, (before, after), strict=True))
        now = _properties(self._documents[1], other)
        for name, its in _properties(self._documents[0], one).items():
            if name not in now:
                yield f"{where}.{name}"
            else:
                yield from self.lost(its, now[name], f"{where}.{name}")
        if "items" in one and "items" in other:
            yield from self.lost(one["items"], other["items"], f"{where}[]")

    def _alternatives(self, one: Schema, other: Schema, where: str) -> Iterator[tuple[str, str]]:
        # The codes of problems are an open set: clients have to expect new ones.
        if "discriminator" in other and other["discriminator"].get("propertyName") == "code":
            known = other["discriminator"]["mapping"].keys()
            mine = one.get("discriminator", {}).get("mapping", {})
            pairs = [
                ({"$ref": its}, {"$ref": other["discriminator"]["mapping"][code]})
                for code, its in mine.items()
                if code in known
            ]
            for its, theirs in pairs:
                yield from self.of(its, theirs, where)
            return
        allowing = _alternatives(other) or [other]
        for its in _alternatives(one) or [one]:
            faults = [list(_Comparison(*self._documents).of(its, theirs, where)) for theirs in allowing]
            if all(faults):
                # The nearest alternative shows the change best.
                yield from min(faults, key=len)

    def _parts(self, one: Schema, other: Schema, where: str) -> Iterator[tuple[str, str]]:
        for name in other.get("required", []):
            if name not in one.get("required", []):
                yield f"{where}.{name}", "is not always there, and has to be"
        theirs = other.get("properties", {})
        for name, its in one.get("properties", {}).items():
            if name in theirs:
                yield from self.of(its, theirs[name], f"{where}.{name}")
            elif other.get("additionalProperties") is False:
                yield f"{where}.{name}", "is not known"
        rest, allowed = one.get("additionalProperties", True), other.get("additionalProperties", True)
        if allowed is False and rest is not False and _is_object(one):
            yield where, "unknown properties are not allowed"
        elif isinstance(allowed, dict):
            yield from (
                self.of(rest if isinstance(rest, dict) else {}, allowed, f"{where}.*") if rest is not False else ()
            )
        if "items" in other and _may_be(one, "array"):
            yield from self.of(one.get("items", {}), other["items"], f"{where}[]")

    def _is_known(self, one: Schema, other: Schema) -> bool:
        """True if the two are compared already: records may hold themselves."""
        if "$ref" not in one or "$ref" not in other:
            return False
        pair = one["$ref"], other["$ref"]
        known = pair in self._seen
        self._seen.add(pair)
        return known


def _types(one: Schema, other: Schema) -> Iterator[str]:
    allowed = _types_of(other)
    missing = _types_of(one) - allowed - ({"integer"} if "number" in allowed else set())
    if missing:
        yield f"{', '.join(sorted(missing))} is not among {', '.join(sorted(allowed))}"


def _types_of(schema: Schema) -> set[str]:
    stated = schema.get("type", ["array", "boolean", "integer", "null", "number", "object", "string"])
    return {stated} if isinstance(stated, str) else set(stated)


def _values(one: Schema, other: Schema) -> Iterator[str]:
    mine, allowed = _values_of(one), _values_of(other)
    if allowed is None:
        return
    if mine is None:
        yield f"only {_shown(allowed)} would be allowed"
    elif excess := [value for value in mine if value not in allowed]:
        yield f"{_shown(excess)} is not among {_shown(allowed)}"


def _values_of(schema: Schema) -> list[Any] | None:
    return [schema["const"]] if "const" in schema else schema.get("enum")


def _shown(values: Iterable[Any]) -> str:
    return ", ".join(str(value) for value in values)


def _bounds(one: Schema, other: Schema) -> Iterator[str]:
    for name in _LOWER:
        if other.get(name, _MIN) > one.get(name, 0 if name.startswith("min") and name != "minimum" else _MIN):
            yield f"{name} {one.get(name)} is below {other[name]}"
    for name in _UPPER:
        if other.get(name, _MAX) < one.get(name, _MAX):
            yield f"{name} {one.get(name)} is above {other[name]}"
    for name in _SAME:
        if name in other and one.get(name) != other[name]:
            yield f"{name} {one.get(name)} is not {other[name]}"


def _alternatives(schema: Schema) -> list[Schema]:
    found: list[Schema] = schema.get("oneOf") or schema.get("anyOf") or []
    return found


def _properties(document: Schema, schema: Schema) -> dict[str, Schema]:
    """The properties of a schema, or of all its alternatives."""
    found: dict[str, Schema] = dict(schema.get("properties", {}))
    for its in _alternatives(schema):
        found |= _properties(document, _resolved(document, its))
    return found


def _is_object(schema: Schema) -> bool:
    return _may_be(schema, "object")


def _may_be(schema: Schema, type_: str) -> bool:
    return type_ in _types_of(schema)


def _resolved(document: Mapping[str, Any], schema: Schema) -> Schema:
    """The target of a reference, with the keywords beside the reference."""
    while "$ref" in schema:
        found: Any = document
        for name in schema["$ref"].removeprefix("#/").split("/"):
            found = found[name.replace("~1", "/").replace("~0", "~")]
        schema = found | {key: value for key, value in schema.items() if key != "$ref"}
    return schema
