// The compare page: series of several devices on one time axis. What is chosen stands in the address,
// and the hub lays the page out for it.

import { Chart } from "./chart.js";
import { everySecond, hubNow, setHubTime } from "./clock.js";
import { draw, setText } from "./draw.js";
import { Feed } from "./feed.js";
import { onKey } from "./keys.js";
import { showLine, startLine } from "./line.js";
import { Live } from "./live.js";
import { Pause } from "./pause.js";
import { startPicking } from "./picking.js";
import { readings } from "./rates.js";
import { firstPaintMs } from "./rules.js";
import { Charted } from "./series.js";
import { View } from "./view.js";

const button = document.getElementById("pause");
const pause = new Pause();
const heard = new Map(); // a device's uid → its fragment, as last heard
let edgeMs = firstPaintMs;
let live;

setHubTime(firstPaintMs);
const isLive = () => live?.state.kind === "live";
const view = new View({ now: () => edgeMs, onChange: () => (feed.renew(), linkExports()) });
const feed = new Feed({ view, follows: () => view.live && !pause.paused && isLive(), chart: (charts) => live?.chart(charts) });
const charts = [...document.querySelectorAll(".chart")].map(makeChart);
const lines = charts.flatMap((chart) => chart.lines.map(({ uid, metric }, at) => ({ chart, at, uid, metric })));

function makeChart(element) {
  const stepped = "stepped" in element.dataset;
  const edge = (text) => (text ? Number(text) : null);
  const made = [...element.querySelectorAll(".entry")].map(({ dataset: { uid, metric, unit, low, high, dash } }) => {
    const label = `${uid}/${metric}`;
    return { charted: new Charted(label), label, uid, metric, unit, low: edge(low), high: edge(high), dash, stepped };
  });
  const chart = new Chart(element, made, view, () => feed.note());
  feed.add(chart);
  const alone = new URLSearchParams(location.search).getAll("only");
  const at = made.findIndex(({ label }) => alone.includes(label));
  if (at >= 0) chart.entries[at].querySelector("button").click();
  element.addEventListener("click", keepAlone);
  return chart;
}

function keepAlone() {
  const url = new URL(location);
  url.searchParams.delete("only");
  for (const { alone, lines } of charts) if (alone !== null) url.searchParams.append("only", lines[alone].label);
  history.replaceState(null, "", url);
}

function linkExports() {
  const { from, to } = view.range;
  const asked = [...lines.map(({ uid, metric }) => ["series", `${uid}/${metric}`]), ["from", from], ["to", to]];
  for (const link of document.querySelectorAll("[data-export]")) link.href = `${link.dataset.export}?${new URLSearchParams(asked)}`;
}

function take(message) {
  feed.take(message);
  for (const fragment of message.devices) {
    const before = heard.get(fragment.uid) ?? fragment;
    pause.arrived(readings(fragment.counts) - readings(before.counts));
    heard.set(fragment.uid, fragment);
  }
  showLatest();
}

function showLatest() {
  if (pause.paused) return;
  for (const { chart, at, uid, metric } of lines) {
    const latest = heard.get(uid)?.values[metric];
    if (latest && latest[0] !== chart.lines[at].latest?.[0]) chart.take(latest, at);
  }
}

function snapshot(message) {
  if (heard.size > 0) feed.missed();
  heard.clear();
  take(message);
}

// The right edge stays where it was last known while the line is not live, or paused.
function drawEdge() {
  if (pause.paused || !isLive()) return;
  edgeMs = hubNow();
  if (view.live) for (const chart of charts) if (chart.inSight) chart.note();
}

pause.onChange(({ paused, words }) => {
  button.setAttribute("aria-pressed", String(paused));
  setText(button.querySelector("span"), words);
  document.documentElement.toggleAttribute("data-paused", paused);
});

function toggle() {
  pause.toggle();
  feed.note();
  showLatest();
}

button.addEventListener("click", toggle);
onKey("p", "Pause or resume", toggle);
startPicking();
linkExports();
live = new Live({
  subscription: { devices: [...new Set(lines.map(({ uid }) => uid))], metrics: [...new Set(lines.map(({ metric }) => metric))] },
  sinceMs: firstPaintMs,
  onSnapshot: snapshot,
  onUpdate: take,
  onState: (state) => (showLine(state), feed.note()),
});
startLine(() => live.retry());
everySecond(() => draw("edge", drawEdge));
