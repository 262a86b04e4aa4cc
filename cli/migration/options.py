"""Options that several commands of `afluente migrate` have."""

from pathlib import Path
from typing import Annotated

import typer

_DATABASE = "The legacy service's database"
SqlUrl = Annotated[
    str | None,
    typer.Option(
        "--sql-url",
        metavar="URL",
        envvar="AFLUENTE_SQL_URL",
        show_envvar=True,
        help="Its URL, as SQLAlchemy has it. Better set the variable: others can see options.",
        rich_help_panel=_DATABASE,
    ),
]
Tables = Annotated[
    Path | None,
    typer.Option(
        "--tables",
        metavar="FILE",
        exists=True,
        dir_okay=False,
        help="JSON or YAML of the names of tables and columns that are not the classic ones.",
        rich_help_panel=_DATABASE,
    ),
]
Only = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="NAME", help="These sensors alone: ids, UUIDs, UUIDs of devices; repeat it."),
]
Exclude = Annotated[
    list[str] | None, typer.Option("--exclude", metavar="NAME", help="Not these sensors; named as for --only.")
]
ReportPath = Annotated[
    Path | None,
    typer.Option(
        "--report", metavar="FILE", dir_okay=False, help="Write a line a sensor: CSV if so called, or NDJSON."
    ),
]
OverwriteConflicts = Annotated[
    bool, typer.Option("--overwrite-conflicts", help="Replace constraints that did not come from the legacy tables.")
]
RefreshBaselines = Annotated[
    bool, typer.Option("--refresh-baselines", help="Write the last readings again where there are newer ones.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Write one JSON document.")]
