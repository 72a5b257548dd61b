// The device page's table of latest values. Only rows in sight are touched.

import { setText } from "./draw.js";
import { agoText, outText, timeText, unitText } from "./wording.js";

const part = (id) => document.getElementById(id);
const [body] = part("latest").tBodies;
const rows = new Map();
const inSight = new Set();
const sight = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) inSight[isIntersecting ? "add" : "delete"](target);
});
for (const row of body.rows) add(row, row.dataset.metric);

function add(row, metric) {
  row.dataset.metric = metric;
  rows.set(metric, row);
  sight.observe(row);
}

export function takeLatest(values) {
  const fresh = Object.keys(values).filter((metric) => !rows.has(metric));
  for (const metric of fresh) {
    const row = part("latest-template").content.firstElementChild.cloneNode(true);
    row.cells[0].textContent = metric;
    add(row, metric);
  }
  if (fresh.length > 0) body.append(...[...rows.keys()].sort().map((metric) => rows.get(metric)));
  part("latest-section").hidden = rows.size === 0;
}

export function filterLatest(text) {
  for (const [metric, row] of rows) row.hidden = !metric.toLowerCase().includes(text);
}

// `metrics`: metric → { unit, low, high }.
export function drawLatest(values, nowMs, metrics, zone) {
  for (const row of inSight) {
    const { metric } = row.dataset;
    const [tsMs, value] = values[metric] ?? [];
    if (value === undefined) continue;
    const set = (name, text) => setText(row.querySelector(name), text);
    set(".value", unitText(value, metrics.get(metric)?.unit));
    set(".out", outText(value, metrics.get(metric) ?? {}));
    set("time", agoText(nowMs - tsMs));
    row.querySelector("time").title = timeText(tsMs, zone);
  }
}
