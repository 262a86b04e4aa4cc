"""WebSocket on the local stack: latency of acknowledgements, beside a function that echoes.

    .venv/bin/afluente up
    .venv/bin/python benchmarks/websocket_latency.py

Sends to the running local stack only. The echo is a function of one line behind an API of its own, made for the run and
deleted after it: the cost of the emulator and the functions' runtime alone, on the same machine at the same time.
"""

import argparse
import asyncio
import io
import json
import os
import secrets
import statistics
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from websockets.asyncio.client import ClientConnection, connect

from cli.access.api_key import key_for
from cli.core.state import StateDir
from cli.core.target import Target, TargetChoice, resolve

GOAL_MS = 10
"""Milliseconds that an acknowledgement of one point may take at the most."""

# It prints, since the emulator lets a function that writes no line wait for 50 ms.
_ECHO = 'def handler(event, context):\n    print("echo")\n    return {"statusCode": 200, "body": event.get("body")}\n'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=300, help="messages of each figure (default 300)")
    parser.add_argument(
        "--state-dir", type=Path, default=os.environ.get("AFLUENTE_STATE_DIR"), help="of the local stack"
    )
    arguments = parser.parse_args()
    target = resolve(TargetChoice(StateDir.of(arguments.state_dir and Path(arguments.state_dir))))
    with _echo_api(target) as echo_url:
        asyncio.run(measure(target, echo_url, arguments.messages))


async def measure(target: Target, echo_url: str, messages: int) -> None:
    base = f"ws{target.connection.endpoint.removeprefix('http')}" if target.connection.endpoint else ""
    url = f"{base}/_aws/execute-api/{target['WebSocketApiId']}/live"
    key = key_for(target, None)
    print("| connections | what | p50 | p95 | p99 | messages/s |\n|---|---|---|---|---|---|")
    for connections in (1, 50):
        each = max(messages // connections, 6)
        for what, where, body in (
            ("echo", echo_url, _numbers),
            ("1 point", url, _point),
            ("1 point with a sequence", url, _point_with_sequence),
            ("100 points", url, _hundred),
        ):
            durations, seconds = await _run(where, key if where is url else None, connections, each, body)
            cuts = statistics.quantiles(durations, n=100)
            rate = connections * each / seconds
            cells = " | ".join(f"{cuts[place - 1]:.1f} ms" for place in (50, 95, 99))
            print(f"| {connections} | {what} | {cells} | {rate:.0f} |", flush=True)
    print(f"\ngoal: {GOAL_MS} ms for the acknowledgement of one point")


async def _run(
    url: str, key: str | None, connections: int, each: int, body: Callable[[int], object]
) -> tuple[list[float], float]:
    """Milliseconds of each message, one in flight a connection, and the seconds of all of them."""
    opened = [await _opened(url, key) for _ in range(connections)]
    await asyncio.gather(*(_timed(socket, 3, body, -10) for socket in opened))
    begun = time.perf_counter()
    durations = await asyncio.gather(*(_timed(socket, each, body, 0) for socket in opened))
    seconds = time.perf_counter() - begun
    for socket in opened:
        await socket.close()
    return [one for its in durations for one in its], seconds


async def _opened(url: str, key: str | None) -> ClientConnection:
    socket = await connect(url, proxy=None)
    if key is not None:
        who = {"action": "auth", "domain": "iot", "source_id": f"bench-{secrets.token_hex(4)}", "api_key": key}
        await socket.send(json.dumps(who))
        _check(json.loads(await socket.recv())["type"] == "authenticated")
    return socket


async def _timed(socket: ClientConnection, count: int, body: Callable[[int], object], first: int) -> list[float]:
    durations = []
    for number in range(first, first + count):
        message = json.dumps(body(number))
        begun = time.perf_counter()
        await socket.send(message)
        answer = json.loads(await socket.recv())
        durations.append((time.perf_counter() - begun) * 1000)
        acknowledged = answer if isinstance(answer, list) else [answer]
        _check(body is _numbers or all(one["status"] == "ok" for one in acknowledged))
    return durations


def _check(is_right: bool) -> None:
    if not is_right:
        raise RuntimeError("the service did not answer as it should: its figures would mean nothing")


def _numbers(number: int) -> object:
    return _point(number)


def _point(number: int) -> dict[str, object]:
    return {"stream_id": "temperature", "value": 20.0 + number % 17 / 7, "timestamp": time.time()}


def _point_with_sequence(number: int) -> object:
    return {**_point(number), "sequence": number + 100}


def _hundred(number: int) -> object:
    return [{**_point(number), "stream_id": f"sensor-{place % 5}"} for place in range(100)]


@contextmanager
def _echo_api(target: Target) -> Iterator[str]:
    """A WebSocket API with a function that echoes messages, for the block."""
    functions, apis = target.client("lambda"), target.client("apigatewayv2")
    name = f"echo-{secrets.token_hex(3)}"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("echo.py", _ECHO)
    function = functions.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role="arn:aws:iam::000000000000:role/echo",
        Handler="echo.handler",
        Code={"ZipFile": packed.getvalue()},
    )
    api = apis.create_api(Name=name, ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.action")["ApiId"]
    uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{function['FunctionArn']}/invocations"
    integration = apis.create_integration(ApiId=api, IntegrationType="AWS_PROXY", IntegrationUri=uri)
    apis.create_route(ApiId=api, RouteKey="$default", Target=f"integrations/{integration['IntegrationId']}")
    apis.create_stage(ApiId=api, StageName="live", AutoDeploy=True)
    try:
        endpoint = str(target.connection.endpoint)
        yield f"ws{endpoint.removeprefix('http')}/_aws/execute-api/{api}/live"
    finally:
        apis.delete_api(ApiId=api)
        functions.delete_function(FunctionName=name)


if __name__ == "__main__":
    main()
