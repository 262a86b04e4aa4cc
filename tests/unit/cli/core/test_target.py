"""Address of the WebSocket API of a deployment."""

from collections.abc import Mapping

import pytest

from cli.access.api_key import key_for
from cli.core.aws import local_connection
from cli.core.errors import CommandError, ExitCode
from cli.core.state import StateDir
from cli.core.target import Target, TargetChoice, resolve

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
    assert "enable_websocket_ingest" in caught.value.hint


# --- an API by its address -------------------------------------------------------------------------------------------


def by_address(url: str | None = None, websocket_url: str | None = None, **choice: str) -> Target:
    return resolve(TargetChoice(StateDir.of(None), url=url, websocket_url=websocket_url, **choice))


def test_an_address_is_enough_to_reach_an_api() -> None:
    target = by_address("https://api.example.org/", "wss://ws.example.org/live/")

    assert (target.api_url, target.websocket_url) == ("https://api.example.org", "wss://ws.example.org/live")
    assert (target.is_local, target.is_api_alone, target.uses_proxies) == (False, True, True)


@pytest.mark.parametrize("url", ["http://127.0.0.1:4566/x", "http://localhost:4566", "http://[::1]:4566"])
def test_on_this_machine_it_need_not_be_encrypted_and_no_proxy_is_asked(url: str) -> None:
    assert not by_address(url).uses_proxies


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://api.example.org", "others could read the key"),
        ("http://127.0.0.1.example.org", "others could read the key"),
        ("api.example.org", "no address of an API"),
        ("ftp://api.example.org", "no address of an API"),
        ("wss://api.example.org", "no address of an API"),
        ("https://", "no address of an API"),
        ("https://[", "no address of an API"),
        ("https://api.example.org:port", "no address of an API"),
        ("https://api.example.org?x=1", "no address of an API"),
        ("https://user:secret@api.example.org", "no address of an API"),
    ],
)
def test_what_is_no_safe_address_is_refused_and_not_repeated(url: str, message: str) -> None:
    with pytest.raises(CommandError, match=message) as caught:
        by_address(url)

    assert caught.value.code is ExitCode.USAGE
    assert "secret" not in caught.value.message + caught.value.hint


def test_over_an_address_nothing_is_done_that_takes_credentials() -> None:
    target = by_address("https://api.example.org")

    for look in (
        lambda: target.client("dynamodb"),
        lambda: target["AccessTable"],
        lambda: "IotPolicy" in target.outputs,
        lambda: target.outputs.get("IotPolicy"),
        lambda: list(target.outputs),
        lambda: len(target.outputs),
    ):
        with pytest.raises(CommandError, match="operators' AWS credentials"):
            look()


def test_a_missing_key_is_reported_with_a_hint_that_fits_every_command() -> None:
    with pytest.raises(CommandError, match="an API key is needed") as caught:
        key_for(by_address("https://api.example.org"), None)

    assert "AFLUENTE_API_KEY" in caught.value.hint
    assert "--key" not in caught.value.hint  # of `alarms` and `tail` it is a pattern of streams


def test_an_address_and_a_stage_contradict_each_other() -> None:
    with pytest.raises(CommandError, match="belong to an account"):
        by_address("https://api.example.org", stage="dev")


def test_without_an_address_of_the_websocket_api_it_is_asked_for() -> None:
    with pytest.raises(CommandError, match="address of the WebSocket API") as caught:
        _ = by_address("https://api.example.org").websocket_url

    assert "--ws-url" in caught.value.hint
