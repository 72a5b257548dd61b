// What figures came to over the last seconds, from answers that only say where totals stand. Pure.

const WINDOW_MS = 10_000;

export class Snapshots {
  constructor(windowMs = WINDOW_MS) {
    this.windowMs = windowMs;
    this.kept = [];
  }

  get latest() {
    return this.kept.at(-1);
  }

  // Whether the answer is of the process that is looked at. Where several answer under one address,
  // another is passed over, unless it began after the last word of this one, or this one is silent.
  add(answer) {
    const { latest, windowMs } = this;
    const silentMs = latest ? answer.at - latest.at : 0;
    if (latest && answer.hub !== latest.hub) {
      const isNew = 1000 * answer.values.process_start_time_seconds > latest.at;
      if (!isNew && silentMs < windowMs) return false;
      this.kept = [];
    }
    // What came while nobody looked is no rate of now.
    if (silentMs > windowMs) this.kept = [];
    this.kept.push(answer);
    while (this.kept.length > 2 && this.kept[1].at <= answer.at - windowMs) this.kept.shift();
    return true;
  }

  // Per second over the window; null while too little is known.
  rate(name) {
    return this.#perSecond(({ values }) => values[name] ?? 0);
  }

  // How often something was timed a second, and how long it took, in seconds: null for none.
  times(name) {
    const perS = this.#perSecond(({ histograms }) => histograms[name].counts.at(-1));
    const [first, last] = [this.kept[0], this.latest].map((each) => each.histograms[name]);
    const counts = last.counts.map((count, index) => count - first.counts[index]);
    const all = counts.at(-1);
    const mean = all > 0 ? (last.sum - first.sum) / all : null;
    const [p50, p99] = [0.5, 0.99].map((part) => (all > 0 ? quantile(part * all, last.bounds, counts) : null));
    return { perS, mean, p50, p99 };
  }

  #perSecond(total) {
    const [first, last] = [this.kept[0], this.latest];
    const elapsedMs = last.at - first.at;
    return elapsedMs > 0 ? ((total(last) - total(first)) * 1000) / elapsedMs : null;
  }
}

// The bound below which `rank` of them lie, as if they lay evenly between two bounds. Beyond the last
// bound nothing is known but that it was more.
function quantile(rank, bounds, counts) {
  const at = counts.findIndex((count) => count >= rank);
  if (at >= bounds.length) return bounds.at(-1);
  const [lower, below] = at > 0 ? [bounds[at - 1], counts[at - 1]] : [0, 0];
  return lower + ((bounds[at] - lower) * (rank - below)) / (counts[at] - below);
}
