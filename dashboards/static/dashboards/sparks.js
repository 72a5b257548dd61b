// The last five minutes of one series for each row in sight: history first, then the tails that the
// live line brings. A series that went out of sight is asked for again when it comes back.

import { History, namedIn } from "./history.js";
import { Charted } from "./series.js";
import { drawLine, roomy } from "./spark.js";
import { valueText } from "./wording.js";

const SPAN_MS = 300_000;
const STEP_MS = 10_000;
// While somebody scrolls nothing is asked for.
const SETTLE_MS = 150;
const RETRY_MS = 5_000;
// So often a line moves on, and a little less: the page's second is not exact.
const DRAWN_MS = 900;
const ASKED = Object.entries({ from: "now-5m", to: "now", points: SPAN_MS / STEP_MS, step_ms: STEP_MS });

export class Sparks {
  #history = new History();
  #lines = new Map(); // by series
  #wanted = [];
  #gone = new Set(); // what the hub has no history of: asked for with it, the others would have none

  // `onFresh` hears of each series that can be drawn anew.
  constructor(live, onFresh) {
    Object.assign(this, { live, onFresh });
  }

  // The rows in sight from now on.
  want(rows) {
    const wanted = rows.map(({ series }) => series);
    this.#miss(this.#wanted.filter((series) => !wanted.includes(series)));
    this.#wanted = wanted;
  }

  // The connection was lost: what went by meanwhile is in no tail.
  missed() {
    this.#miss(this.#lines.keys());
  }

  take({ tails, at }) {
    for (const tail of tails) {
      const line = this.#of(tail.series);
      this.#gone.delete(tail.series);
      line.take(tail, at);
      line.drawnMs = 0;
      if (!line.whole && !line.held) this.#soon(SETTLE_MS);
      this.onFresh(tail.series);
    }
  }

  // Draws a row's line, if it is known, and something came of it or it is time; else leaves what is there.
  draw({ series, parts }, nowMs) {
    const line = this.#lines.get(series);
    if (!line?.columns || (parts.spark.of === line && nowMs < line.drawnMs + DRAWN_MS)) return;
    [parts.spark.of, line.drawnMs] = [line, nowMs];
    line.dropBefore(nowMs - SPAN_MS - STEP_MS);
    const [starts, means] = line.plotted();
    const known = means.filter((mean) => mean !== null);
    const [low, high] = [Math.min(...known), Math.max(...known)];
    const points = starts.map((start, at) => means[at] !== null && [Math.min(start + STEP_MS / 2, nowMs), means[at]]);
    const canvas = parts.spark.firstChild ?? parts.spark.appendChild(document.createElement("canvas"));
    drawLine(canvas, points, [nowMs - SPAN_MS, nowMs], roomy(low, high));
    const words = known.length ? `from ${valueText(low)} to ${valueText(high)}` : "no readings";
    canvas.role = "img";
    canvas.ariaLabel = canvas.title = `${series.slice(series.indexOf("/") + 1)}: ${words}`;
  }

  #of(series) {
    if (!this.#lines.has(series)) this.#lines.set(series, new Charted(series));
    return this.#lines.get(series);
  }

  #miss(some) {
    for (const series of some) this.#of(series).missed();
    this.#soon(SETTLE_MS);
  }

  // Until it is heard of again.
  #leave(series) {
    this.#gone.add(series);
    this.#of(series).missed();
  }

  #soon(ms) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#ask(), ms);
  }

  async #ask() {
    this.live.chart(this.#wanted.map((series) => ({ series, step_ms: STEP_MS })));
    const missing = this.#wanted.filter((series) => !this.#gone.has(series) && !this.#of(series).whole);
    if (missing.length === 0) return;
    for (const series of missing) this.#of(series).ask();
    try {
      const answer = await this.#history.ask([...ASKED, ...missing.map((series) => ["series", series])]);
      for (const one of answer?.series ?? []) {
        const key = `${one.device}/${one.metric}`;
        Object.assign(this.#of(key), { drawnMs: 0 }).answer(one, answer.at, answer.step_ms);
        if (!this.#of(key).whole) this.#soon(SETTLE_MS);
        this.onFresh(key);
      }
    } catch ({ message }) {
      const gone = namedIn(message, missing);
      if (gone) this.#leave(gone);
      this.#soon(gone ? 0 : RETRY_MS); // what else is wrong, the line says
    }
  }
}
