// A figure's last minutes as a small line behind it; a null is not drawn.

import { drawLine } from "./spark.js";

const POINTS_MIN = 30;
const POINTS = 180;

export class Flow {
  values = [];

  constructor(canvas) {
    this.canvas = canvas;
  }

  add(value) {
    const { values } = this;
    if (value === null) return;
    if (values.push(value) > POINTS) values.shift();
    const end = values.length - 1;
    // At first it grows into the width, then the width holds more of it. The top is a little above
    // the highest, so that a steady flow is a calm line and not a wall.
    const y = [0, Math.max(...values) * 1.35 || 1];
    drawLine(this.canvas, values.map((each, at) => [at, each]), [Math.min(0, end - POINTS_MIN), end], y, 0.1);
  }
}
