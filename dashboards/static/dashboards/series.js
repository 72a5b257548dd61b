// A charted series: buckets in order of time, none twice, as the hub's history has them. Pure.
//
// It is whole up to `at`, a time of the hub: all that was committed before is in it. A tail replaces
// the buckets from its `from` on and never adds, so what comes twice does no harm. A tail that
// leaves something out is not applied; then history is asked for, from `fetchFromMs` on.

const FIGURES = ["start", "count", "min", "max", "mean", "first", "last"];
// What comes later than this after its time is seen with the next whole answer.
const LATE_MS = 10_000;
// Tails that wait for an answer of history: two minutes of them, one a second.
const HELD_MAX = 120;

export function fromHistory({ columns, gap_ms: gapMs }, at, stepMs) {
  const made = { at, stepMs, gapMs, ...Object.fromEntries(FIGURES.map((name) => [name, []])) };
  replaceFrom(made, -Infinity, columns);
  return made;
}

// "applied"; "known", when all of it is in there already; "fetch", when something before it is not.
export function applyTail(columns, tail, at) {
  if (at <= columns.at || tail.step_ms !== columns.stepMs) return "known";
  if (!tail.columns || tail.after > columns.at) return "fetch";
  replaceFrom(columns, tail.from, tail.columns);
  columns.at = at;
  return "applied";
}

// An answer that begins at `fromMs`, the start of a bucket.
export function spliceHistory(columns, { columns: fresh, gap_ms }, at, fromMs) {
  if (at <= columns.at) return;
  replaceFrom(columns, fromMs, fresh);
  Object.assign(columns, { at, gapMs: gap_ms });
}

function replaceFrom(columns, fromMs, fresh) {
  const kept = firstFrom(columns.start, fromMs);
  for (const name of FIGURES) columns[name].length = kept;
  for (let row = 0; row < fresh.start.length; row += 1) {
    // A row of nulls is a gap; where gaps are is told from `gapMs` when it is drawn.
    if (fresh.count[row] === 0 || fresh.start[row] < fromMs) continue;
    for (const name of FIGURES) columns[name].push(fresh[name][row]);
  }
}

// The index of the first of `starts` that is not before `ms`.
export function firstFrom(starts, ms) {
  let [low, high] = [0, starts.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (starts[middle] < ms) low = middle + 1;
    else high = middle;
  }
  return low;
}

export function dropBefore(columns, ms) {
  const gone = firstFrom(columns.start, ms);
  if (gone > 0) for (const name of FIGURES) columns[name].splice(0, gone);
}

// The start of the last bucket that nothing can come into any more, but what is late; -Infinity: none.
export function lastClosedMs({ start, stepMs, at }) {
  const open = Math.min(firstFrom(start, at - LATE_MS - stepMs), start.length - 1);
  return start[open - 1] ?? -Infinity;
}

// [start, mean, min, max], with a row of nulls wherever a line would join what is too far apart.
export function plotted(columns) {
  const { start, stepMs, gapMs } = columns;
  const rows = [[], [], [], []];
  for (let at = 0; at < start.length; at += 1) {
    if (at > 0 && start[at] - start[at - 1] > gapMs) push(rows, start[at - 1] + stepMs, null, null, null);
    push(rows, start[at], columns.mean[at], columns.min[at], columns.max[at]);
  }
  return rows;
}

const push = (rows, ...values) => values.forEach((value, column) => rows[column].push(value));

// One series of a chart while answers of history and tails come in, in whatever order.
export class Charted {
  constructor(key) {
    this.key = key;
    this.columns = null;
    this.fetchFromMs = -Infinity;
    this.held = null; // tails that came while history is asked for
  }

  // History is being asked for: what comes until the answer waits for it.
  ask() {
    this.held ??= [];
  }

  // Forget what was asked; as if nothing were known when `anew`.
  drop(anew = false) {
    this.held = null;
    if (anew) Object.assign(this, { columns: null, fetchFromMs: -Infinity });
  }

  // True: whole. False: ask again from `fetchFromMs` on.
  answer(series, at, stepMs, fromMs = -Infinity) {
    if (this.columns && fromMs > -Infinity) spliceHistory(this.columns, series, at, fromMs);
    else this.columns = fromHistory(series, at, stepMs);
    const held = this.held ?? [];
    this.held = null;
    return held.every(([tail, tailAt]) => this.take(tail, tailAt));
  }

  take(tail, at) {
    if (this.held) {
      this.held.push([tail, at]);
      if (this.held.length > HELD_MAX) this.held.shift();
      return true;
    }
    if (!this.columns || applyTail(this.columns, tail, at) !== "fetch") return true;
    this.missed(tail.columns ? Infinity : (tail.history_from ?? -Infinity));
    return false;
  }

  // Something went by unheard: the line was lost, or nobody listened.
  missed(fromMs = Infinity) {
    this.fetchFromMs = this.columns ? Math.min(fromMs, lastClosedMs(this.columns)) : -Infinity;
  }
}
