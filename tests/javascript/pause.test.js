import assert from "node:assert/strict";
import test from "node:test";

import { Pause } from "../../dashboards/static/dashboards/pause.js";

test("readings count only while it is paused, and from nought each time", () => {
  const pause = new Pause();
  pause.arrived(5);
  assert.equal(pause.readings, 0);
  pause.toggle();
  pause.arrived(119);
  pause.arrived(1);
  assert.equal(pause.words, "120 new readings, resume");
  pause.toggle();
  assert.deepEqual([pause.paused, pause.words], [false, "Pause"]);
  pause.toggle();
  assert.equal(pause.words, "Paused, resume");
  pause.arrived(1);
  assert.equal(pause.words, "1 new reading, resume");
});

test("who listens is told of each change", () => {
  const pause = new Pause();
  const told = [];
  pause.onChange(({ paused, readings }) => told.push([paused, readings]));
  pause.toggle();
  pause.arrived(2);
  pause.arrived(0);
  pause.toggle();
  assert.deepEqual(told, [[true, 0], [true, 2], [false, 0]]);
});
