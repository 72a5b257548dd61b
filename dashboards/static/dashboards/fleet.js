// The fleet page: rows are adopted from the first paint, kept current by /ws/live/, and only those
// in sight are touched.

import { everySecond, hubNow, setHubTime } from "./clock.js";
import { startCopying } from "./copy.js";
import { draw, setText } from "./draw.js";
import { addTotals, beginAnew, drawFigures, drawRates } from "./figures.js";
import { shows, showCounts, startFilter } from "./filter.js";
import { onKey, walk } from "./keys.js";
import { showLine, startLine } from "./line.js";
import { Live } from "./live.js";
import { Rate, readings } from "./rates.js";
import { Row } from "./row.js";
import { firstPaintMs } from "./rules.js";

const IN_SIGHT_MARGIN = "300px";
const body = document.querySelector("#rows tbody");
const rows = new Map();
const dirty = new Set();
let live;

const sight = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      const row = rows.get(target.dataset.uid);
      if (!row) continue;
      row.visible = isIntersecting;
      if (isIntersecting) touch(row);
    }
  },
  { rootMargin: IN_SIGHT_MARGIN },
);

function adopt(row) {
  rows.set(row.uid, row);
  sight.observe(row.element);
  return row;
}

function touch(row) {
  dirty.add(row);
  draw("rows", drawRows);
}

function drawRows() {
  const now = hubNow();
  for (const row of dirty) {
    if (!row.visible) continue;
    row.draw(now);
    dirty.delete(row);
  }
}

function take(message) {
  let made = null;
  for (const fragment of message.devices) {
    let row = rows.get(fragment.uid);
    if (!row) {
      row = adopt(Row.make(fragment));
      (made ??= document.createDocumentFragment()).append(row.element);
    }
    row.take(fragment, message.at);
    touch(row);
  }
  if (made) draw("made", () => body.append(made));
  for (const uid of message.removed ?? []) remove(uid);
  sumUp(message.at);
  draw("judge", judge);
}

function remove(uid) {
  const row = rows.get(uid);
  if (!row) return;
  rows.delete(uid);
  dirty.delete(row);
  sight.unobserve(row.element);
  draw(row, () => row.element.remove());
}

function sumUp(atMs) {
  let [all, rejected] = [0, 0];
  for (const { fragment } of rows.values()) {
    if (fragment === null) continue;
    all += readings(fragment.counts);
    rejected += fragment.counts.rejected;
  }
  addTotals(atMs, all, rejected);
}

// Statuses, counts and who is shown. While the line is not live, statuses stay as they were known.
function judge() {
  const now = hubNow();
  const known = live.state.kind === "live";
  const counts = { online: 0, stale: 0, offline: 0, "never-seen": 0 };
  let shown = 0;
  for (const row of rows.values()) {
    if (known && row.judge(now)) touch(row);
    counts[row.status] += 1;
    const isShown = shows(row);
    if (row.element.hidden === isShown) row.element.hidden = !isShown;
    shown += isShown;
  }
  drawFigures(counts, rows.size);
  showCounts(counts, rows.size);
  setText(document.getElementById("shown"), String(shown));
  setText(document.getElementById("total"), String(rows.size));
  document.getElementById("nothing").hidden = shown > 0;
  document.getElementById("rows").hidden = shown === 0;
  document.getElementById("fleet").hidden = rows.size === 0;
  document.getElementById("first").hidden = rows.size > counts["never-seen"];
  const head = document.getElementById("first-head");
  if (rows.size > 0) setText(head, head.dataset.waiting);
}

function tick() {
  const now = hubNow();
  for (const row of rows.values()) if (row.visible) row.drawAges(now);
  judge();
  if (live.state.kind === "live") drawRates();
}

function snapshot(message) {
  // Totals of before may be another hub's, and their gap is no rate.
  beginAnew();
  for (const row of rows.values()) row.rate = Rate.forInterval(row.intervalS);
  const there = new Set(message.devices.map(({ uid }) => uid));
  for (const uid of rows.keys()) if (!there.has(uid)) remove(uid);
  take(message);
}

setHubTime(firstPaintMs);
for (const element of body.rows) adopt(new Row(element));
startCopying();
onKey("/", "Filter devices", () => document.getElementById("filter").focus());
walk(() => [...body.querySelectorAll("tr:not([hidden]) .device a")], "device; Enter opens it");
live = new Live({ sinceMs: firstPaintMs, onSnapshot: snapshot, onUpdate: take, onState: showLine });
startLine(() => live.retry());
startFilter(() => draw("judge", judge));
everySecond(() => draw("tick", tick));
draw("judge", judge);
