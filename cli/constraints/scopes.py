"""Scopes of constraints on the command line: a stream, or a domain with or without a stream type."""

import shlex

import typer

from afluente.application.constraints.scopes import of_domain, of_stream, of_type
from afluente.domain.faults import FaultyError
from afluente.domain.stream_keys import StreamKey


def scope_of(key: str, stream_type: str | None) -> str:
    """The scope of the argument KEY and the option --type.

    Raises:
        typer.BadParameter: there is no such scope.
    """
    if "/" not in key:
        return of_domain(key) if stream_type is None else of_type(key, stream_type)
    if stream_type is not None:
        raise typer.BadParameter("a stream has no template; give a domain with --type", param_hint="--type")
    return of_stream(stream_of(key))


def stream_of(key: str) -> StreamKey:
    """The stream of the argument KEY.

    Raises:
        typer.BadParameter: it is no key of a stream.
    """
    try:
        return StreamKey.parse(key)
    except FaultyError as error:
        raise typer.BadParameter(str(error), param_hint="KEY") from None


def arguments_of(scope: str) -> str:
    """Argument and option of a scope, quoted for a shell."""
    domain, _, stream_type = scope.partition("#")
    return shlex.join([domain, "--type", stream_type] if stream_type else [scope])
