// Asks the hub for history. The last question alone counts; a hub in trouble is asked again.

// Too many requests, or a hub that cannot answer now; no status at all: nothing came back.
const PASSING = [429, 502, 503, 504, undefined];

export class History {
  #asking = null;

  constructor(url = "/api/v1/history", retryMs = [500, 2_000, 5_000]) {
    Object.assign(this, { url, retryMs });
  }

  abort() {
    this.#asking?.abort();
  }

  // `query`: names and values. The answer; null when another question came, or it was aborted.
  async ask(query) {
    this.abort();
    const { signal } = (this.#asking = new AbortController());
    for (let tries = 0; ; tries += 1) {
      try {
        return await answer(`${this.url}?${new URLSearchParams(query)}`, signal);
      } catch (error) {
        if (!signal.aborted && (tries === this.retryMs.length || !PASSING.includes(error.status))) throw error;
      }
      if (!signal.aborted) await new Promise((resolve) => setTimeout(resolve, this.retryMs[tries]));
      if (signal.aborted) return null;
    }
  }
}

// The series that a refusal is about; undefined: none of them. One name may begin with another.
export function namedIn(sentence, keys) {
  return keys.filter((key) => sentence.includes(key)).sort((one, other) => other.length - one.length)[0];
}

async function answer(url, signal) {
  // A redirect leads to the login page: that is no answer.
  const response = await fetch(url, { signal, redirect: "error" });
  if (response.ok) return response.json();
  const { detail = `The hub answered ${response.status}.` } = await response.json().catch(() => ({}));
  throw Object.assign(new Error(detail), { status: response.status });
}
