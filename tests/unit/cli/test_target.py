"""Where the WebSocket API of a deployment is."""

from collections.abc import Mapping

import pytest

from cli.aws import local_connection
from cli.errors import CommandError
from cli.local_stack.state import StateDir
from cli.target import Target

OUTPUTS = {"WebSocketUrl": "wss://a1b2.execute-api.us-east-1.amazonaws.com/live", "WebSocketApiId": "a1b2"}


def a_target(outputs: Mapping[str, str], endpoint: str) -> Target:
    """A deployment; with an endpoint a local one."""
    connection = local_connection(endpoint, "us-east-1")
    return Target("dev", connection, outputs, "https://x", StateDir.of(None), is_local=bool(endpoint))


def test_in_an_account_it_is_where_the_output_says() -> None:
    assert a_target(OUTPUTS, "").websocket_url == OUTPUTS["WebSocketUrl"]


def test_locally_it_is_a_path_of_the_emulator() -> None:
    url = a_target(OUTPUTS, "http://127.0.0.1:4566").websocket_url

    assert url == "ws://127.0.0.1:4566/_aws/execute-api/a1b2/live"


def test_a_stage_without_it_says_how_to_switch_it_on() -> None:
    target = a_target({}, "")

    assert target.find_websocket_url() is None
    with pytest.raises(CommandError, match="has no WebSocket API") as caught:
        _ = target.websocket_url
    assert "enable_websocket_ingest" in caught.value.way_out
