// Asks the hub for history: the last question alone counts, and a hub in trouble is asked again.

const RETRY_MS = [500, 2_000, 5_000];
// Too many requests, or a hub that cannot answer now.
const PASSING = new Set([429, 502, 503, 504]);

export class HistoryError extends Error {
  constructor(message, status = null) {
    super(message);
    this.status = status;
  }
}

export class History {
  #asking = null;

  constructor(url = "/api/v1/history", retryMs = RETRY_MS) {
    Object.assign(this, { url, retryMs });
  }

  abort() {
    this.#asking?.abort();
    this.#asking = null;
  }

  // The answer, or null when it was aborted by the next question. `series`: "uid/metric", …
  async ask({ series, from, to, points, zone, stepMs = null }) {
    this.abort();
    const { signal } = (this.#asking = new AbortController());
    const query = new URLSearchParams([["from", from], ["to", to], ["points", points], ["zone", zone]]);
    if (stepMs !== null) query.set("step_ms", stepMs);
    for (const one of series) query.append("series", one);
    try {
      return await this.#answer(`${this.url}?${query}`, signal);
    } catch (error) {
      if (signal.aborted) return null;
      throw error;
    }
  }

  async #answer(url, signal) {
    for (const waitMs of [...this.retryMs, null]) {
      try {
        return await answer(url, signal);
      } catch (error) {
        if (signal.aborted || waitMs === null || !passes(error)) throw error;
        await pause(waitMs, signal);
      }
    }
  }
}

async function answer(url, signal) {
  // A redirect leads to the login page: that is no answer.
  const response = await fetch(url, { signal, redirect: "error", headers: { accept: "application/json" } });
  if (response.ok) return response.json();
  const problem = await response.json().catch(() => ({}));
  throw new HistoryError(problem.detail ?? `The hub answered ${response.status}.`, response.status);
}

// Without a status nothing came back at all: the network, or a hub that starts again.
const passes = ({ status = null }) => status === null || PASSING.has(status);

function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms * (0.75 + Math.random() / 2));
    signal.addEventListener("abort", () => (clearTimeout(timer), reject(signal.reason)), { once: true });
  });
}
