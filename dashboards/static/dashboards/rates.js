// Readings per second out of totals that only say where they stand. Pure.

// A slow device needs a window of a few of its intervals, or its rate is zero with spikes.
const WINDOW_MS = 15_000;
const WINDOW_MAX_MS = 300_000;
const INTERVALS = 3;
// Less history than this gives no rate worth showing.
const WARM_UP_MS = 2_500;
// The next total may be on its way: until it is late, what came after the newest is not known.
const ON_ITS_WAY_MS = 2_500;

export class Rate {
  constructor(windowMs = WINDOW_MS) {
    this.windowMs = windowMs;
    this.seen = [];
  }

  static forInterval(intervalS) {
    return new Rate(Math.min(Math.max(WINDOW_MS, INTERVALS * 1000 * (intervalS ?? 0)), WINDOW_MAX_MS));
  }

  add(atMs, total) {
    const last = this.seen.at(-1);
    // A total that fell is another hub's: begin anew.
    if (last && total < last.total) this.seen = [];
    this.seen.push({ atMs, total });
  }

  // Per second over the window up to `nowMs`; null while too little is known.
  at(nowMs) {
    const { seen } = this;
    while (seen.length > 1 && seen[1].atMs <= nowMs - this.windowMs) seen.shift();
    if (seen.length === 0 || nowMs - seen[0].atMs < WARM_UP_MS) return null;
    const [first, last] = [seen[0], seen.at(-1)];
    const elapsedMs = Math.max(last.atMs, nowMs - ON_ITS_WAY_MS) - first.atMs;
    return elapsedMs > 0 ? ((last.total - first.total) * 1000) / elapsedMs : 0;
  }
}

export const readings = ({ stored, duplicate, rejected }) => stored + duplicate + rejected;
