"""The options that say which deployment a command works on, the same for every command."""

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.core.aws import needs_credentials
from cli.core.state import StateDir
from cli.core.target import TargetChoice

_PANEL = "Which deployment (the local stack if nothing is said)"

StateDirOption = Annotated[
    Path | None,
    typer.Option(
        "--state-dir",
        envvar="AFLUENTE_STATE_DIR",
        help="State directory of the local stack, if not .afluente in the checkout.",
        rich_help_panel=_PANEL,
        file_okay=False,
    ),
]
_StageOption = Annotated[
    str | None,
    typer.Option("--stage", help="Stage deployed in an AWS account, such as dev.", rich_help_panel=_PANEL),
]
_ProfileOption = Annotated[
    str | None,
    typer.Option("--profile", help="AWS profile to use, with --stage.", rich_help_panel=_PANEL),
]
_RegionOption = Annotated[
    str | None,
    typer.Option("--region", help="AWS region to use, with --stage.", rich_help_panel=_PANEL),
]
_UrlOption = Annotated[
    str | None,
    typer.Option(
        "--url",
        envvar="AFLUENTE_URL",
        metavar="URL",
        help="An HTTP API, such as https://…, to be reached with an API key and no AWS credentials.",
        rich_help_panel=_PANEL,
    ),
]
_RefusedUrlOption = Annotated[str | None, typer.Option("--url", envvar="AFLUENTE_URL", hidden=True)]
_OPTIONS = {
    "stage": _StageOption,
    "profile": _ProfileOption,
    "region": _RegionOption,
    "state_dir": StateDirOption,
    "url": _RefusedUrlOption,
}

ApiKeyOption = Annotated[
    str | None,
    typer.Option("--key", envvar="AFLUENTE_API_KEY", help="API key. The local stack needs none to be given."),
]
"""The option of commands that go over the API."""

CsvOptionsFile = Annotated[
    Path | None,
    typer.Option(
        "--options",
        metavar="FILE.json",
        exists=True,
        dir_okay=False,
        help="CSV: options in a JSON file, as 'afluente csv inspect --save' writes it.",
    ),
]
CsvOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        metavar="NAME=VALUE",
        help="CSV: one option, in place of that of --options; repeat it. The value is JSON, or else a string.",
    ),
]
"""The options of commands that read CSV files."""


def targeted(command: Callable[..., None]) -> Callable[..., None]:
    """Turn the parameter `target: TargetChoice` of a command into the options that make one.

    The command is the operators': an address of an API alone is refused before anything else is done.

    Example:
        >>> @targeted
        ... def queues(target: TargetChoice) -> None: ...
        >>> list(inspect.signature(queues).parameters)
        ['stage', 'profile', 'region', 'state_dir', 'url']
    """

    @wraps(command)
    def run(target: TargetChoice, **arguments: Any) -> None:
        if target.is_api_alone:
            raise needs_credentials()
        command(target=target, **arguments)

    return _with_options(run, command, _OPTIONS)


def targeted_by_api(command: Callable[..., None]) -> Callable[..., None]:
    """As `targeted`, for a command that goes over the API: an address and an API key are enough for it."""
    return _with_options(command, command, {**_OPTIONS, "url": _UrlOption})


def _with_options(
    call: Callable[..., None], command: Callable[..., None], options: Mapping[str, Any]
) -> Callable[..., None]:
    @wraps(command)
    def run(**arguments: Any) -> None:
        chosen = {name: arguments.pop(name) for name in options}
        state = StateDir.of(chosen.pop("state_dir"))
        call(target=TargetChoice(state=state, **chosen), **arguments)

    signature = inspect.signature(command)
    own = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in signature.parameters.items()
        if name != "target"
    ]
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        for name, annotation in options.items()
    ]
    run.__signature__ = signature.replace(parameters=[*own, *added])  # type: ignore[attr-defined] # read by inspect
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in (*own, *added)}
    run.__doc__ = flowing(inspect.getdoc(command) or "")
    return run


def flowing(text: str) -> str:
    """A help text whose paragraphs flow to the width of the screen; one with an indented line stays as it is."""
    paragraphs = text.split("\n\n")
    return "\n\n".join(part if "\n " in f"\n{part}" else part.replace("\n", " ") for part in paragraphs)
