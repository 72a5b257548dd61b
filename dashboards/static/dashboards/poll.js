// Asks one address again and again while the tab is looked at; ever more seldom while it does not
// answer. Its states are those of `live.js`.

const TIMEOUT_MS = 4000;
const RETRY_MAX_MS = 15_000;
const NOT_LOGGED_IN = 4401;

export class Poll {
  constructor({ url, everyMs, sinceMs, onAnswer, onState }) {
    Object.assign(this, { url, everyMs, onAnswer, onState });
    this.heardMs = sinceMs;
    this.failed = 0;
    document.addEventListener("visibilitychange", () => this.#ask());
    addEventListener("online", () => this.retry());
    this.#ask();
  }

  retry() {
    this.failed = 0;
    this.#ask();
  }

  async #ask() {
    clearTimeout(this.timer);
    this.asking?.abort();
    if (document.hidden || this.refused) return;
    const asking = (this.asking = new AbortController());
    const timeout = setTimeout(() => asking.abort("slow"), TIMEOUT_MS);
    try {
      const response = await fetch(this.url, { signal: asking.signal, redirect: "manual" });
      if (response.type === "opaqueredirect" || response.status === 401) return this.#refuse({ code: NOT_LOGGED_IN });
      if (response.status === 403) return this.#refuse({ message: "You may not look at this hub any more." });
      if (!response.ok) throw new Error(response.statusText);
      this.onAnswer(await response.json());
      this.heardMs = Date.now();
      this.failed = 0;
      this.onState({ kind: "live" });
      this.#later(this.everyMs);
    } catch {
      if (this.asking === asking && !document.hidden) this.#fail();
    } finally {
      clearTimeout(timeout);
    }
  }

  #fail() {
    const waitMs = Math.min(this.everyMs * 2 ** this.failed, RETRY_MAX_MS);
    this.failed += 1;
    this.onState({ kind: "waiting", since: this.heardMs, retryAt: Date.now() + waitMs });
    this.#later(waitMs);
  }

  #refuse(why) {
    this.refused = true;
    this.onState({ kind: "refused", since: this.heardMs, ...why });
  }

  #later(waitMs) {
    this.timer = setTimeout(() => this.#ask(), waitMs);
  }
}
