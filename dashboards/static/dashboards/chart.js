// One metric's chart: a uPlot with the mean as a line and the span from min to max behind it.

import uPlot from "../uplot/uPlot.esm.js";
import { append, dropBefore, fromHistory } from "./columns.js";
import { draw, setText } from "./draw.js";
import { agoText, clockText, stepText, valueText } from "./wording.js";

const dark = matchMedia("(prefers-color-scheme: dark)");
const charts = new Set();
dark.addEventListener("change", () => charts.forEach((chart) => chart.rebuild()));
const sized = new ResizeObserver((entries) => entries.forEach(({ target }) => target.chart.resize()));
const sight = new IntersectionObserver(
  (entries) => entries.forEach(({ target, isIntersecting }) => target.chart.setInSight(isIntersecting)),
  { rootMargin: "200px" },
);

const two = (number) => String(number).padStart(2, "0");
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAY_S = 86_400;

// Axis labels: seconds only where ticks are closer than a minute, the day where they are days apart.
function tickText(seconds, apartS) {
  const at = new Date(seconds * 1000);
  if (apartS >= DAY_S) return `${at.getDate()} ${MONTHS[at.getMonth()]}`;
  const clock = `${two(at.getHours())}:${two(at.getMinutes())}`;
  if (apartS < 60) return `${clock}:${two(at.getSeconds())}`;
  return at.getHours() + at.getMinutes() === 0 ? `${at.getDate()} ${MONTHS[at.getMonth()]}` : clock;
}

export class Chart {
  constructor(element, span) {
    this.element = element;
    this.span = span; // () => [fromMs, toMs]
    this.metric = element.dataset.metric;
    this.stepped = "stepped" in element.dataset;
    this.plot = element.querySelector(".plot");
    this.value = element.querySelector(".reading .value");
    this.at = element.querySelector(".reading .at");
    this.columns = null;
    this.latest = null;
    this.inSight = false;
    this.plot.chart = this;
    charts.add(this);
    sized.observe(this.plot);
    sight.observe(this.plot);
    element.classList.add("loading");
  }

  setHistory(answer) {
    this.columns = fromHistory(answer);
    this.answer = answer;
    if (this.latest) append(this.columns, ...this.latest);
    this.element.classList.remove("loading");
    this.note();
  }

  // A live value: [time in ms, value].
  take(tsMs, value) {
    const number = Number(value);
    this.latest = [tsMs, number];
    this.shown = [tsMs, value];
    if (this.columns) append(this.columns, tsMs, number);
    this.note();
  }

  note() {
    draw(this, () => this.draw());
  }

  setInSight(inSight) {
    this.inSight = inSight;
    if (inSight) this.note();
  }

  draw() {
    this.drawReading();
    if (!this.columns || !this.inSight || this.plot.clientWidth === 0) return;
    const [fromMs] = this.span();
    dropBefore(this.columns, fromMs - this.columns.stepMs);
    this.drawEmpty();
    const { x, mean, min, max } = this.columns;
    if (!this.uplot) this.uplot = new uPlot(this.options(), [x, mean, min, max], this.plot);
    else this.uplot.setData([x, mean, min, max]);
    this.drawWords();
  }

  // The value under the cursor, or else the latest.
  drawReading() {
    const at = this.uplot?.cursor.idx ?? null;
    if (at !== null && this.columns?.mean[at] != null) {
      setText(this.value, this.text(this.columns.mean[at]));
      setText(this.at, clockText(this.columns.x[at] * 1000));
    } else if (this.shown) {
      setText(this.value, valueText(this.shown[1]));
      setText(this.at, "");
    }
  }

  text(value) {
    return this.stepped && (value === 0 || value === 1) ? String(value === 1) : valueText(value);
  }

  drawEmpty() {
    const [, toMs] = this.span();
    let empty = this.plot.querySelector(".empty");
    if (this.columns.x.length > 0) return empty?.remove();
    if (!empty) {
      empty = document.createElement("p");
      empty.className = "empty";
      this.plot.append(empty);
    }
    const last = this.latest ? `Last reading ${agoText(toMs - this.latest[0])}.` : "";
    empty.textContent = `No readings in this range. ${last}`;
  }

