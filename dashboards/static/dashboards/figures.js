// The three figures above the table, and the flow of the last minutes behind the middle one.

import { hubNow } from "./clock.js";
import { setText } from "./draw.js";
import { Rate } from "./rates.js";
import { rateText } from "./wording.js";

const RATE_WINDOW_MS = 10_000;
const FLOW_POINTS_MIN = 30;
const FLOW_POINTS = 180;
const part = (id) => document.getElementById(id);
const shares = [...document.querySelectorAll(".share rect")];
const canvas = part("flow");

let readingsRate = new Rate(RATE_WINDOW_MS);
let rejectedRate = new Rate(RATE_WINDOW_MS);
const flow = [];

export function beginAnew() {
  readingsRate = new Rate(RATE_WINDOW_MS);
  rejectedRate = new Rate(RATE_WINDOW_MS);
}

export function addTotals(atMs, readings, rejected) {
  readingsRate.add(atMs, readings);
  rejectedRate.add(atMs, rejected);
  setText(part("rejected-total"), rejected.toLocaleString("en"));
}

export function drawFigures(counts, total) {
  setText(part("online"), String(counts.online));
  setText(part("of"), String(total));
  drawShares(counts, total);
}

function drawShares(counts, total) {
  let x = 0;
  for (const rect of shares) {
    const width = total ? (1000 * counts[rect.getAttribute("class")]) / total : 0;
    rect.setAttribute("x", x);
    rect.setAttribute("width", width);
    x += width;
  }
}

// Once a second while live.
export function drawRates() {
  const now = hubNow();
  const rate = readingsRate.at(now);
  setText(part("readings-rate"), rateText(rate));
  setText(part("rejected-rate"), rateText(rejectedRate.at(now)));
  if (rate === null) return;
  flow.push(rate);
  if (flow.length > FLOW_POINTS) flow.shift();
  drawFlow();
}

function drawFlow() {
  const scale = devicePixelRatio;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (width === 0 || flow.length < 2) return;
  if (canvas.width !== Math.round(width * scale)) canvas.width = Math.round(width * scale);
  if (canvas.height !== Math.round(height * scale)) canvas.height = Math.round(height * scale);
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  // The top is a little above the highest, so that a steady flow is a calm line and not a wall.
  const top = Math.max(...flow) * 1.35 || 1;
  // At first it grows into the width, then the width holds more and more of it.
  const points = Math.max(flow.length, FLOW_POINTS_MIN);
  const x = (index) => width - ((flow.length - 1 - index) * width) / (points - 1);
  const y = (rate) => height - 2 - (rate / top) * (height - 4);
  const colour = getComputedStyle(canvas).color;
  context.beginPath();
  flow.forEach((rate, index) => context.lineTo(x(index), y(rate)));
  context.strokeStyle = colour;
  context.globalAlpha = 0.8;
  context.lineWidth = 1.5;
  context.lineJoin = "round";
  context.stroke();
  context.lineTo(width, height);
  context.lineTo(x(0), height);
  context.globalAlpha = 0.1;
  context.fillStyle = colour;
  context.fill();
}
