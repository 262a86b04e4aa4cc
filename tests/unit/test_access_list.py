"""The list of who may do what is what the code asks for: every route, message, topic and command, and none more."""

import re
from pathlib import Path

import typer.main

from afluente.adapters.http.routes import ROUTES
from afluente.adapters.websocket.messages import Authentication, Ping, Points, read_message
from afluente.application.access.grants import Action
from afluente.migration.domain.legacy_service import LEGACY_TOPIC
from afluente.runtime.http_authorizer import HttpAuthorizerSettings
from afluente.runtime.ws_ingest import WsIngestSettings
from cli.commands.keys import REVOKED_WITHIN_SECONDS
from cli.main import app
from infra.constructs.http_api import AUTHORIZER_TTL
from infra.constructs.mqtt import LEGACY_TOPIC as LEGACY_RULE
from tests.access_list import PAGE, Need, entries_of
from tests.unit.test_docs import commands_of, text_of

ROOT = Path(__file__).parents[2]
COMMANDS = dict(commands_of(typer.main.get_command(app)))


def test_every_route_is_there_with_the_action_it_asks_for() -> None:
    listed = {what: entry.actions for what, entry in entries_of("HTTP").items()}

    assert listed == {route.key: (route.action,) if route.action else () for route in ROUTES}


def test_every_message_of_the_websocket_is_there() -> None:
    listed = {what: entry.actions for what, entry in entries_of("WebSocket").items()}

    assert listed == {
        "$connect": (Action.INGEST,),
        "auth": (Action.INGEST,),
        "points": (Action.INGEST,),
        "ping": (),
        "$disconnect": (),
    }


def test_there_is_no_message_of_the_websocket_but_these() -> None:
    kinds = {action: type(read_message(f'{{"action": "{action}"}}')) for action in ("auth", "ping")}
    unknown = read_message('{"action": "subscribe"}')

    assert kinds == {"auth": Authentication, "ping": Ping}
    assert isinstance(read_message('{"stream_id": "a"}'), Points)
    # The answer says which actions there are.
    assert re.findall(r"there are (\w+) and (\w+), and points have none", str(unknown)) == [("auth", "ping")]


def test_every_topic_is_there() -> None:
    assert list(entries_of("MQTT")) == ["{domain}/{source_id}/{stream_id}", LEGACY_TOPIC]
    assert LEGACY_TOPIC.replace("{sensor_id}", "+") == LEGACY_RULE


def test_every_command_is_there_with_what_it_needs() -> None:
    listed = entries_of("Commands")

    assert set(listed) == set(COMMANDS)
    for name, command in COMMANDS.items():
        url = next((option for option in command.params if "--url" in option.opts), None)
        takes_key = any("AFLUENTE_API_KEY" in (option.envvar or "") for option in command.params)
        entry = listed[name]
        if url is None:
            assert entry.rest == Need.NOTHING, name
        elif url.hidden:
            assert entry.rest == Need.OPERATORS, name
        elif takes_key:
            assert entry.actions, name
            assert set(entry.actions) <= set(Action), name
        else:
            assert entry.rest == Need.DEVICE, name


def test_a_revoked_key_opens_nothing_after_a_minute() -> None:
    """API Gateway and the authorizer cache one after the other; so does the WebSocket's function, twice."""
    authorizer, websocket = (
        settings.model_fields["key_ttl_seconds"].default for settings in (HttpAuthorizerSettings, WsIngestSettings)
    )

    assert AUTHORIZER_TTL.to_seconds() + authorizer < REVOKED_WITHIN_SECONDS
    # A key that was looked at may open a connection for as long, and the connection is looked at as long after that.
    assert 2 * websocket < REVOKED_WITHIN_SECONDS
    told = f"caches a key for {AUTHORIZER_TTL.to_seconds():.0f} s and the authorizer for {authorizer:.0f} s; "
    assert told in text_of(PAGE)
    assert f"checked again after {websocket:.0f} s" in text_of(PAGE)
