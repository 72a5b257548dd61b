// One device's row: what is known of it, and how it is drawn. Texts are set as text, never as HTML:
// a device chooses its metrics' names and its values. Cells are made when it is first in sight.

import { part, setText } from "./draw.js";
import { slots } from "./order.js";
import { Rate, readings } from "./rates.js";
import { rules } from "./rules.js";
import { agoText, rateText, statusOf, statusWord, timeText, valueText } from "./wording.js";

const template = part("row-template");
const cells = part("cells-template").content;
const PARTS = ["name", "uid", "word", "ago", "spark", "rate", "rejected"];

export class Row {
  values = {};
  units = {};
  total = 0;
  rejected = 0;
  series = null; // "uid/metric" that its line is of

  constructor(element) {
    const { uid, status, seen, intervalS } = element.dataset;
    Object.assign(this, { element, uid, status, shown: !element.hidden, known: false });
    this.seenMs = seen ? Number(seen) : null;
    this.intervalS = intervalS ? Number(intervalS) : null;
    this.name = element.querySelector(".name").textContent;
    this.searched = `${uid}\n${this.name}`.toLowerCase(); // of its metrics, the line tells
    this.beginAnew();
  }

  static make({ uid }) {
    const element = template.content.firstElementChild.cloneNode(true);
    Object.assign(element.dataset, { uid, status: "never-seen" });
    element.querySelector("a").href = template.dataset.deviceUrl.replace("UID", encodeURIComponent(uid));
    return new Row(element);
  }

  beginAnew() {
    this.rate = Rate.forInterval(this.intervalS);
  }

  // Whether it names other metrics than before.
  take({ name, seen, values, units = {}, counts, interval_s }, atMs) {
    const metrics = Object.keys(values);
    const others = metrics.length !== Object.keys(this.values).length || metrics.some((one) => !Object.hasOwn(this.values, one));
    if (interval_s !== this.intervalS) {
      this.intervalS = interval_s;
      this.beginAnew();
    }
    if (others || !this.known || name !== this.said) {
      this.slots = null;
      this.searched = [this.uid, name, ...metrics].join("\n").toLowerCase();
    }
    Object.assign(this, { known: true, said: name, name: name || this.uid, seenMs: seen, values, units });
    this.total = readings(counts);
    this.rejected = counts.rejected;
    this.rate.add(atMs, this.total);
    return others;
  }

  // Whether the status became another one.
  judge(nowMs) {
    const before = this.status;
    this.status = statusOf(this.seenMs, nowMs, this.intervalS, rules);
    return this.status !== before;
  }

  // Whether that is a change.
  show(shown) {
    if (shown === this.shown) return false;
    this.element.hidden = !shown;
    this.shown = shown;
    return true;
  }

  draw(nowMs, { columns, metrics }) {
    if (this.columns !== columns) this.#makeCells(columns);
    const { element, parts } = this;
    if (element.dataset.status !== this.status) element.dataset.status = this.status;
    setText(parts.word, statusWord(this.status));
    this.drawAges(nowMs);
    if (!this.known) return;
    setText(parts.name, this.name);
    setText(parts.uid, this.said && this.uid);
    if (this.seenMs !== null) parts.ago.title = this.#timeText(this.seenMs);
    setText(parts.rejected, this.rejected.toLocaleString("en"));
    parts.rejected.classList.toggle("some", this.rejected > 0);
    this.slots ??= this.#fill(columns, metrics.length > 0);
    this.slots.forEach((metric, at) => metric && this.#drawValue(parts.slots[at].children, metric));
  }

  drawAges(nowMs) {
    if (!this.parts) return;
    setText(this.parts.ago, this.seenMs === null ? "never" : agoText(nowMs - this.seenMs));
    setText(this.parts.rate, rateText(this.rate.at(nowMs)));
  }

  #makeCells(columns) {
    const { element } = this;
    const most = Math.max(columns.length, 1);
    if (element.querySelectorAll(".slot").length !== most) {
      const made = cells.cloneNode(true);
      const slot = made.querySelector(".slot");
      for (let more = 1; more < most; more += 1) slot.after(slot.cloneNode(true));
      element.replaceChildren(element.cells[0], made);
    }
    Object.assign(this, { columns, slots: null, parts: { slots: element.querySelectorAll(".slot") } });
    for (const name of PARTS) this.parts[name] = element.querySelector(`.${name}`);
  }

  #fill(columns, chosen) {
    const filled = slots(columns, this.values, chosen);
    const drawn = filled.find((metric) => metric && typeof this.values[metric][1] !== "string");
    this.series = drawn ? `${this.uid}/${drawn}` : null;
    filled.forEach((metric, at) => {
      const [name, value, unit] = this.parts.slots[at].children;
      name.parentElement.classList.toggle("own", !metric || metric === columns[at]);
      name.textContent = name.title = metric ?? columns[at];
      if (!metric) [value.textContent, unit.textContent, value.title] = ["–", "", ""];
    });
    return filled;
  }

  #drawValue([, shown, unit], metric) {
    const [tsMs, value] = this.values[metric];
    const text = steadyText(value, shown.textContent);
    setText(shown, text);
    setText(unit, this.units[metric] ?? "");
    shown.title = `${text}, ${this.#timeText(tsMs)}`;
  }

  // Values of one sample share their time, and writing it is what costs most of a row.
  #timeText(ms) {
    if (this.writtenMs !== ms) [this.writtenMs, this.written] = [ms, timeText(ms)];
    return this.written;
  }
}

// A number keeps the decimals that it had, or 583.20 would jump when 583 comes.
function steadyText(value, before) {
  const [, decimals = ""] = before.match(/^-?\d+\.(\d+)$/) ?? [];
  return Number.isInteger(value) && decimals ? value.toFixed(decimals.length) : valueText(value);
}
