// The ten lines of docs/live.md, run as they stand there.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { runInNewContext } from "node:vm";

const page = readFileSync(new URL("../../docs/live.md", import.meta.url), "utf8");
const [, example] = page.split("## In ten lines")[1].match(/```js\n([\s\S]*?)```/);

test("the ten lines subscribe, keep the present and say what was seen", () => {
  const sent = [];
  let socket;
  class WebSocket {
    constructor(url) {
      this.url = url;
      socket = this;
    }
    send(text) {
      sent.push(JSON.parse(text));
    }
  }
  const surroundings = { WebSocket, location: { host: "hub:8000" }, console, requestAnimationFrame: (draw) => draw() };
  const devices = runInNewContext(`${example}; devices`, surroundings);
  const hear = (message) => socket.onmessage({ data: JSON.stringify(message) });
  assert.equal(socket.url, "ws://hub:8000/ws/live/");
  socket.onopen();
  hear({ type: "snapshot", at: 1, devices: [{ uid: "roof" }, { uid: "porch" }] });
  hear({ type: "update", at: 2, devices: [{ uid: "roof", name: "Roof" }], removed: ["porch"] });
  assert.deepEqual(sent, [{ type: "subscribe" }, { type: "seen", at: 1 }, { type: "seen", at: 2 }]);
  assert.equal(devices.size, 1);
  assert.equal(devices.get("roof").name, "Roof");
});
