// The system page: what the hub tells of itself every two seconds, drawn where the page names it.

import { setHubTime } from "./clock.js";
import { draw, setText } from "./draw.js";
import { Flow } from "./flow.js";
import { showLine, startLine } from "./line.js";
import { Poll } from "./poll.js";
import { firstPaintMs } from "./rules.js";
import { Snapshots } from "./snapshots.js";
import { rateText } from "./wording.js";

const EVERY_MS = 2000;
const snapshots = new Snapshots();
const each = (name, act) => document.querySelectorAll(`[data-${name}]`).forEach((element) => act(element, element.dataset[name]));
const flows = [...document.querySelectorAll("canvas")].map((canvas) => new Flow(canvas));

// A time that the line took: three digits.
function tookText(seconds) {
  if (seconds === null) return "–";
  return seconds < 0.9995 ? `${(seconds * 1000).toPrecision(3)} ms` : `${seconds.toPrecision(3)} s`;
}

function take(answer) {
  setHubTime(answer.at);
  const isOurs = snapshots.add(answer);
  if (!isOurs) document.getElementById("another").hidden = false;
  else draw("figures", drawFigures);
}

function drawFigures() {
  const { values, texts } = snapshots.latest;
  each("text", (element, name) => name in texts && setText(element, texts[name]));
  each("total", (element, name) => setText(element, (values[name] ?? 0).toLocaleString("en")));
  each("rate", drawRate);
  each("took", drawTook);
  each("counter", (row, name) => row.classList.toggle("zero", !values[name]));
  each("part", (rect, name) => rect.setAttribute("width", (1000 * values[name]) / (values[rect.dataset.of ?? "readings_taken"] || 1)));
  drawAlarms(values);
  const { mean } = snapshots.times("commit_seconds");
  [snapshots.rate("readings_taken"), mean ?? 0, values.readings_pending].forEach((value, index) => flows[index].add(value));
}

function drawRate(element, name) {
  const rate = snapshots.rate(name);
  setText(element, "percent" in element.dataset && rate !== null ? `${Math.round(100 * rate)} %` : rateText(rate));
}

function drawTook(element, of) {
  const [name, figure] = of.split("/");
  const value = snapshots.times(name)[figure];
  setText(element, figure === "perS" ? rateText(value) : tookText(value));
}

function drawAlarms(values) {
  let isWell = true;
  each("alarm", (element, name) => {
    element.hidden = !values[name];
    isWell &&= element.hidden;
  });
  document.querySelector(".well").hidden = !isWell;
}

each("show", (button, id) => {
  button.hidden = false;
  button.addEventListener("click", () => {
    button.ariaPressed = document.getElementById(id).classList.toggle("whole");
  });
});
setHubTime(firstPaintMs);
const poll = new Poll({ url: document.getElementById("system").dataset.figures, everyMs: EVERY_MS, sinceMs: firstPaintMs, onAnswer: take, onState: showLine });
startLine(() => poll.retry());
