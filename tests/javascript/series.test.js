import assert from "node:assert/strict";
import test from "node:test";

import { Charted } from "../../dashboards/static/dashboards/series.js";

const FIGURES = ["start", "count", "min", "max", "mean", "last"];
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
    const row = [start, values.length, Math.min(...values), Math.max(...values), sum / values.length, values.at(-1)];
    FIGURES.forEach((name, at) => columns[name].push(row[at]));
  }
  return { columns, gap_ms: 2 * stepMs };
}

const tailOf = (readings, from, after) => ({ step_ms: STEP_MS, after, from, columns: history(readings, from).columns });
const shown = (columns) => Object.fromEntries(FIGURES.map((name) => [name, columns[name]]));


// A series of these readings, whole up to `at`.
function charted(readings, at, stepMs = STEP_MS) {
  const made = new Charted("roof/temperature");
  made.answer(history(readings, -Infinity, stepMs), at, stepMs);
  return made;
}

test("an answer's rows of nulls are gaps and no buckets", () => {
  const made = new Charted("roof/temperature");
  const columns = { start: [0, 10, 90], count: [1, 0, 1], min: [1, null, 2], max: [1, null, 2], mean: [1, null, 2], last: [1, null, 2] };
  made.answer({ gap_ms: 20, columns }, 100, STEP_MS);
  assert.deepEqual(made.columns.start, [0, 90]);
  assert.deepEqual(made.plotted(), [[0, 10, 90], [1, null, 2], [1, null, 2], [1, null, 2]]);
});

test("a reading alone between two gaps stays a point of its own", () => {
  assert.deepEqual(charted([[1, 1], [51, 2], [101, 3]], 200).plotted()[1], [1, null, 2, null, 3]);
  assert.deepEqual(new Charted("roof/temperature").plotted(), [[], [], [], []]);
});

test("a tail replaces the buckets from its own first on", () => {
  const made = charted([[1, 1], [11, 2]], 100);
  made.take(tailOf([[11, 2], [12, 4], [21, 5]], 10, 90), 110);
  assert.deepEqual([made.columns.start, made.columns.count, made.columns.mean], [[0, 10, 20], [1, 2, 1], [1, 3, 5]]);
  assert.deepEqual([made.whole, made.columns.at], [true, 110]);
});

test("a tail that comes twice, or late, or is of another step changes nothing", () => {
  const made = charted([[1, 1], [11, 2]], 100);
  const before = structuredClone(made.columns);
  made.take(tailOf([[1, 9]], 0, 50), 100);
  made.take({ ...tailOf([[1, 9]], 0, 90), step_ms: 20 }, 110);
  assert.deepEqual([made.columns, made.whole], [before, true]);
});

test("a tail after something that was missed is not applied", () => {
  for (const tail of [tailOf([[31, 2]], 30, 101), { step_ms: STEP_MS, history_from: 0 }]) {
    const made = charted([[1, 1]], 100);
    made.take(tail, 110);
    assert.deepEqual([made.whole, made.columns.start, made.columns.at], [false, [0], 100]);
  }
});

test("fetched history takes the place of what was there from its beginning on", () => {
  const made = charted([[1, 1], [11, 2], [21, 3]], 100);
  made.answer(history([[11, 8], [31, 4]]), 200, STEP_MS, 10);
  assert.deepEqual([made.columns.start, made.columns.mean, made.columns.at], [[0, 10, 30], [1, 8, 4], 200]);
});

test("what left the range is dropped", () => {
  const made = charted([[1, 1], [11, 2], [21, 3]], 100);
  made.dropBefore(15);
  made.dropBefore(15);
  assert.deepEqual([made.columns.start, made.columns.mean, made.columns.last], [[20], [3], [3]]);
});

test("tails that come before the answer wait for it", () => {
  const made = new Charted("roof/temperature");
  made.ask();
  made.take(tailOf([[11, 2]], 10, 80), 90);
  made.take(tailOf([[11, 2], [12, 4]], 10, 100), 130);
  made.answer(history([[1, 1], [11, 2]]), 110, STEP_MS);
  assert.deepEqual([made.columns.count, made.columns.at], [[1, 2], 130]);
});

test("after a stretch unheard it asks from the bucket that was over for long, not the newest", () => {
  const made = charted([[1, 1], [11, 2], [21, 3]], 60_000);
  made.missed();
  assert.deepEqual([made.whole, made.fromMs], [false, 10]);
  made.missed(0);
  assert.equal(made.fromMs, 0);
});

test("it asks for the whole where all may have changed", () => {
  for (const made of [new Charted("roof/temperature"), charted([], 60_000), charted([[1, 1], [11, 2]], 25)]) {
    made.missed();
    assert.equal(made.fromMs, -Infinity);
  }
  const lost = charted([[1, 1], [11, 2], [21, 3]], 60_000);
  lost.take({ step_ms: STEP_MS, history_from: null }, 60_100);
  assert.equal(lost.fromMs, -Infinity);
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
  const series = new Charted("roof/temperature");
  const committed = new Map(); // by time: [time, value, committed at]
  const ticks = [];
  let [now, answer, spliced] = [100_000, null, 0];
  const stored = () => [...committed.values()];
  const ask = () => {
    series.ask();
    answer = { fromMs: series.fromMs, at: now, fresh: history(stored(), series.fromMs, LONG_MS) };
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
  const hear = (said) => {
    if (said) series.take(said, now);
    if (!series.whole && !answer) ask();
  };
  const receive = () => {
    const { fromMs, at, fresh } = answer;
    answer = null;
    series.answer(fresh, at, LONG_MS, fromMs);
    if (!series.whole) ask();
  };
  ask();
  for (let round = 0; round < 200; round += 1) {
    tick();
    if (random() < 0.6) hear(tail());
    if (answer && random() < 0.4) receive();
  }
  if (answer) series.answer(answer.fresh, answer.at, LONG_MS, answer.fromMs);
  series.missed();
  now += 1;
  ask();
  receive();
  return { columns: shown(series.columns), stored: stored(), spliced };
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
