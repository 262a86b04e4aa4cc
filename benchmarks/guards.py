"""Cost of key check and limiter, and service for good clients in a flood, on the local stack, in one run.

    .venv/bin/afluente up
    .venv/bin/python benchmarks/guards.py
    .venv/bin/python benchmarks/guards.py --seconds 5 --rate 200 --requests 100     # to try it

Sends to the running local stack only. It measures

1. answers through the local stack, in turns with the limits of the stage and with none (`AFLUENTE_LIMITS={}` of
   `http_ingest`, as a stage without limits has it);
2. the functions' handlers in this process, against the stack's SQS and DynamoDB, in turns: with key check and limiter,
   with the key check alone, with neither. There is no such switch in the service: the handler of `http_ingest` is given
   the authorizer's context. API Gateway, which caches the authorizer's answer for a key for 30 s, has no part
   in it: every request pays for its key check here;
3. a flood of bad keys through the stack, beside good requests: an open loop, each request at its time whether or not
   the ones before are answered. Each bad key is another one and of the right form, so that nothing but a look-up tells
   it from a good one. Latencies count from the time at which a request was due;
4. the same flood on the handlers in this process, where no emulator slows it down.

Both floods are with the limit of bad keys that a stage has by default; that of the preset `local` is wider.
"""

import argparse
import asyncio
import contextlib
import io
import json
import logging
import os
import secrets
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

import http_authorizer.handler
import http_ingest.handler
from afluente.application.access.api_keys import KEY_RANDOM_BYTES, new_key
from afluente.runtime.core.observability import logger
from afluente.runtime.http_authorizer import compose as compose_authorizer
from afluente.runtime.http_ingest import compose as compose_ingest
from benchmarks.http_latency import Client, settle, timed
from cli.access.api_key import key_for
from cli.core.state import StateDir
from cli.core.target import Target, TargetChoice, resolve
from cli.operations.status import FUNCTIONS
from infra.limits import DEFAULT_LIMITS

CONTEXT = SimpleNamespace(aws_request_id="benchmark")
PATH = "/ingest/datapoints"
NONE = "{}"
REFUSED_KEYS = json.dumps({"refused_keys": msgspec.to_builtins(DEFAULT_LIMITS.refused_keys)})
LIMITED = {"key check and limiter": {}, "key check alone": {"AFLUENTE_LIMITS": NONE}}
TURNS = 4
WARM_UP = 30
GOOD_CONNECTIONS = 4
NO_ANSWER, NOT_SENT = 0, -1
_TOLD = {NO_ANSWER: "no answer", NOT_SENT: "not sent"}

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "functions"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=500, help="requests of each latency figure (default 500)")
    parser.add_argument("--seconds", type=float, default=60, help="how long the flood is (default 60)")
    parser.add_argument("--rate", type=float, default=1_000, help="bad keys a second (default 1,000)")
    parser.add_argument("--good-rate", type=float, default=20, help="good requests a second beside them (default 20)")
    parser.add_argument(
        "--connections", type=int, default=4, help="of the flood (default 4): the emulator starts a process for each"
    )
    parser.add_argument(
        "--state-dir", type=Path, default=os.environ.get("AFLUENTE_STATE_DIR"), help="of the local stack"
    )
    arguments = parser.parse_args()
    target = resolve(TargetChoice(StateDir.of(arguments.state_dir and Path(arguments.state_dir))))
    key = key_for(target, None)
    price_through_the_stack(target, key, arguments.requests)
    settle(target)
    handlers = Handlers(target, key)
    price_of_handlers(handlers, arguments.requests)
    settle(target)
    with configured(target, "http_authorizer", {"AFLUENTE_LIMITS": REFUSED_KEYS}):
        asyncio.run(flood_through_the_stack(target, key, arguments))
    settle(target)
    flood_of_handlers(handlers, arguments)


# --- what it costs ---------------------------------------------------------------------------------------------------


