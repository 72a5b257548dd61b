import assert from "node:assert/strict";
import test from "node:test";

import { Charted, applyTail, dropBefore, fromHistory, lastClosedMs, plotted, spliceHistory } from "../../dashboards/static/dashboards/series.js";

const FIGURES = ["start", "count", "min", "max", "mean", "first", "last"];
const STEP_MS = 10;

// Readings [time, value] as the hub would lay them out; two steps apart is a gap.
function history(readings, fromMs = -Infinity, stepMs = STEP_MS) {
  const columns = Object.fromEntries(FIGURES.map((name) => [name, []]));
  const buckets = new Map();
  for (const [ms, value] of readings.toSorted(([a], [b]) => a - b)) {
    const start = ms - (ms % stepMs);
    if (start >= fromMs) buckets.set(start, [...(buckets.get(start) ?? []), value]);
  }
  for (const [start, values] of buckets) {
    const sum = values.reduce((a, b) => a + b);
    const row = [start, values.length, Math.min(...values), Math.max(...values), sum / values.length, values[0], values.at(-1)];
    FIGURES.forEach((name, at) => columns[name].push(row[at]));
  }
  return { columns, gap_ms: 2 * stepMs };
}

const tailOf = (readings, from, after) => ({ step_ms: STEP_MS, after, from, columns: history(readings, from).columns });
const shown = (columns) => Object.fromEntries(FIGURES.map((name) => [name, columns[name]]));

test("an answer's rows of nulls are gaps and no buckets", () => {
  const answer = { gap_ms: 20, columns: { start: [0, 10, 90], count: [1, 0, 1], min: [1, null, 2], max: [1, null, 2], mean: [1, null, 2], first: [1, null, 2], last: [1, null, 2] } };
  const columns = fromHistory(answer, 100, STEP_MS);
  assert.deepEqual(columns.start, [0, 90]);
  assert.deepEqual(plotted(columns), [[0, 10, 90], [1, null, 2], [1, null, 2], [1, null, 2]]);
});

test("a tail replaces the buckets from its own first on", () => {
  const columns = fromHistory(history([[1, 1], [11, 2]]), 100, STEP_MS);
  assert.equal(applyTail(columns, tailOf([[11, 2], [12, 4], [21, 5]], 10, 90), 110), "applied");
  assert.deepEqual([columns.start, columns.count, columns.mean], [[0, 10, 20], [1, 2, 1], [1, 3, 5]]);
  assert.equal(columns.at, 110);
});

test("a tail that comes twice, or late, changes nothing", () => {
  const columns = fromHistory(history([[1, 1], [11, 2]]), 100, STEP_MS);
  const before = structuredClone(columns);
  assert.equal(applyTail(columns, tailOf([[1, 9]], 0, 50), 100), "known");
  assert.deepEqual(columns, before);
});

test("a tail of another step is no news to these columns", () => {
  const columns = fromHistory(history([[1, 1]]), 100, STEP_MS);
  assert.equal(applyTail(columns, { ...tailOf([[1, 9]], 0, 90), step_ms: 20 }, 110), "known");
  assert.deepEqual(columns.mean, [1]);
});

test("a tail after something that was missed is not applied", () => {
  const columns = fromHistory(history([[1, 1]]), 100, STEP_MS);
  assert.equal(applyTail(columns, tailOf([[31, 2]], 30, 101), 110), "fetch");
  assert.equal(applyTail(columns, { step_ms: STEP_MS, history_from: 0 }, 110), "fetch");
  assert.equal(columns.at, 100);
});

test("fetched history takes the place of what was there from its beginning on", () => {
  const columns = fromHistory(history([[1, 1], [11, 2], [21, 3]]), 100, STEP_MS);
  spliceHistory(columns, history([[11, 8], [31, 4]]), 200, 10);
  assert.deepEqual([columns.start, columns.mean, columns.at], [[0, 10, 30], [1, 8, 4], 200]);
});

test("an answer older than what came since is not spliced in", () => {
  const columns = fromHistory(history([[1, 1]]), 100, STEP_MS);
  spliceHistory(columns, history([]), 90, -Infinity);
  assert.deepEqual(columns.start, [0]);
});

test("what left the range is dropped", () => {
  const columns = fromHistory(history([[1, 1], [11, 2], [21, 3]]), 100, STEP_MS);
  dropBefore(columns, 15);
  assert.deepEqual(columns.start, [20]);
  dropBefore(columns, 15);
  assert.deepEqual([columns.mean, columns.last], [[3], [3]]);
});

test("the last closed bucket is before the newest, and over for long", () => {
  const columns = fromHistory(history([[1, 1], [11, 1], [21, 1]]), 25, STEP_MS);
  assert.equal(lastClosedMs(columns), -Infinity, "all may still change");
  assert.equal(lastClosedMs({ ...columns, at: 60_000 }), 10, "the newest may go on");
  assert.equal(lastClosedMs(fromHistory(history([]), 25, STEP_MS)), -Infinity);
});

