import assert from "node:assert/strict";
import test from "node:test";

import { Rate, readings } from "../../dashboards/static/dashboards/rates.js";

// A rate of seven a second, told every second from 0 to 5 s.
function sevenASecond() {
  const rate = new Rate(10_000);
  for (let s = 0; s <= 5; s += 1) rate.add(s * 1000, s * 7);
  return rate;
}

test("a rate is what came over the time it took", () => {
  assert.equal(sevenASecond().at(5000), 7);
});

test("a rate needs a moment before it says anything", () => {
  const rate = new Rate();
  rate.add(0, 5);
  rate.add(1000, 9);
  assert.equal(rate.at(1000), null);
});

test("a rate falls to zero when nothing comes", () => {
  const falling = sevenASecond().at(12_000);
  assert.ok(falling > 0 && falling < 7, String(falling));
  assert.equal(sevenASecond().at(60_000), 0);
});

test("a total that fell begins anew", () => {
  const rate = new Rate(10_000);
  for (const [atMs, total] of [[0, 1000], [1000, 2000], [2000, 0], [6000, 8]]) rate.add(atMs, total);
  assert.equal(rate.at(6000), 2);
});

test("a slow device is measured over a few of its intervals", () => {
  const rate = Rate.forInterval(60);
  for (let minute = 0; minute <= 3; minute += 1) rate.add(minute * 60_000, minute * 6);
  assert.equal(rate.at(180_000), 0.1);
});

test("what is older than the window is not kept, though nobody asks for the rate", () => {
  const rate = new Rate(10_000);
  for (let s = 0; s <= 3600; s += 1) rate.add(s * 1000, s);
  assert.ok(rate.seen.length <= 11, String(rate.seen.length));
});

test("every outcome is a reading", () => {
  assert.equal(readings({ stored: 5, duplicate: 2, rejected: 1 }), 8);
});
