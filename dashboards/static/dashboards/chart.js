// A chart of series with one unit, or two, left and right: a uPlot with the mean of each as a line,
// the span from min to max behind it, and the band that its values should keep to.

import uPlot from "../uplot/uPlot.esm.js";
import { draw, setText } from "./draw.js";
import { agoText, clockText, dateText, outText, stepText, unitText } from "./wording.js";

const charts = new Set();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => charts.forEach((chart) => chart.rebuild()));
const sized = new ResizeObserver((entries) => entries.forEach(({ target }) => target.chart.resize()));
const sight = new IntersectionObserver((entries) => entries.forEach(({ target, isIntersecting }) => target.chart.setInSight(isIntersecting)), { rootMargin: "200px" });

const MOVES = { ArrowLeft: [-0.25, 1], ArrowRight: [0.25, 1], "+": [0, 0.5], "=": [0, 0.5], "-": [0, 2] };
const Y_WIDTH = 62;
// Of the lines of one tone the second is dashed, the third dotted.
const DASHES = [[], [8, 4], [2, 3]];
const scaleOf = ({ unit = "" }) => `y ${unit}`;
const least = (values) => values.reduce((low, value) => Math.min(low, value), Infinity);

export class Chart {
  // `lines`: one for each `.entry` of the figure, { charted, label, unit, low, high, stepped, dash }.
  // `view`: of view.js. `onSight()`: it came into sight, or left it.
  constructor(element, lines, view, onSight) {
    Object.assign(this, { element, lines, view, onSight, alone: null, inSight: false, failure: null });
    const part = (name) => element.querySelector(name);
    [this.plot, this.empty, this.step, this.at] = [".plot", ".empty", ".step", ".at"].map(part);
    this.entries = [...element.querySelectorAll(".entry")];
    this.stepped = lines.every(({ stepped }) => stepped);
    this.plot.chart = this;
    this.plot.addEventListener("keydown", (event) => this.#key(event));
    part(".empty button").addEventListener("click", () => this.#mend());
    this.entries.forEach((entry, at) => entry.querySelector("button")?.addEventListener("click", () => this.#isolate(at)));
    charts.add(this);
    sized.observe(this.plot);
    sight.observe(this.plot);
    this.note();
  }

  // The latest of a series: [time in ms, value].
  take(latest, at = 0) {
    this.lines[at].latest = latest;
    this.note();
  }

  note() {
    draw(this, () => this.draw());
  }

  setInSight(inSight) {
    this.inSight = inSight;
    this.onSight();
    this.note();
  }

  draw() {
    const known = this.lines.filter(({ charted }) => charted.columns);
    // What is old, and no longer followed, is not shown as if it were new.
    const state = this.failure ? "failed" : known.length > 0 ? "" : "loading";
    if (this.element.dataset.state !== state) this.element.dataset.state = state;
    if (state) setText(this.step, "");
    else if (this.inSight && this.plot.clientWidth > 0) this.#drawPlot(known);
    this.drawLegend();
    this.#drawEmpty(state);
  }

  #drawPlot(known) {
    const [fromMs] = this.view.span();
    for (const { charted } of known) charted.dropBefore(fromMs - charted.columns.stepMs);
    const tables = this.lines.map(({ charted }) => charted.plotted());
    const rows = tables.length > 1 ? uPlot.join(tables) : tables[0];
    // A unit was given, or another.
    if (this.uplot && !this.lines.every((line) => scaleOf(line) in this.uplot.scales)) this.rebuild();
    if (this.uplot) this.uplot.setData(rows);
    else this.uplot = new uPlot(this.#options(), rows, this.plot);
    const { count, stepMs } = known[0].charted.columns;
    const many = known.some(({ charted }) => charted.columns.count.some((each) => each > 1));
    setText(this.step, count.length === 0 ? "" : many ? `${stepText(stepMs)} mean` : "every reading");
    // In words, for those who do not see it.
    const label = known.map((line) => this.#inWords(line)).join("; ");
    if (this.plot.ariaLabel !== label) this.plot.ariaLabel = label;
  }

  #inWords({ label, charted: { columns }, ...line }) {
    const { min, max, last } = columns;
    if (last.length === 0) return `${label}: no readings in this range`;
    const [low, high, newest] = [least(min), -least(max.map((each) => -each)), last.at(-1)].map((each) => this.#text(each, line));
    const out = outText(last.at(-1), line);
    return `${label}: from ${low} to ${high}, last ${newest}${out && `, ${out}`}`;
  }

  // What is under the cursor: mean, min to max. Elsewhere the latest.
  drawLegend() {
    const { cursor: { idx, idxs } = {}, data } = this.uplot ?? {};
    const at = idxs?.some((each, column) => column % 3 === 1 && each !== null) ? idx : null;
    setText(this.at, at === null ? "" : clockText(data[0][at], Date.now(), this.view.zone));
    this.entries.forEach((entry, number) => {
      const line = this.lines[number];
      const [mean, min, max] = at === null ? [line.latest?.[1] ?? line.charted.columns?.last.at(-1)] : [1, 2, 3].map((column) => data[3 * number + column][at]);
      const set = (name, text) => setText(entry.querySelector(name), text);
      set(".value", mean == null ? "–" : this.#text(mean, line));
      set(".spread", min === max ? "" : `${this.#text(min)} – ${this.#text(max)}`);
      set(".out", mean == null ? "" : outText(mean, line));
    });
  }

  #text(value, { unit } = {}) {
    return this.stepped && (value === 0 || value === 1) ? String(value === 1) : unitText(value, unit);
  }

  get #latestMs() {
    return Math.max(...this.lines.map(({ latest }) => latest?.[0] ?? -Infinity));
  }

  #drawEmpty(state) {
    const [fromMs, toMs] = this.view.span();
    const some = this.lines.some(({ charted: { columns } }) => columns?.start.some((ms) => ms + columns.stepMs > fromMs && ms < toMs));
    const failed = state === "failed";
    this.empty.hidden = state === "loading" || (some && !failed);
    if (this.empty.hidden) return;
    const [words, button] = this.empty.children;
    setText(words, failed ? `History did not come. ${this.failure}` : "No readings in this range.");
    button.hidden = !failed && this.#latestMs === -Infinity;
    setText(button, failed ? "Try again" : `Last reading ${agoText(this.view.now() - this.#latestMs)}, go there`);
  }

  #mend() {
    if (this.failure) return this.view.onChange();
    const [fromMs, toMs] = this.view.span();
    this.view.show(this.#latestMs - (toMs - fromMs) / 2, this.#latestMs + (toMs - fromMs) / 2);
  }

  #isolate(at) {
    this.alone = this.alone === at ? null : at;
    this.entries.forEach((entry, each) => {
      entry.classList.toggle("hushed", ![null, each].includes(this.alone));
      entry.querySelector("button").ariaPressed = this.alone === each;
    });
    this.rebuild();
  }

  #key(event) {
    const move = MOVES[event.key];
    if (!move || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.view.move(...move);
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

  #options() {
    const { view, stepped, plot } = this;
    const colour = (name, element = plot) => getComputedStyle(element).getPropertyValue(name).trim();
    const tones = this.entries.map((entry) => colour("--tone", entry));
    const axis = { stroke: colour("--ink-faint"), font: `11px ${colour("font-family")}`, ticks: { show: false }, grid: { stroke: colour("--rule"), width: 1 } };
    const paths = stepped ? uPlot.paths.stepped({ align: 1 }) : undefined;
    // A step down at the end of a gap would show as a hair there: the gap takes it in.
    const gaps = stepped && { gaps: (...all) => all[4].map(([from, to]) => [from, to + devicePixelRatio]) };
    const isShown = (_, at) => [null, at].includes(this.alone);
    const units = new Map(this.lines.filter(isShown).map((line) => [scaleOf(line), line]));
    const series = tones.flatMap((tone, at) => {
      const edge = { show: isShown(tone, at), scale: scaleOf(this.lines[at]), paths, stroke: "transparent", points: { show: false } };
      const mean = { stroke: tone, width: 1.75, dash: DASHES[this.lines[at].dash ?? 0], points: { filter: lonely, size: 4, fill: tone } };
      return [{ ...edge, ...mean, ...gaps }, edge, edge];
    });
    const alarm = colour("--offline");
    return {
      ms: 1,
      width: plot.clientWidth,
      height: plot.clientHeight,
      legend: { show: false },
      padding: [8, units.size > 1 ? 0 : "aligned" in this.element.dataset ? Y_WIDTH : 18, 0, 0],
      tzDate: (ms) => uPlot.tzDate(new Date(ms), view.zone),
      cursor: {
        y: false,
        drag: { setScale: false },
        // Within a gap nothing is under the cursor.
        hover: { prox: ({ bbox }) => Math.max(24, (bbox.width / devicePixelRatio / 2) * this.#gapPart()) },
        sync: { key: "time", filters: { pub: (type) => /^mouse(move|leave)$/.test(type) } },
        points: { size: 7, width: 0, fill: (_, at) => (at % 3 === 1 ? tones[(at - 1) / 3] : "transparent") },
        bind: { dblclick: () => () => view.follow() },
      },
      scales: {
        x: { range: () => view.span() },
        ...Object.fromEntries(this.lines.map((line) => [scaleOf(line), { range: stepped ? [-0.1, 1.1] : (_, low, high) => this.#roomy(low, high, scaleOf(line)) }])),
      },
      axes: [
        { ...axis, grid: { show: false }, space: 70, size: 26, values: (_, ticks, __, ___, apart) => ticks.map((ms) => tickText(ms, apart, view.zone)) },
        ...[...units].map(([scale, line], at) => ({
          ...axis,
          scale,
          side: at ? 1 : 3,
          grid: { ...axis.grid, show: !at },
          // All charts of a page have one left edge, but where numbers are long.
          size: (_, texts) => Math.max(Y_WIDTH, ...(texts ?? []).map((text) => 14 + 6.5 * text.length)),
          space: 36,
          gap: 6,
          splits: stepped ? [0, 1] : undefined,
          values: ({ data: [{ length }] }, ticks) => (length ? ticks.map((value) => (stepped ? this.#text(value) : axisText(value, line))) : []),
        })),
      ],
      series: [{}, ...series],
      bands: tones.map((tone, at) => ({ series: [3 * at + 3, 3 * at + 2], fill: `color-mix(in srgb, ${tone} 16%, transparent)` })),
      hooks: {
        setCursor: [() => draw(this.entries, () => this.drawLegend())],
        setSelect: [({ select: { left, width }, posToVal }) => width > 3 && view.show(posToVal(left, "x"), posToVal(left + width, "x"))],
        setData: [(uplot) => uplot.setSelect({ width: 0 }, false)],
        draw: [(uplot) => this.#drawBand(uplot, alarm)],
      },
    };
  }

  // How much of the width a line may go without a reading.
  #gapPart() {
    const [fromMs, toMs] = this.view.span();
    return Math.max(0, ...this.lines.map(({ charted }) => charted.columns?.gapMs ?? 0)) / (toMs - fromMs);
  }

  // The band of the one series that is seen; several have none.
  get #band() {
    return (!this.stepped && this.lines[this.lines.length > 1 ? this.alone : 0]) || {};
  }

  // The edges of the band as dashed lines, and a comb between them and what lies outside.
  #drawBand({ ctx, bbox, data, valToPos }, alarm) {
    const { low, high, unit } = this.#band;
    const scale = scaleOf({ unit });
    const pixel = devicePixelRatio;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.strokeStyle = ctx.fillStyle = alarm;
    ctx.lineWidth = pixel;
    ctx.setLineDash([5 * pixel, 4 * pixel]);
    for (const [limit, column, sign] of [[low, 2, -1], [high, 3, 1]]) {
      if (limit == null) continue;
      const y = valToPos(limit, scale, true);
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
      let before = -Infinity;
      data[column + 3 * (this.alone ?? 0)].forEach((value, at) => {
        const x = Math.round(valToPos(data[0][at], "x", true));
        if (value == null || sign * (value - limit) <= 0 || x < before + 4 * pixel) return;
        ctx.fillRect(x, y, 1.5 * pixel, valToPos(value, scale, true) - y);
        before = x;
      });
    }
    ctx.restore();
  }

  // A steady value is a calm line in the middle, not noise blown up to the full height. An edge of the
  // band is in sight when values come near it.
  #roomy(low, high, scale) {
    if (low === null) return [0, 1];
    const band = scaleOf(this.#band) === scale ? this.#band : {};
    const room = Math.max((high - low) * 0.12, Math.max(high, -low) * 0.004 || 1);
    const limits = [band.low, band.high].filter((limit) => limit != null && limit > low - 4 * room && limit < high + 4 * room);
    return [Math.min(low, ...limits) - room, Math.max(high, ...limits) + room];
  }
}

// Points are drawn only where a line would not show: a reading alone between two gaps.
function lonely({ data }, series) {
  const values = data[series];
  return [...values.keys()].filter((at) => values[at] != null && values[at - 1] == null && values[at + 1] == null);
}

function axisText(value, { unit }) {
  const far = value !== 0 && (Math.abs(value) >= 1e5 || Math.abs(value) < 1e-4);
  return `${far ? value.toExponential(1) : +value.toPrecision(6)}${unit ? ` ${unit}` : ""}`;
}

// Seconds only where ticks are closer than a minute, the day where they are days apart.
function tickText(ms, apartMs, timeZone) {
  const text = (options) => dateText(ms, "en-GB", { timeZone, ...options });
  const time = text({ timeStyle: apartMs < 60_000 ? "medium" : "short" });
  if (apartMs < 1000) return `${time}.${String(ms % 1000).padStart(3, "0")}`;
  return apartMs >= 86_400_000 || /^00:00(:00)?$/.test(time) ? text({ day: "numeric", month: "short" }) : time;
}
