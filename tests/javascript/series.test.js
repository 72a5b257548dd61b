import assert from "node:assert/strict";
import test from "node:test";
import { isDeepStrictEqual } from "node:util";

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

function asking() {
  const made = new Charted("roof/temperature");
  made.ask();
  return made;
}

// A series of these readings, whole up to `at`.
function charted(readings, at, stepMs = STEP_MS) {
  const made = asking();
  made.answer(history(readings, -Infinity, stepMs), at, stepMs);
  return made;
}

test("an answer's rows of nulls are gaps and no buckets", () => {
  const made = asking();
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

test("a tail that leaves something out is not applied, and all is fetched again", () => {
  const made = charted([[1, 1]], 100);
  made.take(tailOf([[31, 2]], 30, 101), 110);
  assert.deepEqual([made.fromMs, made.columns.start, made.columns.at], [-Infinity, [0], 100]);
});

test("of hints the earliest counts, and the answer to a part leaves the time as it is", () => {
  const made = charted([[1, 1], [11, 2], [21, 3]], 100);
  made.take({ step_ms: STEP_MS, history_from: 10 }, 110);
  made.take({ step_ms: STEP_MS, history_from: 20 }, 120);
  assert.deepEqual([made.whole, made.fromMs, made.columns.at], [false, 10, 120]);
  made.ask();
  made.answer(history([[11, 8], [31, 4]]), 200, STEP_MS, 10);
  assert.deepEqual([made.columns.start, made.columns.mean, made.columns.at, made.whole], [[0, 10, 30], [1, 8, 4], 120, true]);
});

test("an answer that nobody waits for any more changes nothing", () => {
  const made = charted([[1, 1]], 100);
  made.ask();
  made.missed();
  made.answer(history([[11, 2]]), 200, STEP_MS);
  assert.deepEqual([made.columns.start, made.whole], [[0], false]);
});

test("where more is told than can be held, all is fetched again", () => {
  const made = asking();
  for (let at = 101; at <= 400; at += 1) made.take(tailOf([[1, 1]], 0, at - 1), at);
  assert.ok(made.held.length <= 120);
  made.answer(history([]), 100, STEP_MS);
  assert.deepEqual([made.columns.count, made.columns.at, made.fromMs], [[1], 400, -Infinity]);
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
const SPAN_MS = 1_000;
const down = (ms) => ms - (ms % LONG_MS);
const isHint = (tail) => !tail.columns;

// The rule of docs/live.md, each time with one clause left out.
const WITHOUT = {
  "a hint moves the time": class extends Charted {
    take(tail, at) {
      const before = this.columns?.at;
      super.take(tail, at);
      if (isHint(tail) && this.columns && !this.held) this.columns.at = before;
    }
  },
  "of hints the earliest counts": class extends Charted {
    take(tail, at) {
      if (isHint(tail) && !this.held && at > this.columns?.at) this.fromMs = Infinity;
      super.take(tail, at);
    }
  },
  "a hint without a time is for all": class extends Charted {
    take(tail, at) {
      super.take(isHint(tail) ? { ...tail, history_from: tail.history_from ?? 1e15 } : tail, at);
    }
  },
  "an answer to a part leaves the time": class extends Charted {
    answer(series, at, stepMs, fromMs) {
      if (this.held && fromMs > -Infinity) this.columns.at = at;
      super.answer(series, at, stepMs, fromMs);
    }
  },
  "what comes before history is asked for is taken": class extends Charted {
    take(tail, at) {
      if (this.whole || this.held) super.take(tail, at);
    }
  },
  "what comes while history is asked for is kept": class extends Charted {
    take(tail, at) {
      if (!this.held) super.take(tail, at);
    }
  },
  "a tail that leaves something out is not applied": class extends Charted {
    take(tail, at) {
      super.take({ ...tail, after: -Infinity }, at);
    }
  },
  "after a lost connection all is fetched": class extends Charted {
    missed() {
      if (!this.columns) super.missed();
    }
  },
};

// A hub that stores readings, now, late and far behind, and tells of them as dashboards/live/tails.py
// does: late, seldom, by hints, overlapping. In `trouble` the line is cut and the hub loses summaries;
// or tails are lost on the way, where there is nothing to hint at.
class World {
  constructor(seed, Made, trouble) {
    Object.assign(this, { random: randomFrom(seed), series: new Made("roof/temperature"), trouble });
    Object.assign(this, { now: 100_000, readings: new Map(), changes: [], sent: [], told: null, hint: Infinity, lost: 0, refused: 0 });
  }

  upTo = (number) => Math.floor(this.random() * number);
  happens = (chance) => this.random() < chance;
  columns = (fromMs) => history([...this.readings], fromMs, LONG_MS);

  store() {
    const behind = [0, 0, 0, 0, 300, 700, 4_000, 20_000][this.upTo(this.trouble === "lost" ? 6 : 8)];
    const ms = this.now - behind - this.upTo(50);
    this.readings.set(ms, this.readings.get(ms) ?? this.upTo(100));
    this.changes.push({ ms, heard: null, far: behind > SPAN_MS });
  }

  // Those who heard nothing for long are told from ten seconds ago on.
  connect() {
    if (this.told !== null) return;
    this.told = this.now - 10_000;
    if (this.lost > this.told) this.hint = -Infinity;
    else this.hint = Math.min(Infinity, ...this.changes.flatMap(({ ms, heard, far }) => (far && heard > this.told ? [ms] : [])));
    const { whole, columns } = this.series;
    if (!whole || this.now - columns.at >= 8_000) this.lose();
  }

  lose() {
    this.answer = null;
    this.series.missed();
  }

  disconnect() {
    Object.assign(this, { told: null, sent: [] });
  }

  tick(works = false) {
    this.now += 1;
    if (this.trouble === "cut" && !works && this.happens(0.02)) Object.assign(this, { changes: [], hint: -Infinity, lost: this.now });
    for (const change of this.changes) if (works || this.happens(0.8)) change.heard ??= this.now;
    if (this.told === null || this.sent.length > 0) return;
    const fresh = this.changes.filter(({ heard }) => heard > this.told);
    if (fresh.some(({ far }) => far) || this.hint < Infinity) this.#say({ history_from: this.#from(fresh) });
    else if (fresh.length > 0 && (works || this.happens(0.7))) this.#say(this.#tail());
  }

  #from(fresh) {
    const from = down(Math.min(this.hint, ...fresh.map(({ ms }) => ms)));
    this.hint = Infinity;
    return Number.isFinite(from) ? from : null;
  }

  // It may begin earlier than need be, but knows nothing of what was lost.
  #tail() {
    const after = Math.max(this.lost, this.told - this.upTo(2) * this.upTo(1_500));
    const near = this.changes.filter(({ heard, far }) => heard > after && !far);
    const from = down(Math.min(...near.map(({ ms }) => ms)));
    return { after, from, columns: this.columns(from).columns };
  }

  #say(tail) {
    this.told = this.now;
    if (this.trouble !== "lost" || this.settles || !this.happens(0.05)) this.sent.push([{ step_ms: LONG_MS, ...tail }, this.now]);
  }

  see() {
    for (const [tail, at] of this.sent.splice(0)) {
      const { held, whole, columns } = this.series;
      if (!held && whole && tail.after > columns.at) this.refused += 1;
      this.series.take(tail, at);
    }
  }

  ask() {
    const { series, now } = this;
    if (series.whole || series.held) return;
    series.ask();
    this.answer = [this.columns(series.fromMs), now, LONG_MS, series.fromMs];
  }

  receive() {
    if (!this.answer) return;
    this.series.answer(...this.answer);
    this.answer = null;
  }

  run() {
    for (let step = 0; step < 300; step += 1) {
      const doing = ["store", "store", "store", "see", "see", "ask", "receive", "connect"];
      if (this.trouble === "cut" && this.happens(0.02)) doing.fill("disconnect");
      this[doing[this.upTo(doing.length)]]();
      this.now += [1, 20, 100, 300][this.upTo(4)];
      if (this.happens(0.4)) this.tick();
    }
    // What was lost last is missed by who hears of something later.
    this.settles = true;
    this.store();
    for (let round = 0; round < 4; round += 1) {
      this.connect();
      this.now += 3_000;
      for (const each of ["see", "ask", "receive"]) this[each]();
      this.tick(true);
      for (const each of ["see", "ask", "receive"]) this[each]();
    }
    return this;
  }

  get isRight() {
    return isDeepStrictEqual(this.series.columns && shown(this.series.columns), this.columns().columns);
  }
}

const SEEDS = [...Array(200).keys()];
const TROUBLES = ["none", "cut", "lost"];

test("whatever is told and answered, lost and late, it ends equal to what is stored", () => {
  for (const trouble of TROUBLES) {
    assert.deepEqual(SEEDS.filter((seed) => !new World(seed, Charted, trouble).run().isRight), [], trouble);
  }
});

test("who hears all is never told a tail that leaves something out", () => {
  assert.deepEqual(SEEDS.filter((seed) => new World(seed, Charted, "none").run().refused > 0), []);
});

function isWrong(seed, Made, trouble) {
  const { isRight, refused } = new World(seed, Made, trouble).run();
  return !isRight || (trouble === "none" && refused > 0);
}

for (const [clause, Made] of Object.entries(WITHOUT)) {
  test(`no clause of the rule is there for nothing: ${clause}`, () => {
    assert.ok(TROUBLES.some((trouble) => SEEDS.some((seed) => isWrong(seed, Made, trouble))));
  });
}
