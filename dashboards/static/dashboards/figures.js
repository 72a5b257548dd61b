// The three figures above the table, and the flow of the last minutes behind the middle one.

import { hubNow } from "./clock.js";
import { setText } from "./draw.js";
import { Flow } from "./flow.js";
import { Rate } from "./rates.js";
import { rateText } from "./wording.js";

const RATE_WINDOW_MS = 10_000;
const part = (id) => document.getElementById(id);
const shares = [...document.querySelectorAll(".share rect")];

let readingsRate = new Rate(RATE_WINDOW_MS);
let rejectedRate = new Rate(RATE_WINDOW_MS);
const flow = new Flow(part("flow"));

export function beginAnew() {
  readingsRate = new Rate(RATE_WINDOW_MS);
  rejectedRate = new Rate(RATE_WINDOW_MS);
}

export function addTotals(atMs, readings, rejected) {
  readingsRate.add(atMs, readings);
  rejectedRate.add(atMs, rejected);
  setText(part("rejected-total"), rejected.toLocaleString("en"));
}

export function drawFigures(counts, total) {
  setText(part("online"), String(counts.online));
  setText(part("of"), String(total));
  drawShares(counts, total);
}

function drawShares(counts, total) {
  let x = 0;
  for (const rect of shares) {
    const width = total ? (1000 * counts[rect.getAttribute("class")]) / total : 0;
    rect.setAttribute("x", x);
    rect.setAttribute("width", width);
    x += width;
  }
}

// Once a second while live.
export function drawRates() {
  const now = hubNow();
  const rate = readingsRate.at(now);
  setText(part("readings-rate"), rateText(rate));
  setText(part("rejected-rate"), rateText(rejectedRate.at(now)));
  flow.add(rate);
}
