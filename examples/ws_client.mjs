// Sends points to afluente over a WebSocket, one a message, and goes on where it was after each break.
//
// It reads points as NDJSON from standard input, each with a `sequence` that counts on from run to run; those that the
// service has already are skipped, so the same input may be given again. It needs Node.js 22 or newer, nothing else.
//
//     export AFLUENTE_WS_URL=$(afluente status --json | python -c 'import json, sys; print(json.load(sys.stdin)["websocket_url"])')
//     export AFLUENTE_API_KEY=$(afluente keys create "oven 1")
//     node examples/ws_client.mjs iot oven-1 < points.ndjson
//
// The protocol is in docs/reference/websocket.md.

import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

const [domain, source_id] = process.argv.slice(2);
const who = { action: "auth", domain, source_id, api_key: process.env.AFLUENTE_API_KEY };
let socket = null;
let last = null;

for await (const line of createInterface({ input: process.stdin })) {
  const point = JSON.parse(line);
  for (let sent = false; !sent; ) {
    try {
      if (!socket) {
        await connect();
        last = (await answerTo(who)).last_sequence;
      }
      if (last === null || point.sequence > last) console.log(JSON.stringify(await answerTo(point)));
      sent = true;
    } catch (error) {
      console.error(`${error.message}; connecting anew`);
      socket?.close();
      socket = null;
      await sleep(1_000);
    }
  }
}
socket?.close();

async function connect() {
  socket = new WebSocket(process.env.AFLUENTE_WS_URL);
  await next("open");
}

async function answerTo(message) {
  for (;;) {
    const arrived = next("message");
    socket.send(JSON.stringify(message));
    const text = (await arrived).data;
    // API Gateway's own messages have no type, and those of the local stack may be no JSON.
    const answer = text.startsWith("{") ? JSON.parse(text) : { message: text };
    if (answer.type === "error") {
      console.error(`refused: ${answer.message}`);
      process.exit(1);
    }
    if ("status" in answer || "last_sequence" in answer) return answer;
    console.error(`${answer.message}; the same again in a moment`);
    await sleep(1_000 * (answer.retry_after ?? 2));
  }
}

// The next event of a kind; an error if the connection ends before.
function next(kind) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => broken("nothing came for 35 s"), 35_000);
    const broken = (why) => (clearTimeout(timer), reject(new Error(why)));
    socket[`on${kind}`] = (event) => (clearTimeout(timer), resolve(event));
    socket.onclose = socket.onerror = () => broken("the connection broke");
    if (socket.readyState > WebSocket.OPEN) broken("the connection broke");
  });
}
