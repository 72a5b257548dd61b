// Asks one address again and again while the tab is looked at; ever more seldom while no answer
// comes. Its states are those of `live.js`.

const TIMEOUT_MS = 4000;
const RETRY_MAX_MS = 15_000;
const NOT_LOGGED_IN = 4401;

export class Poll {
  constructor({ url, everyMs, sinceMs, onAnswer, onState }) {
    Object.assign(this, { url, everyMs, sinceMs, onAnswer, onState, waitMs: everyMs });
    document.addEventListener("visibilitychange", () => this.ask());
    this.ask();
  }

  async ask() {
    clearTimeout(this.timer);
    if (document.hidden) return;
    const asked = (this.asked = {}); // the last question alone counts
    const state = await this.#answer().catch(() => this.#none());
    if (asked !== this.asked || document.hidden) return;
    this.onState(state);
    if (state.kind !== "refused") this.timer = setTimeout(() => this.ask(), state.waitMs ?? this.everyMs);
  }

  async #answer() {
    const { sinceMs: since } = this;
    const response = await fetch(this.url, { signal: AbortSignal.timeout(TIMEOUT_MS), redirect: "manual" });
    if (response.type === "opaqueredirect") return { kind: "refused", code: NOT_LOGGED_IN, since };
    if (response.status === 403) return { kind: "refused", since };
    this.onAnswer(await response.json());
    Object.assign(this, { sinceMs: Date.now(), waitMs: this.everyMs });
    return { kind: "live" };
  }

  #none() {
    const { sinceMs: since, waitMs } = this;
    this.waitMs = Math.min(2 * waitMs, RETRY_MAX_MS);
    return { kind: "waiting", since, waitMs, retryAt: Date.now() + waitMs };
  }
}
