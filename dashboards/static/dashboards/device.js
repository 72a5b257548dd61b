// The device page: charts over stored history that grow with live values, the latest of each
// metric, and the readings that were refused.

import { Chart } from "./chart.js";
import { everySecond, hubNow, setHubTime } from "./clock.js";
import { startCopying } from "./copy.js";
import { draw, setText } from "./draw.js";
import { drawLatest, takeLatest } from "./latest.js";
import { showLine, startLine } from "./line.js";
import { Live } from "./live.js";
import { Rate, readings } from "./rates.js";
import { firstPaintMs, rules } from "./rules.js";
import { agoText, rateText, statusOf, statusWord, timeText } from "./wording.js";

// A summary carries the latest value only; what lay between comes with the next history.
const HISTORY_INTERVAL_MS = 30_000;
const REFUSED_INTERVAL_MS = 2_000;
const TONES = 6;

const page = document.getElementById("device");
const { uid } = page.dataset;
const part = (id) => document.getElementById(id);
const buttons = [...document.querySelectorAll(".ranges button")];
const charts = new Map();
let rangeMs = 1000 * Number(buttons.find(({ dataset }) => dataset.range === page.dataset.range).dataset.seconds);
let seenMs = page.dataset.seen ? Number(page.dataset.seen) : null;
let intervalS = page.dataset.intervalS ? Number(page.dataset.intervalS) : null;
let rate = Rate.forInterval(intervalS);
let rejected = null;
let refusedMs = 0;
let refusedAreOld = false;
let live;

// The right edge stays where it was last known while the line is not live.
let edgeMs = firstPaintMs;
const span = () => [edgeMs - rangeMs, edgeMs];

for (const element of document.querySelectorAll(".chart")) {
  charts.set(element.dataset.metric, new Chart(element, span));
}

function addChart(metric, value) {
  const element = part("chart-template").content.firstElementChild.cloneNode(true);
  element.dataset.metric = metric;
  element.dataset.tone = charts.size % TONES;
  if (typeof value === "boolean") element.dataset.stepped = "";
  element.querySelector(".metric").textContent = metric;
  part("charts").append(element);
  part("charts-section").hidden = false;
  const chart = new Chart(element, span);
  charts.set(metric, chart);
  return chart;
}

let asking = null;
async function askHistory() {
  if (charts.size === 0) return;
  asking?.abort();
  asking = new AbortController();
  const url = new URL(page.dataset.history, location.href);
  const [from, to] = span();
  url.search = new URLSearchParams([["from", from], ["to", to], ["points", pointsWanted()], ...[...charts.keys()].map((metric) => ["metric", metric])]);
  try {
    const response = await fetch(url, { signal: asking.signal, redirect: "error" });
    if (!response.ok) return;
    const { metrics } = await response.json();
    for (const [metric, answer] of Object.entries(metrics)) charts.get(metric)?.setHistory(answer);
  } catch {
    // The line says what is wrong; history comes again when it is back.
  }
}

// About one bucket for two pixels: more cannot be told apart.
const pointsWanted = () => Math.max(100, Math.round((document.querySelector(".plot")?.clientWidth ?? 800) / 2));

async function askRefused() {
  refusedMs = Date.now();
  refusedAreOld = false;
  try {
    const response = await fetch(page.dataset.refused, { redirect: "error" });
    if (!response.ok) return;
    // Rendered and escaped by the hub; parsed in an inert document.
    const parsed = new DOMParser().parseFromString(`<table><tbody>${await response.text()}</tbody></table>`, "text/html");
    const rows = [...parsed.querySelectorAll("tr")];
    part("refused").tBodies[0].replaceChildren(...rows);
    part("refused").hidden = rows.length === 0;
    part("none-refused").hidden = rows.length > 0;
  } catch {
    // As above.
  }
}

function take(message) {
  const fragment = message.devices.find((each) => each.uid === uid);
  if (fragment) takeFragment(fragment, message.at);
  draw("head", drawHead);
}

function takeFragment(fragment, atMs) {
  seenMs = fragment.seen;
  intervalS = fragment.interval_s;
  rate.add(atMs, readings(fragment.counts));
  takeLatest(fragment.values);
  for (const [metric, [tsMs, value]] of Object.entries(fragment.values)) {
    if (typeof value === "string") continue;
    (charts.get(metric) ?? addChart(metric, value)).take(tsMs, value);
  }
  part("first").hidden = Object.keys(fragment.values).length > 0;
  setText(part("stored"), fragment.counts.stored.toLocaleString("en"));
  setText(part("rejected"), fragment.counts.rejected.toLocaleString("en"));
  if (rejected !== null && fragment.counts.rejected !== rejected) refusedAreOld = true;
  rejected = fragment.counts.rejected;
}

function drawHead() {
  const now = hubNow();
  if (live.state.kind === "live") {
    page.dataset.status = statusOf(seenMs, now, intervalS, rules);
    edgeMs = now;
    for (const chart of charts.values()) chart.note();
  }
  setText(part("status"), statusWord(page.dataset.status));
  setText(part("seen"), seenMs === null ? "never" : agoText(now - seenMs));
  if (seenMs !== null) part("seen").title = timeText(seenMs);
  setText(part("rate"), rateText(rate.at(now)));
  drawLatest(now);
  if (refusedAreOld && Date.now() - refusedMs > REFUSED_INTERVAL_MS) askRefused();
}

function snapshot(message) {
  rate = Rate.forInterval(intervalS);
  rejected = null;
  take(message);
  edgeMs = hubNow();
  askHistory();
  askRefused();
}

function choose(button) {
  rangeMs = 1000 * Number(button.dataset.seconds);
  for (const each of buttons) each.setAttribute("aria-pressed", String(each === button));
  const url = new URL(location.href);
  url.searchParams.set("range", button.dataset.range);
  history.replaceState(null, "", url);
  askHistory();
}

setHubTime(firstPaintMs);
for (const button of buttons) button.addEventListener("click", () => choose(button));
startCopying();
askHistory();
live = new Live({ subscription: { devices: [uid] }, sinceMs: firstPaintMs, onSnapshot: snapshot, onUpdate: take, onState: showLine });
startLine(() => live.retry());
everySecond(() => draw("head", drawHead));
setInterval(() => !document.hidden && live.state.kind === "live" && askHistory(), HISTORY_INTERVAL_MS);
