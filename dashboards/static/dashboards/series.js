// A charted series: buckets in order of time, none twice, as the hub's history has them. Pure.
//
// It follows the rule of docs/live.md. It is whole up to `at`, a time of the hub, but for what is to
// be fetched: from `fromMs` on. A tail replaces the buckets from its `from` on and never adds.

const FIGURES = ["start", "count", "min", "max", "mean", "last"];
// Tails that wait for an answer: two minutes of them, one a second.
const HELD_MAX = 120;

export class Charted {
  constructor(key) {
    this.key = key;
    this.forget();
  }

  forget() {
    this.columns = null;
    this.missed();
  }

  // Something went by unheard, perhaps far behind: all is to be fetched again.
  missed() {
    Object.assign(this, { held: null, fromMs: -Infinity });
  }

  get whole() {
    return this.fromMs === Infinity;
  }

  // History is being asked for, from `fromMs` on or earlier: tails wait for the answer.
  ask() {
    this.held ??= [];
  }

  // An answer that begins at the bucket of `fromMs`, if one is waited for. One to a part leaves `at`:
  // of what is before that part it says nothing.
  answer({ columns, gap_ms: gapMs }, at, stepMs, fromMs = -Infinity) {
    const { held } = this;
    if (!held) return;
    if (fromMs === -Infinity) this.columns = { ...Object.fromEntries(FIGURES.map((name) => [name, []])), at, stepMs };
    replaceFrom(this.columns, fromMs, columns);
    this.columns.gapMs = gapMs;
    Object.assign(this, { held: null, fromMs: Infinity });
    for (const [tail, tailAt] of held) this.take(tail, tailAt);
  }

  // A tail of the update of the time `at`, or a hint at history.
  take(tail, at) {
    const { columns, held } = this;
    if (held) this.#hold(tail, at);
    else if (!columns || at <= columns.at || tail.step_ms !== columns.stepMs) return;
    else if (tail.columns && tail.after > columns.at) this.fromMs = -Infinity;
    else {
      if (tail.columns) replaceFrom(columns, tail.from, tail.columns);
      else this.fromMs = Math.min(this.fromMs, tail.history_from ?? -Infinity);
      columns.at = at;
    }
  }

  // Of too many the oldest two become a hint at all history, so that nothing is lost.
  #hold(tail, at) {
    this.held.push([tail, at]);
    if (this.held.length > HELD_MAX) this.held.splice(0, 2, [{ step_ms: tail.step_ms, history_from: null }, this.held[1][1]]);
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
