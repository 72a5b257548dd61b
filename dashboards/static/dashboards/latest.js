// The device page's table of latest values.

import { setText } from "./draw.js";
import { agoText, timeText, valueText } from "./wording.js";

const section = document.getElementById("latest-section");
const body = document.querySelector("#latest tbody");
const template = document.getElementById("latest-template");
const rows = new Map([...body.rows].map((row) => [row.dataset.metric, row]));
let values = {};

export function takeLatest(fresh) {
  values = fresh;
}

export function drawLatest(nowMs) {
  const metrics = Object.keys(values).sort();
  section.hidden = rows.size + metrics.length === 0;
  for (const metric of metrics) {
    const row = rows.get(metric) ?? addRow(metric);
    const [tsMs, value] = values[metric];
    setText(row.cells[1], valueText(value));
    const time = row.querySelector("time");
    setText(time, agoText(nowMs - tsMs));
    time.title = timeText(tsMs);
  }
}

function addRow(metric) {
  const row = template.content.firstElementChild.cloneNode(true);
  row.dataset.metric = metric;
  row.cells[0].textContent = metric;
  const after = [...rows.keys()].filter((each) => each > metric).sort()[0];
  body.insertBefore(row, rows.get(after) ?? null);
  rows.set(metric, row);
  return row;
}
