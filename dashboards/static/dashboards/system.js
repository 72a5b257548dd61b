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
const flows = [...document.querySelectorAll("canvas")].map((canvas) => new Flow(canvas));

// What the page has of `data-<name>`, each with what is said there.
const each = (name, act) => document.querySelectorAll(`[data-${name}]`).forEach((element) => act(element, element.dataset[name]));

function take(answer) {
  setHubTime(answer.at);
  if (snapshots.add(answer)) draw("figures", drawFigures);
  else document.getElementById("another").hidden = false;
}

function drawFigures() {
  const { values, texts } = snapshots.latest;
  each("text", (element, name) => setText(element, texts[name] ?? "–"));
  each("total", (element, name) => setText(element, (values[name] ?? 0).toLocaleString("en")));
  each("counter", (row, name) => row.classList.toggle("zero", !values[name]));
  each("rate", (element, name) => setText(element, rateText(snapshots.rate(name))));
  each("percent", (element, name) => setText(element, `${rateText(100 * snapshots.rate(name))} %`));
  each("took", drawTook);
  each("part", (rect, name) => rect.setAttribute("width", (1000 * values[name]) / (values[rect.dataset.of] || 1)));
  each("alarm", (element, name) => (element.hidden = !values[name]));
  document.querySelector(".well").hidden = document.querySelector("[data-alarm]:not([hidden])") !== null;
  const flowing = [snapshots.rate("readings_taken"), snapshots.times("commit_seconds").mean ?? 0, values.readings_pending];
  flows.forEach((flow, at) => flow.add(flowing[at]));
}

function drawTook(element, of) {
  const [name, figure] = of.split("/");
  const value = snapshots.times(name)[figure];
  setText(element, figure === "perS" ? rateText(value) : tookText(value));
}

// Three digits.
function tookText(seconds) {
  if (seconds === null) return "–";
  return seconds < 1 ? `${(1000 * seconds).toPrecision(3)} ms` : `${seconds.toPrecision(3)} s`;
}

each("show", (button, id) => {
  button.hidden = false;
  button.addEventListener("click", () => (button.ariaPressed = document.getElementById(id).classList.toggle("whole")));
});
setHubTime(firstPaintMs);
const poll = new Poll({ url: document.getElementById("system").dataset.figures, everyMs: EVERY_MS, sinceMs: firstPaintMs, onAnswer: take, onState: showLine });
startLine(() => poll.ask());
