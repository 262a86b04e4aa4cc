"""The layer of the documents: the same whenever it is built, and a page that needs nothing from elsewhere."""

import hashlib
import re
from base64 import b64encode
from pathlib import Path

from infra.documentation_build import DOCUMENTS, PACKAGE, build_documentation, documentation_page


def test_the_layer_holds_the_page_its_policy_and_the_documents(tmp_path: Path) -> None:
    layer = build_documentation(cache=tmp_path)

    names = {path.name for path in (layer / "python" / PACKAGE).iterdir()}
    assert names == {"docs.html.gz", "docs.policy.txt.gz", *(f"{path.name}.gz" for path in DOCUMENTS)}
    assert [path.name for path in tmp_path.iterdir()] == [layer.name]


def test_the_layer_is_the_same_whenever_it_is_built(tmp_path: Path) -> None:
    layers = [build_documentation(cache=tmp_path / name) for name in ("one", "other")]

    contents = [{path.name: path.read_bytes() for path in layer.rglob("*.gz")} for layer in layers]
    assert layers[0].name == layers[1].name
    assert contents[0] == contents[1]
    assert build_documentation(cache=tmp_path / "one") == layers[0]


def test_every_script_of_the_page_is_in_its_policy_and_no_other() -> None:
    page, policy = documentation_page()
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    hashes = {f"sha256-{b64encode(hashlib.sha256(script.encode()).digest()).decode()}" for script in scripts}

    assert len(scripts) == 2
    assert page.count("<script>") == page.count("</script>") + page.count("<script><\\/script>")
    assert set(re.findall(r"'(sha256-[^']+)'", policy)) == hashes


def test_the_page_tells_of_the_licence_of_what_is_in_it() -> None:
    page, _ = documentation_page()

    assert "Licensed under the Apache License, Version 2.0" in page
    assert "SmartBear Software" in page


def test_styles_of_the_page_refer_to_nothing_elsewhere() -> None:
    page, _ = documentation_page()
    style = page[page.index("<style>") : page.index("</style>")]

    assert "@import" not in style
    assert re.findall(r"""url\(\s*(?!["']?data:)[^)]{1,60}""", style) == []
