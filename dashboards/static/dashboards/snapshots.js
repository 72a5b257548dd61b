// What figures came to over the last seconds, from answers that say where totals stand. Pure.

const WINDOW_MS = 10_000;

export class Snapshots {
  kept = [];

  get latest() {
    return this.kept.at(-1);
  }

  // Whether the answer is of the process that is looked at. Where several answer under one address,
  // another is passed over, unless it began after the last word of this one, or this one is silent.
  add(answer) {
    const { latest = answer } = this;
    const silent = answer.at - latest.at > WINDOW_MS;
    const begun = 1000 * answer.values.process_start_time_seconds > latest.at;
    if (answer.hub !== latest.hub && !begun && !silent) return false;
    // Totals of another, or of before nobody looked, give no rate of now.
    if (answer.hub !== latest.hub || silent) this.kept = [];
    this.kept.push(answer);
    while (this.kept[1]?.at <= answer.at - WINDOW_MS) this.kept.shift();
    return true;
  }

  // Per second over the window; null while too little is known.
  rate(name) {
    return this.#perSecond(({ values }) => values[name] ?? 0);
  }

  // How often a second, and how long it took in seconds: null for none.
  times(name) {
    const [first, last] = [this.kept[0], this.latest].map(({ histograms }) => histograms[name]);
    const counts = last.counts.map((count, at) => count - first.counts[at]);
    const all = counts.at(-1);
    const took = (figure) => (all > 0 ? figure() : null);
    return {
      perS: this.#perSecond(({ histograms }) => histograms[name].counts.at(-1)),
      mean: took(() => (last.sum - first.sum) / all),
      p50: took(() => quantile(0.5 * all, last.bounds, counts)),
      p99: took(() => quantile(0.99 * all, last.bounds, counts)),
    };
  }

  #perSecond(total) {
    const [first, last] = [this.kept[0], this.latest];
    return last.at > first.at ? (1000 * (total(last) - total(first))) / (last.at - first.at) : null;
  }
}

// The bound below which `rank` of them lie, as if they lay evenly between two bounds. Beyond the last
// one nothing is known but that it was more.
function quantile(rank, bounds, counts) {
  const at = counts.findIndex((count) => count >= rank);
  if (at >= bounds.length) return bounds.at(-1);
  const [lower, below] = at > 0 ? [bounds[at - 1], counts[at - 1]] : [0, 0];
  return lower + ((bounds[at] - lower) * (rank - below)) / (counts[at] - below);
}
