// Readings per second out of totals that only say where they stand. Pure.

// A slow device needs a window of a few of its intervals, or its rate is zero with spikes.
const WINDOW_MS = 15_000;
const WINDOW_MAX_MS = 300_000;
const INTERVALS = 3;
// Less than this gives no rate worth showing; and the next total may be on its way for as long: until
// then, what came after the newest is not known.
const PATIENCE_MS = 2_500;

export class Rate {
  seen = [];

  constructor(windowMs = WINDOW_MS) {
    this.windowMs = windowMs;
  }

  static forInterval(intervalS) {
    return new Rate(Math.min(Math.max(WINDOW_MS, INTERVALS * 1000 * (intervalS ?? 0)), WINDOW_MAX_MS));
  }

  add(atMs, total) {
    // A total that fell is another hub's: begin anew.
    if (total < this.seen.at(-1)?.total) this.seen = [];
    this.seen.push({ atMs, total });
    this.#forget(atMs);
  }

  // Per second over the window up to `nowMs`; null while too little is known.
  at(nowMs) {
    this.#forget(nowMs);
    const [first, last] = [this.seen[0], this.seen.at(-1)];
    if (!first || nowMs - first.atMs < PATIENCE_MS) return null;
    const elapsedMs = Math.max(last.atMs, nowMs - PATIENCE_MS) - first.atMs;
    return elapsedMs > 0 ? ((last.total - first.total) * 1000) / elapsedMs : 0;
  }

  #forget(nowMs) {
    while (this.seen[1]?.atMs <= nowMs - this.windowMs) this.seen.shift();
  }
}

export const readings = ({ stored, duplicate, rejected }) => stored + duplicate + rejected;
