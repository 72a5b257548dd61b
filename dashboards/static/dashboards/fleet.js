// The fleet page: rows are adopted from the first paint, kept current by /ws/live/, and only those
// in sight are touched. New values move no row: the order is that of the last sorting.

import { Bodies } from "./bodies.js";
import { everySecond, hubNow, setHubTime } from "./clock.js";
import { startCopying } from "./copy.js";
import { draw, part, setText } from "./draw.js";
import { addTotals, beginAnew, drawFigures, drawRates } from "./figures.js";
import { onKey, walk } from "./keys.js";
import { showLine, startLine } from "./line.js";
import { Live } from "./live.js";
import { common, ordered } from "./order.js";
import { Pause } from "./pause.js";
import { Portions } from "./portions.js";
import { Row } from "./row.js";
import { firstPaintMs } from "./rules.js";
import { Sparks } from "./sparks.js";
import { showColumns, showCounts, shows, startView, view } from "./controls.js";

const rows = new Map();
const dirty = new Set();
const pause = new Pause();
let total = 0;
let unsorted = view.sort === "rate"; // rates are not known before the page has looked for a moment

const bodies = new Bodies(part("rows"), (elements) => {
  // Also while paused: they were not seen before, so they do not move.
  for (const row of rowsOf(elements)) draw(row, () => drawRow(row, hubNow()));
  draw("lines", wantLines);
});
// A removed row's element is there until the next frame.
const rowsOf = (elements) => elements.map(({ dataset }) => rows.get(dataset.uid)).filter(Boolean);
const inSight = () => rowsOf(bodies.inSight);

function adopt(row) {
  rows.set(row.uid, row);
  return row;
}

function remove(row) {
  rows.delete(row.uid);
  draw(row, () => bodies.remove(row.element));
}

function touch(row) {
  dirty.add(row);
  draw("rows", drawRows);
}

function drawRows() {
  if (pause.paused) return;
  const now = hubNow();
  for (const row of inSight()) if (dirty.has(row)) drawRow(row, now);
  dirty.clear();
}

function drawRow(row, now) {
  const { series } = row;
  row.draw(now, view);
  if (row.series !== series) draw("lines", wantLines);
  sparks.draw(row, now);
}

const wantLines = () => sparks.want(inSight().filter(({ series }) => series));

const portions = new Portions(takeSome, takeRest);

function takeSome(devices, { at }) {
  const made = [];
  let others = false;
  for (const fragment of devices) {
    let row = rows.get(fragment.uid);
    if (!row) {
      row = adopt(Row.make(fragment));
      made.push(row.element);
    }
    others = row.take(fragment, at) || others;
    touch(row);
  }
  if (made.length > 0) bodies.append(made);
  if (others && !view.metrics.length) draw("columns", () => setColumns());
}

function takeRest(message) {
  for (const uid of message.removed ?? []) if (rows.has(uid)) remove(rows.get(uid));
  sumUp(message);
  sparks.take(message);
  draw("judge", judge);
}

function sumUp(message) {
  const before = total;
  let rejected = total = 0;
  for (const row of rows.values()) {
    total += row.total;
    rejected += row.rejected;
  }
  addTotals(message, total, rejected);
  pause.arrived(total - before);
}

// Columns that nobody chose keep their places: others come after them.
function setColumns(known = view.columns) {
  const columns = view.metrics.length ? view.metrics : common(rows.values(), known);
  if (columns.join() === view.columns.join()) return;
  showColumns(columns);
  inSight().forEach(touch);
}

// Statuses: while the line is not live they stay as they were known.
function judge() {
  if (pause.paused) return;
  const now = hubNow();
  if (live.state.kind === "live") for (const row of rows.values()) if (row.judge(now)) touch(row);
  count();
}

function count() {
  const counts = { online: 0, stale: 0, offline: 0, "never-seen": 0 };
  const changed = new Set();
  let shown = 0;
  for (const row of rows.values()) {
    counts[row.status] += 1;
    if (row.show(shows(row))) changed.add(row.element.parentElement);
    shown += row.shown;
  }
  changed.delete(null); // made, and not there yet
  if (changed.size > 0) fit(changed);
  drawFigures(counts, rows.size);
  showCounts(counts, rows.size, shown);
  part("fleet").hidden = rows.size === 0;
  part("first").hidden = rows.size > counts["never-seen"];
  const head = part("first-head");
  if (rows.size > 0) setText(head, head.dataset.waiting);
}

// What is shown now that was not is drawn: it may have been in a body that was in sight all along.
function fit(changed) {
  bodies.fit(changed);
  inSight().forEach(touch);
  draw("lines", wantLines);
}

function tick() {
  if (pause.paused) return;
  const now = hubNow();
  const seen = inSight();
  for (const row of seen) row.drawAges(now);
  if (live.state.kind !== "live") return;
  for (const row of seen) sparks.draw(row, now);
  judge();
  if (drawRates() && unsorted) sort();
}

function snapshot(message) {
  // Totals of before may be another hub's, and their gap is no rate.
  beginAnew();
  const there = new Set(message.devices.map(({ uid }) => uid));
  for (const row of rows.values()) {
    row.beginAnew();
    if (!there.has(row.uid)) remove(row);
  }
  portions.drop();
  portions.add(message);
  sparks.missed();
}

function sort() {
  unsorted = false;
  bodies.arrange(ordered([...rows.values()], view, hubNow()).map(({ element }) => element));
  inSight().forEach(touch);
  draw("lines", wantLines);
}

function showPause() {
  const { paused, words } = pause;
  setText(part("pause"), words);
  part("pause").ariaPressed = paused;
  document.documentElement.toggleAttribute("data-paused", paused);
  if (!paused) inSight().forEach(touch);
}

setHubTime(firstPaintMs);
for (const element of bodies.rows) adopt(new Row(element));
bodies.fit(part("rows").tBodies);
startCopying();
walk(() => [...document.querySelectorAll("#rows tbody tr:not([hidden]) a")], "device; Enter opens it");
startView({ onSort: sort, onMetrics: () => setColumns([]), onChange: () => draw("count", count) });
pause.onChange(() => draw("pause", showPause));
part("pause").addEventListener("click", () => pause.toggle());
onKey("p", "Pause or resume", () => pause.toggle());
const live = new Live({ sinceMs: firstPaintMs, onSnapshot: snapshot, onUpdate: (message) => portions.add(message), onState: showLine });
const sparks = new Sparks(live, (series) => inSight().forEach((row) => row.series === series && touch(row)));
startLine(() => live.retry());
everySecond(() => draw("tick", tick));
