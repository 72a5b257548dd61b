// The device page: charts that follow what is stored, the latest of each metric, and the readings
// that were refused.

import { Chart } from "./chart.js";
import { everySecond, hubNow, setHubTime } from "./clock.js";
import { startCopying } from "./copy.js";
import { draw, setText } from "./draw.js";
import { Feed } from "./feed.js";
import { onKey } from "./keys.js";
import { drawLatest, filterLatest, takeLatest } from "./latest.js";
import { showLine, startLine } from "./line.js";
import { Live } from "./live.js";
import { Pause } from "./pause.js";
import { Rate, readings } from "./rates.js";
import { firstPaintMs, rules } from "./rules.js";
import { Charted } from "./series.js";
import { View } from "./view.js";
import { agoText, rateText, statusOf, statusWord, timeText } from "./wording.js";

const REFUSED_INTERVAL_MS = 2_000;
const TONES = 6;
// More charts than that are not looked at: they are asked for, or filtered out.
const SHOWN_STEP = 24;
// From here on a text filter helps.
const FILTERED_MIN = 7;

const part = (id) => document.getElementById(id);
const { dataset } = part("device");
const { uid } = dataset;
const charted = new Map(); // metric → { unit, low, high, stepped, tone, chart }, in the order they came
const known = new Map(); // the same, and texts
const pause = new Pause();
let seenMs = dataset.seen ? Number(dataset.seen) : null;
let intervalS = dataset.intervalS ? Number(dataset.intervalS) : null;
let rate = Rate.forInterval(intervalS);
let [fragment, shownMost, refusedMs, refusedAreOld, live] = [null, SHOWN_STEP, 0, false, null];

// The right edge stays where it was last known while the line is not live, or paused.
let edgeMs = firstPaintMs;
setHubTime(firstPaintMs);
const isLive = () => live?.state.kind === "live";
const view = new View({ now: () => edgeMs, onChange: () => (feed.renew(), drawHead()) });
const feed = new Feed({ view, follows: () => view.live && !pause.paused && isLive(), chart: (charts) => live?.chart(charts) });

function add({ metric, kind, ...its }) {
  known.set(metric, its);
  if (kind !== "text") charted.set(metric, Object.assign(its, { stepped: kind === "boolean", tone: charted.size % TONES }));
}

// Charts of the metrics that match, as many as are asked for; each is made when it is first shown.
function showCharts() {
  const text = part("filter").value.toLowerCase();
  const matching = [...charted.keys()].filter((metric) => metric.toLowerCase().includes(text));
  const shown = new Set(matching.slice(0, shownMost));
  for (const [metric, its] of charted) {
    if (shown.has(metric)) its.chart ??= makeChart(metric, its);
    if (its.chart) its.chart.element.hidden = !shown.has(metric);
  }
  part("charts-section").hidden = charted.size === 0;
  part("metrics-filter").hidden = known.size < FILTERED_MIN;
  part("more").hidden = matching.length === shown.size;
  setText(part("shown"), `${shown.size} of ${charted.size.toLocaleString("en")} charts`);
  filterLatest(text);
}

function makeChart(metric, its) {
  let element = document.querySelector(`.chart[data-metric="${CSS.escape(metric)}"]`);
  if (!element) {
    element = part("chart-template").content.firstElementChild.cloneNode(true);
    Object.assign(element.dataset, { metric, tone: its.tone }, its.stepped && { stepped: "" });
    element.querySelector(".name").textContent = metric;
    part("charts").append(element);
  }
  const line = { charted: new Charted(`${uid}/${metric}`), label: metric, latest: fragment?.values[metric], ...its };
  const chart = new Chart(element, [line], view, () => feed.note());
  feed.add(chart);
  return chart;
}

async function askRefused() {
  [refusedMs, refusedAreOld] = [Date.now(), false];
  const response = await fetch(dataset.refused, { redirect: "error" }).catch(() => null);
  if (!response?.ok) return; // the line says what is wrong
  // Rendered and escaped by the hub; parsed in an inert document.
  const { body } = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const { dataset: { code } } of part("refused").querySelectorAll("[open]")) body.querySelector(`[data-code="${code}"]`)?.setAttribute("open", "");
  part("refused").replaceChildren(...body.children);
}

function take(message) {
  feed.take(message);
  const fresh = message.devices.find((each) => each.uid === uid);
  if (fresh) {
    const total = readings(fresh.counts);
    rate.add(message.at, total);
    pause.arrived(total - readings(fragment?.counts ?? fresh.counts));
    refusedAreOld ||= fragment !== null && fresh.counts.rejected !== fragment.counts.rejected;
    fragment = fresh;
  }
  draw("head", drawHead);
}

// On connecting, again too: the totals may be another hub's, and updates went by unheard.
function snapshot(message) {
  rate = Rate.forInterval(intervalS);
  if (fragment) feed.missed();
  fragment = null;
  take(message);
  askRefused();
}

function drawHead() {
  if (pause.paused) return;
  const now = hubNow();
  if (fragment) drawFragment(now);
  if (isLive()) {
    dataset.status = statusOf(seenMs, now, intervalS, rules);
    edgeMs = now;
    if (view.live) for (const { chart } of charted.values()) if (chart?.inSight) chart.note();
  }
  setText(part("status"), statusWord(dataset.status));
  setText(part("seen"), seenMs === null ? "never" : agoText(now - seenMs));
  if (seenMs !== null) part("seen").title = timeText(seenMs, view.zone);
  setText(part("rate"), rateText(rate.at(now)));
  if (refusedAreOld && Date.now() - refusedMs > REFUSED_INTERVAL_MS) askRefused();
}

function drawFragment(now) {
  const { values, units = {}, counts, seen, interval_s } = fragment;
  [seenMs, intervalS] = [seen, interval_s];
  const before = known.size;
  for (const [metric, latest] of Object.entries(values)) {
    const kind = typeof latest[1];
    if (!known.has(metric)) add({ metric, kind: kind === "string" ? "text" : kind, unit: units[metric] });
    const { chart } = known.get(metric);
    if (chart && chart.lines[0].latest?.[0] !== latest[0]) chart.take(latest);
  }
  takeLatest(values);
  if (known.size > before) showCharts();
  drawLatest(values, now, known, view.zone);
  part("first").hidden = known.size > 0;
  for (const outcome of ["stored", "rejected"]) setText(part(outcome), counts[outcome].toLocaleString("en"));
}

function toggle() {
  pause.toggle();
  feed.note();
  draw("head", drawHead);
}

pause.onChange(({ paused, words }) => {
  part("pause").setAttribute("aria-pressed", String(paused));
  setText(part("pause").querySelector("span"), words);
});
for (const one of JSON.parse(part("metrics").textContent)) add(one);
showCharts();
startCopying();
part("pause").addEventListener("click", toggle);
part("filter").addEventListener("input", showCharts);
part("more").addEventListener("click", () => ((shownMost += SHOWN_STEP), showCharts()));
onKey("p", "Pause or resume", toggle);
onKey("/", "Filter the metrics", () => part("filter").focus());
live = new Live({
  subscription: { devices: [uid] },
  sinceMs: firstPaintMs,
  onSnapshot: snapshot,
  onUpdate: take,
  onState: (state) => (showLine(state), feed.note()),
});
startLine(() => live.retry());
everySecond(() => draw("head", drawHead));
