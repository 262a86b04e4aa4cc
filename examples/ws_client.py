"""Sends points to afluente over a WebSocket, one a message, and goes on where it was after each break.

It reads points as NDJSON from standard input, each with a `sequence` that counts on from run to run; those that the
service has already are skipped, so the same input may be given again. It needs the package `websockets`.

    export AFLUENTE_WS_URL=$(afluente status --json | python -c 'import json, sys; print(json.load(sys.stdin)["websocket_url"])')
    export AFLUENTE_API_KEY=$(afluente keys create "oven 1")
    python examples/ws_client.py iot oven-1 < points.ndjson

The protocol is in docs/reference/websocket.md.
"""  # noqa: E501 - a command to paste

import json
import os
import sys
import time

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect


def send(domain: str, source_id: str) -> None:
    api_key = os.environ["AFLUENTE_API_KEY"]
    who = {"action": "auth", "domain": domain, "source_id": source_id, "api_key": api_key}
    points = map(json.loads, sys.stdin)
    point = next(points, None)
    while point:
        try:
            with connect(os.environ["AFLUENTE_WS_URL"]) as socket:
                last = answer_to(who, socket)["last_sequence"]
                while point:
                    if last is None or point["sequence"] > last:
                        print(json.dumps(answer_to(point, socket)), flush=True)
                    point = next(points, None)
        except (OSError, EOFError, WebSocketException) as error:
            print(f"{error!r}; connecting anew", file=sys.stderr)
            time.sleep(1)


def answer_to(message: dict, socket: ClientConnection) -> dict:
    while True:
        socket.send(json.dumps(message))
        text = socket.recv(timeout=35)
        # API Gateway's own messages have no type, and those of the local stack may be no JSON.
        answer = json.loads(text) if text.startswith("{") else {"message": text}
        if answer.get("type") == "error":
            sys.exit(f"refused: {answer['message']}")
        if "status" in answer or "last_sequence" in answer:
            return answer
        print(f"{answer['message']}; the same again in a moment", file=sys.stderr)
        time.sleep(answer.get("retry_after", 2))


if __name__ == "__main__":
    send(*sys.argv[1:])
