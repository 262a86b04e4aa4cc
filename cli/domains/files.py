"""Files of a domain in a folder of its own: constraints to change, and a client to begin from."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from cli.core.errors import CommandError
from cli.core.state import CHECKOUT
from cli.domains.templates import Domain

CONSTRAINTS = "constraints.yaml"
CLIENT = "client.py"
POINTS = "points.json"
GUIDE = "README.md"

_CLIENT = CHECKOUT / "examples" / "domain_client.py"
_CONSTRAINTS_HEAD = """\
# What is normal in the domain {domain}: a template for each stream type.
# Change it, then: afluente constraints apply {file}
"""


def folder_of(domain: str) -> Path:
    """The default folder for the files of a domain."""
    return Path("domains") / domain


def files_of(domain: Domain, folder: Path) -> dict[str, str]:
    """The files of a domain by their names, for a folder."""
    return {
        CONSTRAINTS: _constraints(domain, folder / CONSTRAINTS),
        POINTS: _points(domain),
        CLIENT: _CLIENT.read_text(encoding="utf-8"),
        GUIDE: _guide(domain, folder),
    }


def differing(files: Mapping[str, str], folder: Path) -> tuple[list[str], list[str]]:
    """The names of the files that are missing from the folder, and of those that differ there."""
    new = [name for name in files if not (folder / name).exists()]
    others = [name for name, text in files.items() if name not in new and _text(folder / name) != text]
    return new, others


def write(files: Mapping[str, str], folder: Path, names: Iterable[str]) -> None:
    """Write those of the files that are named.

    Raises:
        CommandError: the folder cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            (folder / name).write_text(files[name], encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{error.filename} cannot be written: {error.strerror}") from None


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def _constraints(domain: Domain, file: Path) -> str:
    entries = domain.template.entries(domain.name)
    text: str = yaml.safe_dump(entries, sort_keys=False, allow_unicode=True)
    return _CONSTRAINTS_HEAD.format(domain=domain.name, file=file) + text


def _points(domain: Domain) -> str:
    points = [example.model_dump(mode="json", exclude_none=True) for example in domain.template.examples]
    document = {"domain": domain.name, "points": points}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _guide(domain: Domain, folder: Path) -> str:
    template, name = domain.template, domain.name
    first = template.examples[0]
    point = {"stream_id": first.stream_id, "stream_type": first.stream_type, "value": first.value}
    sent = {
        "domain": name,
        "source_id": first.source_id,
        "datapoints": [{field: value for field, value in point.items() if value is not None}],
    }
    body = json.dumps(sent, ensure_ascii=False).replace("}]}", ", \"timestamp\": '$(date +%s)'}]}")
    rows = "\n".join(_row(entry) for entry in template.entries(name))
    return f"""\
# {name}

{template.description}. A source is a {template.source}, a stream a {template.stream} of it: what a client sends is
`{name}/{{{template.source}}}/{{{template.stream}}}` everywhere.

| stream type | unit | value | change |
|---|---|---|---|
{rows}

`{CONSTRAINTS}` has them all. Change it, then `afluente constraints apply {folder / CONSTRAINTS}`.

## Send

```console
export AFLUENTE_API_KEY=$(afluente keys create "{name}" --domain {name})
export AFLUENTE_API_URL=$(afluente status --json | python -c 'import json, sys; print(json.load(sys.stdin)["api_url"])')
python {folder / CLIENT}
```

As a device, over MQTT:

```console
afluente devices create {first.source_id} --domain {name}
python {folder / CLIENT} --device devices/{first.source_id}
```

By hand:

```console
curl -s "$AFLUENTE_API_URL/ingest/datapoints" -H "X-API-Key: $AFLUENTE_API_KEY" -H "Content-Type: application/json" \\
  -d '{body}'
```

A file: `afluente csv send FILE.csv --domain {name} --source {first.source_id}`.

## See what comes out

```console
afluente tail --key '{name}/*' --from-start --until-idle 2
```
"""


def _row(entry: Mapping[str, Any]) -> str:
    cells = (
        entry.get("stream_type", "any other"),
        entry.get("metadata", {}).get("unit", ""),
        _bounds(entry.get("value_constraints")),
        _bounds(entry.get("rate_constraints")),
    )
    return f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in cells)} |"


def _bounds(bounds: Mapping[str, Any] | None) -> str:
    return ", ".join(f"{name} {bound}" for name, bound in (bounds or {}).items())
