"""The routes of the documents and of their page, as the layer has them."""

import gzip
import json
import sys
from base64 import b64decode
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import http_admin.handler
from afluente.adapters.memory.alarms import MemoryAlarmLog
from afluente.runtime.http_admin import HttpAdmin, HttpAdminSettings
from apidoc.asyncapi import asyncapi_document
from apidoc.openapi import openapi_document
from http_admin import documentation_routes
from infra.documentation_build import build_documentation
from tests.conformity import assert_documented
from tests.factories import DOMAINS, some_rate_limits
from tests.unit.functions.conftest import CONTEXT

Event = dict[str, Any]
Ask = Callable[..., "Answer"]

# What Lambda takes of an answer, "Invocation payload (request and response)".
MAX_ANSWER_BYTES = 6 * 1024 * 1024

every_route = pytest.mark.parametrize("route", ["GET /openapi.json", "GET /asyncapi.json", "GET /docs"])


class Answer:
    """An answer as a client has it."""

    def __init__(self, answer: Event) -> None:
        self.status: int = answer["statusCode"]
        self.headers: dict[str, str] = answer["headers"]
        self.size = len(json.dumps(answer))
        body = b64decode(answer["body"]) if answer["isBase64Encoded"] else answer["body"].encode()
        self.body = gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" and body else body


@pytest.fixture(scope="module")
def layer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_documentation(cache=tmp_path_factory.mktemp("layers"))


@pytest.fixture
def nothing_behind() -> HttpAdmin:
    """A function that reaches no table and no log."""
    settings = HttpAdminSettings(
        domains=DOMAINS, constraints_table="none", constraint_history_table="none", alarm_log_group="none"
    )

    def no_constraints(_by: str) -> Any:
        raise AssertionError("documents have nothing to do with constraints")

    return HttpAdmin(settings, no_constraints, MemoryAlarmLog(), some_rate_limits(), front=None)


@pytest.fixture
def ask(
    layer: Path, event: Callable[[str], Event], nothing_behind: HttpAdmin, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Ask]:
    """Ask for a route, with the layer where Lambda puts it: on the path of Python."""
    monkeypatch.setattr(sys, "path", [*sys.path, str(layer / "python")])
    documentation_routes._document.cache_clear()

    def to(route: str, **headers: str) -> Answer:
        asked = event("http_api_health") | {"routeKey": route, "headers": headers}
        return Answer(json.loads(json.dumps(http_admin.handler.handle(asked, CONTEXT, nothing_behind))))

    yield to
    documentation_routes._document.cache_clear()


@pytest.mark.parametrize(
    ("route", "document"), [("GET /openapi.json", openapi_document()), ("GET /asyncapi.json", asyncapi_document())]
)
def test_a_document_is_handed_out_as_it_is(ask: Ask, route: str, document: Event) -> None:
    told = ask(route)

    assert (told.status, told.headers["content-type"]) == (200, "application/json")
    assert json.loads(told.body) == document
    assert_documented(route, told.status, told.headers, document)


@every_route
def test_who_takes_gzip_is_answered_in_it(ask: Ask, route: str) -> None:
    plain = ask(route)
    packed = ask(route, **{"accept-encoding": "br;q=1.0, gzip;q=0.8"})

    assert "content-encoding" not in plain.headers
    assert (packed.headers["content-encoding"], packed.headers["vary"]) == ("gzip", "accept-encoding")
    assert packed.body == plain.body
    assert packed.size < plain.size < MAX_ANSWER_BYTES


@every_route
@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}'])
def test_what_is_still_at_hand_is_not_sent_again(ask: Ask, route: str, form: str) -> None:
    etag = ask(route).headers["etag"]

    again = ask(route, **{"if-none-match": form.format(etag)})
    of_another = ask(route, **{"if-none-match": '"other"'})

    assert (again.status, again.body, again.headers["etag"]) == (304, b"", etag)
    assert_documented(route, again.status, again.headers, None)
    assert of_another.status == 200


def test_the_page_may_run_its_own_scripts_and_reach_its_own_host_alone(ask: Ask) -> None:
    told = ask("GET /docs")
    policy = dict(rule.strip().split(" ", 1) for rule in told.headers["content-security-policy"].split(";"))

    assert told.headers["content-type"] == "text/html; charset=utf-8"
    assert told.headers["x-content-type-options"] == "nosniff"
    assert (policy["default-src"], policy["connect-src"]) == ("'none'", "'self'")
    assert all(source.startswith("'sha256-") for source in policy["script-src"].split())
    assert "http" not in told.headers["content-security-policy"]
    assert_documented("GET /docs", told.status, told.headers, told.body.decode())


def test_the_page_loads_nothing(ask: Ask) -> None:
    page = _Page(ask("GET /docs").body.decode())

    assert page.loaded == ["data:,"]
    assert page.linked == ["./openapi.json", "./asyncapi.json"]


class _Page(HTMLParser):
    """Resources that a browser fetches for a page, and targets of its links."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loaded: list[str | None] = []
        self.linked: list[str | None] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in {"src", "href", "data", "action", "srcset", "poster"}:
                (self.linked if tag == "a" else self.loaded).append(value)
