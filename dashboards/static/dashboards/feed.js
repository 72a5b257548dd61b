// Keeps the series of a page's charts whole: asks for the history of those in sight, applies the
// tails of updates, and asks again after a gap.

import { hubNow } from "./clock.js";
import { draw } from "./draw.js";
import { History, namedIn } from "./history.js";

// A device's clock may be this much ahead: what it sent lies beyond the right edge for a while.
const AHEAD_MS = 600_000;
// The hub tells who charts a series what is new since ten seconds ago: what is whole up to then, and
// two seconds more for the way, lacks nothing.
const FRESH_MS = 8_000;
// What one question may ask for.
const SERIES_MAX = 100;
const POINTS_MAX = 5_000;
const POINTS_TOGETHER = 100_000;

export class Feed {
  #history = new History();
  #charts = new Map(); // a series' key → [its chart, its line]
  #asked = "";
  #told = []; // what the hub was told is charted, each as JSON

  // `view`: of view.js. `follows()`: the page is live, and not paused. `chart(charts)`: tells the hub
  // what is charted.
  constructor(page) {
    Object.assign(this, page);
  }

  add(chart) {
    for (const line of chart.lines) this.#charts.set(line.charted.key, [chart, line]);
    this.note();
  }

  // Other charts are in sight, or followed.
  note() {
    draw(this, () => {
      this.#tell();
      this.#ask();
    });
  }

  // Another span or zone is shown, or it is to be tried again.
  renew() {
    this.#again((charted) => charted.forget());
  }

  // Updates went by unheard.
  missed() {
    this.#again((charted) => charted.missed());
  }

  take({ at, tails = [] }) {
    if (!this.follows()) return;
    for (const tail of tails) {
      const [chart, { charted }] = this.#charts.get(tail.series) ?? [null, {}];
      if (!chart || tail.zone !== this.view.zone) continue;
      charted.take(tail, at);
      chart.note();
    }
    this.note();
  }

  #again(change) {
    this.#history.abort();
    this.#asked = "";
    for (const [chart, { charted }] of this.#charts.values()) {
      change(charted);
      chart.failure = null;
      chart.note();
    }
    this.note();
  }

  #lines(inSight) {
    const found = [...this.#charts.values()].filter(([chart]) => chart.inSight === inSight && !chart.failure);
    return found.map(([chart, line]) => ({ chart, line, charted: line.charted }));
  }

  #tell() {
    const followed = this.follows() ? this.#lines(true).filter(({ charted }) => charted.columns) : [];
    const told = followed.map(({ charted: { key, columns } }) => JSON.stringify({ series: key, step_ms: columns.stepMs, zone: this.view.zone }));
    // It was out of sight, or the page did not follow, or its history was long on the way.
    followed.forEach(({ charted }, at) => {
      const isFresh = charted.whole && hubNow() - charted.columns.at < FRESH_MS;
      if (!isFresh && !this.#told.includes(told[at])) charted.missed();
    });
    if (told.join() !== this.#told.join()) this.chart(told.map((each) => JSON.parse(each)));
    this.#told = told;
  }

  async #ask() {
    const wanted = this.#lines(true).filter(({ charted }) => !charted.whole).slice(0, SERIES_MAX);
    const asked = wanted.map(({ charted }) => charted.key).join("\n");
    if (!asked || (asked === this.#asked && wanted.every(({ charted }) => charted.held))) return;
    this.#asked = asked;
    for (const { charted } of wanted) charted.ask();
    const [query, fromMs] = this.#question(wanted);
    let [answer, failure] = [null, ""];
    try {
      answer = await this.#history.ask(query);
      if (answer === null) return;
    } catch ({ message }) {
      failure = message;
    }
    this.#asked = "";
    // One that is gone fails alone: the others are asked for again.
    const named = namedIn(failure, wanted.map(({ charted }) => charted.key));
    for (const { chart, line, charted } of wanted) {
      const found = answer?.series.find(({ device, metric }) => `${device}/${metric}` === charted.key);
      if (found) {
        charted.answer(found, answer.at, answer.step_ms, fromMs);
        const { unit, low, high } = found;
        Object.assign(line, { unit, low, high });
      } else if ([undefined, charted.key].includes(named)) chart.failure = failure || `The hub's answer lacks ${charted.key}.`;
      chart.note();
    }
    this.note();
  }

  // From the first bucket that is missing on, where all have one step; else the whole span.
  #question(wanted) {
    const { live, zone } = this.view;
    const [startMs, toMs] = this.view.span();
    const { stepMs } = wanted[0].charted.columns ?? {};
    const missingMs = Math.min(...wanted.map(({ charted }) => charted.fromMs));
    const to = toMs + (live ? AHEAD_MS : 0);
    const most = Math.floor(Math.min(POINTS_MAX, POINTS_TOGETHER / wanted.length));
    const spliced = missingMs > startMs && (to - missingMs) / stepMs < most && wanted.every(({ charted }) => charted.columns.stepMs === stepMs);
    const from = spliced ? missingMs : startMs;
    // One bucket for a pixel: more cannot be told apart.
    const pixels = ((wanted[0].chart.plot.clientWidth || 800) * (to - from)) / (toMs - startMs);
    const query = { from, to, zone, points: spliced ? most : Math.ceil(Math.min(pixels, most)), ...(spliced && { step_ms: stepMs }) };
    return [[...Object.entries(query), ...wanted.map(({ charted }) => ["series", charted.key])], spliced ? from : -Infinity];
  }
}
