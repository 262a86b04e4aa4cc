"""Files of constraints: read for the use cases, written for people."""

import json
from collections.abc import Mapping
from functools import partial
from math import inf
from pathlib import Path
from typing import Any

import yaml

from afluente.application.constraints.documents import ConstraintEntry, EntryFaults, parse_document
from cli.core.errors import CommandError, ExitCode

MAX_ALIASED = 100_000
"""Values that the aliases of a YAML document stand for: a few lines of them could fill any memory."""

# Ten times as fast, where PyYAML was built with libyaml.
_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_SafeLoader):  # type: ignore[misc] # one of two, by what is installed
    """Safe loader that refuses a mapping with a repeated field: it is ambiguous."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Check the fields of a mapping itself, before merged fields, which they may replace, stand beside them."""
        flattened: set[int] = self.__dict__.setdefault("flattened", set())
        if id(node) not in flattened:
            flattened.add(id(node))
            _refuse_twice(node)
        super().flatten_mapping(node)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> object:
        """Make the value of a node; a value that its tag does not admit is a fault with a place.

        PyYAML raises whatever its conversion raises, AttributeError and KeyError among them.
        """
        try:
            constructed: object = super().construct_object(node, deep)
        except (yaml.YAMLError, RecursionError):
            raise
        except Exception as error:
            raise yaml.MarkedYAMLError(
                problem=f"{_shown(node)} cannot be read as {_type_name(node)}", problem_mark=node.start_mark
            ) from error
        return constructed


def load(path: Path) -> tuple[list[ConstraintEntry], list[EntryFaults]]:
    """Read a file of constraints, `.json` as JSON and anything else as YAML.

    Returns:
        The sound entries, and the faults of the others.

    Raises:
        CommandError: there is no such file, or it is neither JSON nor YAML; it names the place.
    """
    return parse_document(read_document(path))


def read_document(path: Path) -> object:
    """Parse a file, `.json` as JSON and anything else as YAML.

    Raises:
        CommandError: there is no such file, or it is neither JSON nor YAML; it names the place.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise CommandError(f"there is no file {path}", code=ExitCode.USAGE) from None
    except UnicodeDecodeError as error:
        raise CommandError(f"{path} is not UTF-8 (byte {error.start})") from None
    return parse_text(path, text)


def as_yaml(entry: Mapping[str, Any]) -> str:
    """An entry as a document for `constraints apply`; the version is a comment in it."""
    fields = {name: value for name, value in entry.items() if name != "version"}
    text: str = yaml.safe_dump([fields], sort_keys=False, allow_unicode=True)
    return f"# version {entry['version']}\n{text}"


def parse_text(path: Path, text: str) -> object:
    """Parse the text of a file, `.json` as JSON and anything else as YAML.

    Raises:
        CommandError: it is neither JSON nor YAML; it names the place.
    """
    try:
        if path.suffix.lower() == ".json":
            return json.loads(text, object_pairs_hook=partial(_once_each, path))
        document: object = yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader either way
        nodes = _nodes(document, {})
    except json.JSONDecodeError as error:
        raise CommandError(f"{path}, line {error.lineno}, column {error.colno}: {error.msg}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise CommandError(f"{path}{where}: {error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError) as error:
        # A character that YAML does not allow, or, in JSON, a number of more digits than Python converts.
        raise CommandError(f"{path}: {error}") from None
    except RecursionError:
        raise CommandError(f"{path} nests too deeply") from None
    if nodes > len(text) + MAX_ALIASED:
        raise CommandError(f"the aliases (*name) of {path} stand for more than {MAX_ALIASED:,} values; write them out")
    return document


def _shown(node: yaml.Node) -> str:
    """The text of a value, cut; a list or a mapping by its kind."""
    if isinstance(node, yaml.ScalarNode):
        return repr(node.value[:40])
    return "a mapping" if isinstance(node, yaml.MappingNode) else "a list"


def _type_name(node: yaml.Node) -> str:
    return node.tag.rpartition(":")[2]


def _refuse_twice(node: yaml.MappingNode) -> None:
    seen: set[tuple[str, str]] = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode) and (key.tag, key.value) in seen:
            raise yaml.MarkedYAMLError(problem=f"{key.value} is there twice", problem_mark=key.start_mark)
        seen.add((key.tag, str(key.value)))


def _once_each(path: Path, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, value in pairs:
        if name in fields:
            raise CommandError(f"{path}: {name} is there twice in one object", hint="keep one of them")
        fields[name] = value
    return fields


def _nodes(value: object, known: dict[int, float]) -> float:
    """The number of values in a document; infinite for one that contains itself."""
    if not isinstance(value, dict | list | tuple):
        return 1
    if id(value) not in known:
        known[id(value)] = inf  # while it is counted
        inner = value.values() if isinstance(value, dict) else value
        known[id(value)] = 1 + sum(_nodes(one, known) for one in inner)
    return known[id(value)]
