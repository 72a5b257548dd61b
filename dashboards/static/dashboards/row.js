// One device's row: what is known of it, and how it is drawn. Texts are set as text, never as HTML:
// a device chooses its metrics' names and its values.

import { setText } from "./draw.js";
import { Rate, readings } from "./rates.js";
import { rules } from "./rules.js";
import { agoText, rateText, statusOf, statusWord, timeText, valueText } from "./wording.js";

const table = document.getElementById("rows");
const template = document.getElementById("row-template");
const SLOTS = Number(table.dataset.values);

export class Row {
  constructor(element) {
    const { uid, status, seen, intervalS } = element.dataset;
    this.element = element;
    this.uid = uid;
    this.status = status;
    this.seenMs = seen ? Number(seen) : null;
    this.intervalS = intervalS ? Number(intervalS) : null;
    this.fragment = null;
    this.rate = Rate.forInterval(this.intervalS);
    this.visible = false;
    this.parts = Object.fromEntries(
      ["name", "uid", "word", "ago", "slots", "rate", "stored", "rejected"].map((part) => [part, element.querySelector(`.${part}`)]),
    );
    const metrics = [...element.querySelectorAll(".metric")].map((each) => each.textContent);
    this.searched = [uid, this.parts.name.textContent, ...metrics].join("\n").toLowerCase();
  }

  static make({ uid }) {
    const element = template.content.firstElementChild.cloneNode(true);
    element.dataset.uid = uid;
    element.querySelector("a").href = template.dataset.deviceUrl.replace("UID", encodeURIComponent(uid));
    return new Row(element);
  }

  take(fragment, atMs) {
    this.fragment = fragment;
    this.seenMs = fragment.seen;
    if (fragment.interval_s !== this.intervalS) {
      this.intervalS = fragment.interval_s;
      this.rate = Rate.forInterval(this.intervalS);
    }
    this.rate.add(atMs, readings(fragment.counts));
    this.searched = [fragment.uid, fragment.name, ...Object.keys(fragment.values)].join("\n").toLowerCase();
  }

  // Whether the status became another one.
  judge(nowMs) {
    const before = this.status;
    this.status = statusOf(this.seenMs, nowMs, this.intervalS, rules);
    return this.status !== before;
  }

  draw(nowMs) {
    const { element, fragment, parts } = this;
    if (element.dataset.status !== this.status) element.dataset.status = this.status;
    setText(parts.word, statusWord(this.status));
    this.drawAges(nowMs);
    if (fragment === null) return;
    setText(parts.name, fragment.name || fragment.uid);
    setText(parts.uid, fragment.name ? fragment.uid : "");
    if (fragment.seen !== null) parts.ago.title = timeText(fragment.seen);
    setText(parts.stored, fragment.counts.stored.toLocaleString("en"));
    setText(parts.rejected, fragment.counts.rejected.toLocaleString("en"));
    parts.rejected.classList.toggle("some", fragment.counts.rejected > 0);
    this.#drawValues(Object.keys(fragment.values).sort());
  }

  drawAges(nowMs) {
    setText(this.parts.ago, this.seenMs === null ? "never" : agoText(nowMs - this.seenMs));
    setText(this.parts.rate, rateText(this.rate.at(nowMs)));
  }

  #drawValues(metrics) {
    const shown = metrics.slice(0, SLOTS);
    const slots = this.parts.slots;
    if (slots.dataset.metrics !== metrics.join()) {
      slots.dataset.metrics = metrics.join();
      slots.replaceChildren(...shown.map(makeSlot), ...more(metrics.length));
    }
    shown.forEach((metric, index) => {
      const [tsMs, value] = this.fragment.values[metric];
      const element = slots.children[index].lastElementChild;
      const text = steadyText(value, element.textContent);
      setText(element, text);
      element.title = `${text}, ${timeText(tsMs)}`;
    });
  }
}

// A number keeps the decimals that it had, or 583.20 would jump when 583 comes.
function steadyText(value, before) {
  const [, decimals = ""] = before.match(/^-?\d+\.(\d+)$/) ?? [];
  return Number.isInteger(value) && decimals ? value.toFixed(decimals.length) : valueText(value);
}

function makeSlot(metric) {
  const slot = labelled("div", "slot", "");
  const name = labelled("span", "metric", metric);
  name.title = metric;
  slot.append(name, labelled("span", "value live-value", ""));
  return slot;
}

function more(count) {
  if (count === 0) return [labelled("span", "none", "no readings yet")];
  return count > SLOTS ? [labelled("span", "more", `+${count - SLOTS} more`)] : [];
}

function labelled(tag, className, text) {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}
