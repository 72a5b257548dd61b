// A message is taken a portion a frame, and what waits until all is drawn comes after the last.
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

const frames = [];
globalThis.requestAnimationFrame = (frame) => frames.push(frame);
const { draw, drawn } = await import("../../dashboards/static/dashboards/draw.js");
const { Portions } = await import("../../dashboards/static/dashboards/portions.js");

const frame = () => frames.splice(0).forEach((each) => each());
const message = (at, devices) => ({ at, devices: Array.from({ length: devices }, (_, uid) => ({ uid })) });

let told;
let portions;
beforeEach(() => {
  while (frames.length > 0) frame();
  told = [];
  portions = new Portions(
    (devices, { at }) => told.push([at, devices.length]),
    ({ at }) => told.push([at, "end"]),
  );
});

test("a thousand devices are no frame's", () => {
  portions.add(message(1, 450));
  drawn(() => told.push("drawn"));
  frame();
  assert.deepEqual(told, [[1, 200]]);
  frame();
  assert.deepEqual(told, [[1, 200], [1, 200]]);
  frame();
  assert.deepEqual(told.slice(2), [[1, 50], [1, "end"]]);
  frame();
  assert.deepEqual(told.slice(4), ["drawn"]);
});

test("a message without devices has an end, too", () => {
  portions.add(message(1, 0));
  frame();
  assert.deepEqual(told, [[1, 0], [1, "end"]]);
});

test("messages keep their order, and are one after the other", () => {
  portions.add(message(1, 201));
  portions.add(message(2, 1));
  for (let count = 0; count < 3; count += 1) frame();
  assert.deepEqual(told, [[1, 200], [1, 1], [1, "end"], [2, 1], [2, "end"]]);
});

test("what is dropped comes no more", () => {
  portions.add(message(1, 450));
  frame();
  portions.drop();
  portions.add(message(2, 1));
  while (frames.length > 0) frame();
  assert.deepEqual(told, [[1, 200], [2, 1], [2, "end"]]);
});

test("a frame is asked for once, and what is noted in it is for the next", () => {
  drawn(() => told.push("drawn"));
  draw("one", () => {
    told.push("one");
    draw("two", () => told.push("two"));
  });
  assert.equal(frames.length, 1);
  frame();
  assert.deepEqual(told, ["one"]);
  assert.equal(frames.length, 1);
  frame();
  assert.deepEqual(told, ["one", "two", "drawn"]);
});
