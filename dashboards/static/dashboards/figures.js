// The figures above the table, and the flow of the last minutes behind the second.

import { hubNow } from "./clock.js";
import { part, setText } from "./draw.js";
import { Flow } from "./flow.js";
import { Rate } from "./rates.js";
import { rateText } from "./wording.js";

// The time of a commit is shown for so long, if none comes after it.
const COMMIT_KEPT_MS = 10_000;
const shares = document.querySelectorAll(".share rect");
const flow = new Flow(part("flow"));
let commit = { at: 0 };
let readingsRate;
let rejectedRate;

export function beginAnew() {
  readingsRate = new Rate();
  rejectedRate = new Rate();
}
beginAnew();

export function addTotals({ at, commit_ms: ms }, readings, rejected) {
  readingsRate.add(at, readings);
  rejectedRate.add(at, rejected);
  if (ms != null) commit = { at, ms };
  setText(part("rejected-total"), rejected.toLocaleString("en"));
}

export function drawFigures(counts, total) {
  setText(part("online"), String(counts.online));
  setText(part("of"), String(total));
  let x = 0;
  for (const rect of shares) {
    const width = total && (1000 * counts[rect.getAttribute("class")]) / total;
    rect.setAttribute("x", x);
    rect.setAttribute("width", width);
    x += width;
  }
}

// Once a second while live; whether rates are known yet.
export function drawRates() {
  const now = hubNow();
  const rate = readingsRate.at(now);
  setText(part("readings-rate"), rateText(rate));
  setText(part("rejected-rate"), rateText(rejectedRate.at(now)));
  setText(part("commit"), rateText(now - commit.at < COMMIT_KEPT_MS ? commit.ms : null));
  flow.add(rate);
  return rate !== null;
}
