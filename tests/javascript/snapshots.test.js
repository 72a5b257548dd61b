import assert from "node:assert/strict";
import test from "node:test";

import { Snapshots } from "../../dashboards/static/dashboards/snapshots.js";

const BEGUN_S = 1;
const answer = (at, values = {}, { hub = "a", begunS = BEGUN_S, counts = [0, 0, 0], sum = 0 } = {}) => ({
  at,
  hub,
  values: { process_start_time_seconds: begunS, ...values },
  histograms: { commit: { bounds: [0.01, 0.1], counts, sum } },
});

function seen(...answers) {
  const snapshots = new Snapshots();
  for (const each of answers) snapshots.add(each);
  return snapshots;
}

test("one answer gives no rate, and no time", () => {
  const snapshots = seen(answer(50_000, { taken: 7 }));
  assert.equal(snapshots.rate("taken"), null);
  assert.deepEqual(snapshots.times("commit"), { perS: null, mean: null, p50: null, p99: null });
});

test("a rate is what two totals differ by, over the time between them", () => {
  assert.equal(seen(answer(50_000, { taken: 10 }), answer(52_000, { taken: 30 })).rate("taken"), 10);
});

test("a figure that was not there yet began at none", () => {
  assert.equal(seen(answer(50_000), answer(52_000, { "closed/4400": 4 })).rate("closed/4400"), 2);
});

test("a rate is that of the window alone", () => {
  const totals = [0, 1000, 1002, 1004, 1006, 1008, 1010];
  const snapshots = seen(...totals.map((taken, index) => answer(50_000 + 2_000 * index, { taken })));
  assert.equal(snapshots.rate("taken"), 1);
});

test("what came while nobody looked is no rate of now", () => {
  const snapshots = seen(answer(50_000, { taken: 0 }), answer(90_000, { taken: 9_000 }));
  assert.equal(snapshots.rate("taken"), null);
  snapshots.add(answer(92_000, { taken: 9_004 }));
  assert.equal(snapshots.rate("taken"), 2);
});

test("a hub that began anew has totals of its own", () => {
  const snapshots = seen(answer(50_000, { taken: 900 }), answer(52_000, { taken: 902 }));
  assert.equal(snapshots.add(answer(54_000, { taken: 3 }, { hub: "b", begunS: 53 })), true);
  assert.equal(snapshots.rate("taken"), null);
  assert.equal(snapshots.latest.values.taken, 3);
});

test("another hub behind the same address is passed over while this one answers", () => {
  const snapshots = seen(answer(50_000, { taken: 900 }));
  assert.equal(snapshots.add(answer(52_000, { taken: 3 }, { hub: "b" })), false);
  snapshots.add(answer(54_000, { taken: 908 }));
  assert.equal(snapshots.rate("taken"), 2);
  assert.equal(snapshots.add(answer(65_000, { taken: 5 }, { hub: "b" })), true);
  assert.equal(snapshots.latest.hub, "b");
});

test("times are those of the window, told from the bounds of a histogram", () => {
  const before = answer(50_000, {}, { counts: [100, 100, 100], sum: 1 });
  const after = answer(60_000, {}, { counts: [150, 200, 200], sum: 5 });
  const { perS, mean, p50, p99 } = seen(before, after).times("commit");
  assert.equal(perS, 10);
  assert.equal(mean, 0.04);
  assert.equal(p50, 0.01);
  assert.ok(Math.abs(p99 - (0.01 + (0.09 * 49) / 50)) < 1e-12);
});

test("what took longer than the last bound took at least that", () => {
  const { p50, p99 } = seen(answer(50_000), answer(52_000, {}, { counts: [0, 0, 4], sum: 9 })).times("commit");
  assert.deepEqual([p50, p99], [0.1, 0.1]);
});

test("where nothing was timed there is no time, and none a second", () => {
  const counts = { counts: [3, 3, 3], sum: 1 };
  const { perS, mean, p99 } = seen(answer(50_000, {}, counts), answer(52_000, {}, counts)).times("commit");
  assert.deepEqual([perS, mean, p99], [0, null, null]);
});

test("a clock that was set back gives no rate", () => {
  assert.equal(seen(answer(50_000, { taken: 1 }), answer(49_000, { taken: 2 })).rate("taken"), null);
});