def price_through_the_stack(target: Target, key: str, requests: int) -> None:
    print("\n1. Through the local stack\n\n| what | p50 | p95 | p99 |\n|---|---|---|---|")
    durations: dict[tuple[int, str], list[float]] = {(points, name): [] for points in (1, 100) for name in LIMITED}
    for turn in range(TURNS):
        # Neither is always the first, which the emulator answers while it is still about other things.
        for name in sorted(LIMITED, reverse=turn % 2 == 1):
            with configured(target, "http_ingest", LIMITED[name]), Client(target, key) as client:
                asyncio.run(ready(*good_requests(target, key)))
                for points in (1, 100):
                    durations[points, name] += timed(requests // TURNS, partial(client.ingest, "guards", points))
            settle(target)
    for (points, name), seconds in durations.items():
        print(f"| {points} point(s), {name} | {rendered(seconds)} |", flush=True)


@contextmanager
def configured(target: Target, function: str, variables: Mapping[str, str]) -> Iterator[None]:
    """Give a function other environment variables for the block; its processes start anew, before and after."""
    client, name = target.client("lambda"), target[FUNCTIONS[function]]
    before = client.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    client.update_function_configuration(FunctionName=name, Environment={"Variables": {**before, **variables}})
    try:
        yield
    finally:
        client.update_function_configuration(FunctionName=name, Environment={"Variables": before})


class Handlers:
    """The handlers of `http_authorizer` and `http_ingest` in this process, as their containers have them."""

    def __init__(self, target: Target, key: str) -> None:
        self._key = key
        for function in ("http_authorizer", "http_ingest"):
            os.environ.update(environment_of(target, function))
        # The log is part of the cost of a function, and not to be read here.
        with quiet():
            for handler in logger()._logger.handlers:  # noqa: SLF001 - it has no other way to its stream
                if isinstance(handler, logging.StreamHandler):
                    handler.setStream(io.StringIO())
        self._authorizer = compose_authorizer({**os.environ, "AFLUENTE_LIMITS": REFUSED_KEYS})
        self._with = compose_ingest(os.environ)
        self._without = compose_ingest({**os.environ, "AFLUENTE_LIMITS": NONE})
        self._grant = self.authorize(key)["context"]["grant"]

    def authorize(self, key: str) -> Any:
        """The authorizer's answer."""
        event = {"identitySource": [key], "requestContext": {"http": {"sourceIp": "192.0.2.1"}}}
        return http_authorizer.handler.handle(event, CONTEXT, self._authorizer)

    def ingest(self, body: str, *, checks_key: bool, keeps_limits: bool) -> None:
        """Send points with some of the guards."""
        grant = self.authorize(self._key)["context"]["grant"] if checks_key else self._grant
        function = self._with if keeps_limits else self._without
        answer = http_ingest.handler.handle(event_of(body, grant), CONTEXT, function)
        if answer["statusCode"] != 202:
            raise RuntimeError(f"{answer['statusCode']}: {answer['body']}")


def price_of_handlers(handlers: Handlers, requests: int) -> None:
    print("\n2. The handlers in this process\n\n| what | p50 | p95 | p99 |\n|---|---|---|---|")
    guards = {
        "key check and limiter": {"checks_key": True, "keeps_limits": True},
        "key check alone": {"checks_key": True, "keeps_limits": False},
        "neither": {"checks_key": False, "keeps_limits": False},
    }
    for points in (1, 100):
        durations: dict[str, list[float]] = {name: [] for name in guards}
        with quiet():
            for turn in range(WARM_UP + requests):
                for name, which in guards.items():
                    body = body_of(points)
                    begun = time.perf_counter()
                    handlers.ingest(body, **which)
                    if turn >= WARM_UP:
                        durations[name].append(time.perf_counter() - begun)
        for name, seconds in durations.items():
            print(f"| {points} point(s), {name} | {rendered(seconds)} |", flush=True)
        both, checked = (statistics.median(durations[name]) for name in ("key check and limiter", "key check alone"))
        print(f"| {points} point(s): the limiter adds to p50 | {1000 * (both - checked):.2f} ms | | |", flush=True)


# --- a flood ---------------------------------------------------------------------------------------------------------


class Seen(NamedTuple):
    """The result of one request: its status, or one of those below, and seconds from when it was due."""

    status: int
    seconds: float


async def flood_through_the_stack(target: Target, key: str, arguments: argparse.Namespace) -> None:
    address = urlsplit(target.api_url)
    at, good = good_requests(target, key)
    seconds, rate, good_rate = arguments.seconds, arguments.rate, arguments.good_rate
    bad_keys = [a_bad_key() for _ in range(int(seconds * rate))]

    def bad(place: int) -> bytes:
        return request_of(address.path, address.netloc, bad_keys[place], NONE)

    # As many containers as will be needed: to start them is no part of what is measured.
    await asyncio.gather(*(ready(at, good) for _ in range(GOOD_CONNECTIONS + arguments.connections)))
    quiet_seconds = min(seconds, 20)
    alone = await open_loop(at, good, rate=good_rate, seconds=quiet_seconds, connections=GOOD_CONNECTIONS)
    begun = time.perf_counter()
    beside, flood = await asyncio.gather(
        open_loop(at, good, rate=good_rate, seconds=seconds, connections=GOOD_CONNECTIONS),
        open_loop(at, bad, rate=rate, seconds=seconds, connections=arguments.connections),
    )
    took = time.perf_counter() - begun
    print(f"\n3. {rate:,.0f} bad keys a second for {seconds:g} s through the local stack\n")
    sent = sum(one.status != NOT_SENT for one in flood)
    answered = sum(one.status > 0 for one in flood)
    print(f"due {len(bad_keys):,} ({rate:,.0f} a second), sent {sent:,} ({sent / took:,.0f} a second), ", end="")
    print(f"answered {answered:,} ({answered / took:,.0f} a second): {counted(flood)}")
    show_good({"without the flood": alone, "beside it": beside}, {202})


def flood_of_handlers(handlers: Handlers, arguments: argparse.Namespace) -> None:
    """One container of each function, which takes one request after the other, at the times at which they are due."""
    seconds, rate, good_rate = arguments.seconds, arguments.rate, arguments.good_rate
    due = [(place / rate, False) for place in range(int(seconds * rate))]
    due += [(place / good_rate, True) for place in range(int(seconds * good_rate))]
    bad_keys = iter([a_bad_key() for _ in range(int(seconds * rate))])
    beside = []
    turned_away: Counter[str] = Counter()
    with quiet():
        alone = [good_request(handlers, time.perf_counter()) for _ in range(int(min(seconds, 20) * good_rate))]
        begun = time.perf_counter()
        for moment, is_good in sorted(due):
            wait = begun + moment - time.perf_counter()
            if wait > 0:
                time.sleep(wait)
            if is_good:
                beside.append(good_request(handlers, begun + moment))
                continue
            answer = handlers.authorize(next(bad_keys))
            turned_away["looked up and refused" if answer["isAuthorized"] else "turned away without a look"] += 1
        took = time.perf_counter() - begun
    print(f"\n4. {rate:,.0f} bad keys a second for {seconds:g} s on the handlers in this process\n")
    rate = f"{sum(turned_away.values()) / took:,.0f} a second"
    print(f"{rate}: ", end="")
    print(", ".join(f"{what} {count:,}" for what, count in turned_away.items()))
    show_good({"without the flood": alone, "beside it": beside}, {202})


def good_request(handlers: Handlers, due: float) -> Seen:
    handlers.ingest(body_of(1), checks_key=True, keeps_limits=True)
    return Seen(202, time.perf_counter() - due)


def show_good(runs: Mapping[str, Sequence[Seen]], good: set[int]) -> None:
    print("\n| good requests | count | failed | p50 | p95 | p99 |\n|---|---|---|---|---|---|")
    for name, seen in runs.items():
        failed = Counter(one.status for one in seen if one.status not in good)
        why = f" ({counted([one for one in seen if one.status not in good])})" if failed else ""
        print(
            f"| {name} | {len(seen)} | {failed.total()}{why} | {rendered([one.seconds for one in seen])} |", flush=True
        )


def counted(seen: Sequence[Seen]) -> str:
    """Requests by status."""
    counts = sorted(Counter(one.status for one in seen).items())
    return ", ".join(f"{_TOLD.get(status, status)} {count:,}" for status, count in counts)


async def open_loop(
    at: tuple[str, int], request: Callable[[int], bytes], *, rate: float, seconds: float, connections: int
) -> list[Seen]:
    """Send requests at their times over some connections; those that find none free until the end are not sent."""
    begun = time.perf_counter()
    places = iter(range(int(rate * seconds)))
    seen: list[Seen] = []

    async def one_connection() -> None:
        streams = None
        for place in places:
            due = begun + place / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            if time.perf_counter() > begun + seconds + 1:
                seen.append(Seen(NOT_SENT, time.perf_counter() - due))
                continue
            try:
                streams = streams or await asyncio.open_connection(*at)
                status = await asyncio.wait_for(exchange(*streams, request(place)), 60)
            except (OSError, EOFError, TimeoutError):
                status = NO_ANSWER
                if streams:
                    streams[1].close()
                streams = None
            seen.append(Seen(status, time.perf_counter() - due))
        if streams:
            streams[1].close()

    await asyncio.gather(*(one_connection() for _ in range(connections)))
    return seen


async def ready(at: tuple[str, int], request: Callable[[int], bytes]) -> None:
    """Wait until the functions, which have begun anew, answer one request after the other."""
    in_a_row, deadline = 0, time.perf_counter() + 300
    while in_a_row < WARM_UP:
        if time.perf_counter() > deadline:
            raise RuntimeError("the stack does not take requests")
        streams = await asyncio.open_connection(*at)
        try:
            status = await asyncio.wait_for(exchange(*streams, request(0)), 60)
        except (OSError, EOFError, TimeoutError):
            status = NO_ANSWER
        streams[1].close()
        in_a_row = in_a_row + 1 if status == 202 else 0


async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> int:
    """Send a request, read its answer to the end, and return its status."""
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
    await reader.readexactly(int(headers.get("content-length", 0)))
    return int(lines[0].split()[1])


# --- requests --------------------------------------------------------------------------------------------------------


def a_bad_key() -> str:
    """A key of the right form that does not exist."""
    return new_key("nobody", random=secrets.token_bytes(KEY_RANDOM_BYTES), pepper="", now=0.0)[0]


def body_of(points: int) -> str:
    now = time.time()
    datapoints = [{"stream_id": f"s-{n % 5}", "value": 20.5, "timestamp": now - points + n} for n in range(points)]
    return json.dumps({"domain": "iot", "source_id": "guards", "datapoints": datapoints})


def good_requests(target: Target, key: str) -> tuple[tuple[str, int], Callable[[int], bytes]]:
    """The stack's address, and the headers and body of a good request."""
    address = urlsplit(target.api_url)
    at = (address.hostname or "", address.port or 80)
    return at, lambda _place: request_of(address.path, address.netloc, key, body_of(1))


def request_of(base: str, host: str, key: str, body: str) -> bytes:
    head = (
        f"POST {base}{PATH} HTTP/1.1\r\nHost: {host}\r\nX-API-Key: {key}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body.encode()


def event_of(body: str, grant: str) -> dict[str, Any]:
    """An event of API Gateway, with its authorizer's context."""
    return {
        "routeKey": f"POST {PATH}",
        "rawPath": PATH,
        "headers": {"content-type": "application/json"},
        "body": body,
        "isBase64Encoded": False,
        "requestContext": {
            "requestId": secrets.token_hex(8),
            "timeEpoch": round(time.time() * 1000),
            "http": {"method": "POST", "path": PATH, "sourceIp": "192.0.2.1"},
            "authorizer": {"lambda": {"grant": grant}},
        },
    }


def environment_of(target: Target, function: str) -> dict[str, str]:
    """The function's environment, with the stack's address as this process sees it."""
    client = target.client("lambda")
    configuration = client.get_function_configuration(FunctionName=target[FUNCTIONS[function]])
    variables: dict[str, str] = configuration["Environment"]["Variables"]
    endpoint = client.meta.endpoint_url
    access = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": client.meta.region_name,
    }
    return {**variables, **access, "AWS_ENDPOINT_URL": endpoint}


@contextmanager
def quiet() -> Iterator[None]:
    with contextlib.redirect_stdout(io.StringIO()):
        yield


def rendered(seconds: Sequence[float]) -> str:
    cuts = statistics.quantiles(seconds, n=100)
    return f"{1000 * cuts[49]:.2f} ms | {1000 * cuts[94]:.2f} ms | {1000 * cuts[98]:.2f} ms"


if __name__ == "__main__":
    main()