test("a reading alone between two gaps stays a point of its own", () => {
  const columns = fromHistory(history([[1, 1], [51, 2], [101, 3]]), 200, STEP_MS);
  assert.deepEqual(plotted(columns)[1], [1, null, 2, null, 3]);
});

test("tails that come before the answer wait for it", () => {
  const charted = new Charted("roof/temperature");
  charted.ask();
  assert.ok(charted.take(tailOf([[11, 2]], 10, 80), 90));
  assert.ok(charted.take(tailOf([[11, 2], [12, 4]], 10, 100), 130));
  assert.ok(charted.answer(history([[1, 1], [11, 2]]), 110, STEP_MS));
  assert.deepEqual([charted.columns.count, charted.columns.at], [[1, 2], 130]);
});

test("after a stretch unheard it asks from the last closed bucket, and the whole where none is", () => {
  const charted = new Charted("roof/temperature");
  charted.missed();
  assert.equal(charted.fetchFromMs, -Infinity);
  charted.answer(history([[1, 1], [11, 2], [21, 3]]), 60_000, STEP_MS);
  assert.equal(charted.take(tailOf([[31, 4]], 30, 60_500), 60_600), false);
  assert.equal(charted.fetchFromMs, 10);
  assert.equal(charted.take({ step_ms: STEP_MS, history_from: 0 }, 60_700), false);
  assert.equal(charted.fetchFromMs, 0);
  assert.equal(charted.take({ step_ms: STEP_MS, history_from: null }, 60_800), false);
  assert.equal(charted.fetchFromMs, -Infinity);
});

// A small generator of numbers (mulberry32), so that a failure can be run again.
function randomFrom(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const LONG_MS = 200;
const down = (ms) => ms - (ms % LONG_MS);

// A hub that commits readings, some up to nine seconds late, and a page that hears some of its
// tails, and answers to what it asked later or much later.
function run(seed) {
  const random = randomFrom(seed);
  const upTo = (number) => Math.floor(random() * number);
  const charted = new Charted("roof/temperature");
  const committed = new Map(); // by time: [time, value, committed at]
  const ticks = [];
  let [now, answer, spliced] = [100_000, null, 0];
  const stored = () => [...committed.values()];
  const ask = () => {
    charted.ask();
    answer = { fromMs: charted.fetchFromMs, at: now, series: history(stored(), charted.fetchFromMs, LONG_MS) };
    if (answer.fromMs > -Infinity) spliced += 1;
  };
  const tick = () => {
    now += 1 + upTo(500);
    for (let number = upTo(4); number > 0; number -= 1) {
      const ms = now - 1 - upTo(random() < 0.2 ? 9_000 : 300);
      if (!committed.has(ms)) committed.set(ms, [ms, upTo(100), now - 1]);
    }
    ticks.push(now);
  };
  // It overlaps a few ticks, and says nothing where nothing came.
  const tail = () => {
    const after = ticks.at(-1 - upTo(Math.min(5, ticks.length))) - 1;
    const from = down(Math.min(...stored().flatMap(([ms, , at]) => (at >= after ? [ms] : []))));
    if (!Number.isFinite(from)) return null;
    const whole = { step_ms: LONG_MS, after, from, columns: history(stored(), from, LONG_MS).columns };
    return random() < 0.05 ? { step_ms: LONG_MS, history_from: from } : whole;
  };
  const hear = (said) => said && !charted.take(said, now) && ask();
  const receive = () => {
    const { fromMs, at, series } = answer;
    answer = null;
    if (!charted.answer(series, at, LONG_MS, fromMs)) ask();
  };
  ask();
  for (let round = 0; round < 200; round += 1) {
    tick();
    if (random() < 0.6) hear(tail());
    if (answer && random() < 0.4) receive();
  }
  if (answer) charted.answer(answer.series, answer.at, LONG_MS, answer.fromMs);
  charted.missed();
  now += 1;
  ask();
  receive();
  return { columns: shown(charted.columns), stored: stored(), spliced };
}

test("whatever tails and answers come, and in whatever order, they end equal to the history", () => {
  let spliced = 0;
  for (let seed = 1; seed <= 200; seed += 1) {
    const ended = run(seed);
    spliced += ended.spliced;
    assert.deepEqual(ended.columns, history(ended.stored, -Infinity, LONG_MS).columns, `seed ${seed}`);
    assert.equal(new Set(ended.columns.start).size, ended.columns.start.length, `seed ${seed}`);
  }
  assert.ok(spliced > 1_000, "most were asked for from a closed bucket on");
});
