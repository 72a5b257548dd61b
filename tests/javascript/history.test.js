import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import test from "node:test";

import { History } from "../../dashboards/static/dashboards/history.js";

const ASKED = [["from", "now-1h"], ["to", "now"], ["series", "roof/temperature"], ["series", "roof/a/b"]];

// A hub that answers one request after the other with `answers`: [status, body], or null to hang up.
async function hub(context, answers) {
  const asked = [];
  const server = createServer((request, response) => {
    asked.push(new URL(request.url, "http://hub"));
    const answer = answers.shift();
    if (answer === undefined) return; // silence
    if (answer === null) return request.socket.destroy();
    response.writeHead(answer[0], { "content-type": "application/json", connection: "close" });
    response.end(JSON.stringify(answer[1]));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  context.after(() => (server.closeAllConnections(), server.close()));
  return { asked, history: new History(`http://127.0.0.1:${server.address().port}/`, [1, 1, 1]) };
}

test("it asks what it is told to, in an address", async (context) => {
  const { asked, history } = await hub(context, [[200, { at: 1 }]]);
  assert.deepEqual(await history.ask(ASKED), { at: 1 });
  assert.deepEqual([...asked[0].searchParams], ASKED);
});

test("a hub in trouble, or gone for a moment, is asked again", async (context) => {
  const { asked, history } = await hub(context, [[503, {}], null, [429, {}], [200, { at: 3 }]]);
  assert.deepEqual(await history.ask(ASKED), { at: 3 });
  assert.equal(asked.length, 4);
});

test("trouble that stays is said", async (context) => {
  const { asked, history } = await hub(context, [[503, {}], [503, {}], [503, {}], [503, {}]]);
  await assert.rejects(history.ask(ASKED), /answered 503/);
  assert.equal(asked.length, 4);
});

test("what is wrong with the question is said at once, in the hub's words", async (context) => {
  const { asked, history } = await hub(context, [[422, { detail: "to: is before from" }]]);
  await assert.rejects(history.ask(ASKED), { message: "to: is before from", status: 422 });
  assert.equal(asked.length, 1);
});

test("the next question puts an end to the one before", async (context) => {
  const { history } = await hub(context, []);
  const first = history.ask(ASKED);
  const second = history.ask(ASKED);
  assert.equal(await first, null);
  history.abort();
  assert.equal(await second, null);
});