  drawWords() {
    const { stepMs, mean, min, max } = this.columns;
    const points = mean.filter((value) => value !== null);
    const words = this.element.querySelector(".step");
    setText(words, points.length ? `${stepText(stepMs)} ${this.stepped ? "steps" : "mean"}` : " ");
    const low = Math.min(...min.filter((value) => value !== null));
    const high = Math.max(...max.filter((value) => value !== null));
    const said = points.length ? `from ${valueText(low)} to ${valueText(high)}` : "no readings in this range";
    this.plot.setAttribute("role", "img");
    this.plot.setAttribute("aria-label", `${this.metric}: ${said}`);
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.plot;
    if (this.uplot && width > 0) this.uplot.setSize({ width, height });
    else this.note();
  }

  rebuild() {
    this.uplot?.destroy();
    this.uplot = null;
    this.note();
  }

  options() {
    const style = getComputedStyle(this.element);
    const colour = (name) => style.getPropertyValue(name).trim();
    const [tone, faint, rule] = [colour("--tone"), colour("--ink-faint"), colour("--rule")];
    const font = `11px ${style.fontFamily}`;
    const axis = { stroke: faint, font, ticks: { show: false }, grid: { stroke: rule, width: 1 } };
    const paths = this.stepped ? uPlot.paths.stepped({ align: 1 }) : undefined;
    // A step down at the end of a gap would show as a hair there: the gap takes it in.
    const gaps = this.stepped ? (_, __, ___, ____, found) => found.map(([from, to]) => [from, to + devicePixelRatio]) : undefined;
    const hidden = { stroke: "transparent", points: { show: false } };
    return {
      width: this.plot.clientWidth,
      height: this.plot.clientHeight,
      legend: { show: false },
      padding: [8, 18, 0, 0],
      cursor: { y: false, drag: { x: false, y: false }, sync: { key: "device" }, points: { size: 7, width: 0, fill: (_, series) => (series === 1 ? tone : "transparent") } },
      scales: {
        x: { time: true, range: () => this.span().map((ms) => ms / 1000) },
        y: { range: this.stepped ? [-0.1, 1.1] : roomy },
      },
      axes: [
        { ...axis, grid: { show: false }, space: 70, size: 26, values: (_, ticks, __, ___, apart) => ticks.map((at) => tickText(at, apart)) },
        { ...axis, size: 52, space: 36, gap: 6, ...(this.stepped && { splits: [0, 1], values: ["false", "true"] }), ...(!this.stepped && { values: axisValues }) },
      ],
      series: [
        {},
        { stroke: tone, width: 1.75, paths, ...(gaps && { gaps }), points: { show: true, filter: lonely, size: 4, fill: tone } },
        hidden,
        hidden,
      ],
      bands: this.stepped ? [] : [{ series: [3, 2], fill: `color-mix(in srgb, ${tone} 16%, transparent)` }],
      hooks: { setCursor: [() => draw(this.value, () => this.drawReading())] },
    };
  }
}

// Points are drawn only where a line would not show: a reading alone between two gaps.
function lonely({ data }, series) {
  const values = data[series];
  const alone = [];
  for (let at = 0; at < values.length; at += 1) {
    if (values[at] != null && values[at - 1] == null && values[at + 1] == null) alone.push(at);
  }
  return alone;
}

// A steady value is a calm line in the middle, not noise blown up to the full height.
function roomy(_, low, high) {
  if (low === null) return [0, 1];
  const least = Math.max(Math.abs(high), Math.abs(low)) * 0.004 || 1;
  const room = Math.max((high - low) * 0.12, least);
  return [low - room, high + room];
}

function axisValues(_, ticks) {
  return ticks.map((value) => (Math.abs(value) >= 1e5 || (value !== 0 && Math.abs(value) < 1e-4) ? value.toExponential(1) : String(+value.toPrecision(6))));
}
