// A charted series: buckets in order of time, none twice, as the hub's history has them. Pure.
//
// It is whole up to `at`, a time of the hub. A tail replaces the buckets from its `from` on and never
// adds. One that leaves something out is not applied: then history is asked for from `fromMs` on.

const FIGURES = ["start", "count", "min", "max", "mean", "last"];
// What is later than this after its time is seen with the next tail or whole answer.
const LATE_MS = 10_000;
// Tails that wait for an answer: two minutes of them, one a second.
const HELD_MAX = 120;

export class Charted {
  constructor(key) {
    this.key = key;
    this.forget();
  }

  forget() {
    Object.assign(this, { columns: null, held: null, whole: false, fromMs: -Infinity });
  }

  // History is being asked for: tails wait for the answer.
  ask() {
    this.held ??= [];
  }

  // An answer that begins at the bucket of `fromMs`. Afterwards it is whole, or is to be asked again.
  answer({ columns, gap_ms: gapMs }, at, stepMs, fromMs = -Infinity) {
    if (!this.columns || fromMs === -Infinity) this.columns = Object.fromEntries(FIGURES.map((name) => [name, []]));
    replaceFrom(this.columns, fromMs, columns);
    Object.assign(this.columns, { at, stepMs, gapMs });
    const held = this.held ?? [];
    Object.assign(this, { held: null, whole: true });
    for (const [tail, tailAt] of held) this.take(tail, tailAt);
  }

  // A tail of the update of the time `at`.
  take(tail, at) {
    const { columns, held } = this;
    if (held) {
      held.push([tail, at]);
      if (held.length > HELD_MAX) held.shift();
    } else if (this.whole && at > columns.at && tail.step_ms === columns.stepMs) {
      if (!tail.columns) this.missed(tail.history_from ?? -Infinity);
      else if (tail.after > columns.at) this.missed();
      else {
        replaceFrom(columns, tail.from, tail.columns);
        columns.at = at;
      }
    }
  }

  // Something went by unheard, perhaps from `ms` on: ask from the last bucket that was over by then.
  missed(ms = Infinity) {
    const { start = [], at, stepMs } = this.columns ?? {};
    const open = Math.min(firstFrom(start, at - LATE_MS - stepMs), start.length - 1);
    Object.assign(this, { held: null, whole: false, fromMs: Math.min(ms, start[open - 1] ?? -Infinity) });
  }

  dropBefore(ms) {
    const gone = firstFrom(this.columns.start, ms);
    if (gone > 0) for (const name of FIGURES) this.columns[name].splice(0, gone);
  }

  // [start, mean, min, max], with a row of nulls where a line would join what is too far apart.
  plotted() {
    const { start = [], stepMs, gapMs, mean, min, max } = this.columns ?? {};
    const rows = [[], [], [], []];
    const push = (...values) => values.forEach((value, column) => rows[column].push(value));
    start.forEach((ms, at) => {
      if (ms - start[at - 1] > gapMs) push(start[at - 1] + stepMs, null, null, null);
      push(ms, mean[at], min[at], max[at]);
    });
    return rows;
  }
}

function replaceFrom(columns, fromMs, fresh) {
  const kept = firstFrom(columns.start, fromMs);
  for (const name of FIGURES) columns[name].length = kept;
  fresh.start.forEach((ms, row) => {
    // A row that counts nothing is a gap, and told by `gapMs` here.
    if (fresh.count[row] > 0 && ms >= fromMs) for (const name of FIGURES) columns[name].push(fresh[name][row]);
  });
}

function firstFrom(starts, ms) {
  const at = starts.findIndex((start) => start >= ms);
  return at < 0 ? starts.length : at;
}
