"""The layer with the documents of the interfaces, and with a page that shows them and needs no network.

The page is Swagger UI with its scripts and styles within it. Its policy allows these alone, and calls to the host that
it came from.
"""

import gzip
import hashlib
import importlib.util
from base64 import b64encode
from pathlib import Path

from infra.atomic_dir import atomic_dir
from infra.paths import BUILD, ROOT

DOCUMENTS = (ROOT / "docs" / "reference" / "openapi.json", ROOT / "docs" / "reference" / "asyncapi.json")
"""Documents that `python -m apidoc` writes."""

PACKAGE = "afluente_documents"
"""The package of the layer that the function reads."""

# Part of the name: another recipe makes another layer of the same documents.
_RECIPE = "1"

# The document is beside the page; no service of Swagger's validates it.
_START = """\
window.ui = SwaggerUIBundle({
  url: "./openapi.json",
  dom_id: "#documentation",
  deepLinking: true,
  validatorUrl: null,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  persistAuthorization: false,
  tryItOutEnabled: false,
});
"""

_STYLE = """\
body { margin: 0; background: #fff; }
noscript, .elsewhere { display: block; max-width: 1460px; margin: 0 auto; padding: 12px 20px; font: 14px sans-serif; }
"""

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>afluente: HTTP API</title>
<link rel="icon" href="data:,">
<!--
Swagger UI {version}
{licence}
-->
<style>{style}</style>
</head>
<body>
<p class="elsewhere">This document as a file: <a href="./openapi.json">openapi.json</a>.
WebSocket and MQTT: <a href="./asyncapi.json">asyncapi.json</a>.</p>
<noscript>This page needs JavaScript; the documents do not.</noscript>
<div id="documentation"></div>
<script>{library}</script>
<script>{start}</script>
</body>
</html>
"""


def build_documentation(*, cache: Path = BUILD / "layers") -> Path:
    """The folder of the layer (`python/...` is in it); built only if what it is made of is new."""
    page, policy = documentation_page()
    contents = {
        "docs.html": page.encode(),
        "docs.policy.txt": policy.encode(),
        **{path.name: path.read_bytes() for path in DOCUMENTS},
    }
    layer = cache / f"documentation-{_digest(contents)}"
    if layer.exists():
        return layer
    with atomic_dir(layer) as unfinished:
        package = unfinished / "python" / PACKAGE
        package.mkdir(parents=True)
        for name, content in contents.items():
            # The same bytes whenever it is built: no time is in them.
            (package / f"{name}.gz").write_bytes(gzip.compress(content, compresslevel=9, mtime=0))
    return layer


def documentation_page() -> tuple[str, str]:
    """The page, and its Content-Security-Policy."""
    swagger_ui = _swagger_ui()
    library, start = _text(swagger_ui / "swagger-ui-bundle.js"), _START
    style = _text(swagger_ui / "swagger-ui.css") + _STYLE
    page = _PAGE.format(
        version=_text(swagger_ui / "VERSION").strip(),
        licence=_text(swagger_ui / "LICENSE").strip(),
        style=style,
        library=library,
        start=start,
    )
    return page, _policy(library, start)


def _policy(*scripts: str) -> str:
    """A Content-Security-Policy: the page runs these scripts, and calls the API that it is part of."""
    hashes = " ".join(f"'sha256-{b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" for script in scripts)
    rules = {
        "default-src": "'none'",
        "script-src": hashes,
        # Swagger UI writes styles into its elements.
        "style-src": "'unsafe-inline'",
        "img-src": "'self' data:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def _swagger_ui() -> Path:
    """The folder of its files, in a package that is never imported."""
    found = importlib.util.find_spec("flask_swagger_ui")
    if found is None or not found.submodule_search_locations:
        raise RuntimeError("flask-swagger-ui is not installed; `make setup` installs it")
    return Path(found.submodule_search_locations[0]) / "dist"


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _digest(contents: dict[str, bytes]) -> str:
    digest = hashlib.sha256(_RECIPE.encode())
    for name, content in contents.items():
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:16]
