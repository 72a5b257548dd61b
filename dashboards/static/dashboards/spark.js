// A line on a canvas, without axes: how something went, at a glance.

const SCALE = 2;
let ink = null;
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => (ink = null));

// `points`: [x, y] from left to right, null where the line breaks off; `x`, `y`: the ranges shown.
export function drawLine(canvas, points, x, y, fill = 0) {
  // Asking for a size lays the page out, so it is asked for once.
  if (canvas.sizedFor !== innerWidth && canvas.clientWidth) {
    Object.assign(canvas, { sizedFor: innerWidth, width: canvas.clientWidth * SCALE, height: canvas.clientHeight * SCALE });
  }
  ink ??= getComputedStyle(canvas).color;
  const { width, height } = canvas;
  const pen = canvas.getContext("2d");
  const across = (value) => ((value - x[0]) / (x[1] - x[0])) * (width - 3 * SCALE);
  const down = (value) => height - ((value - y[0]) / (y[1] - y[0])) * (height - 4 * SCALE) - 2 * SCALE;
  pen.clearRect(0, 0, width, height);
  Object.assign(pen, { strokeStyle: ink, fillStyle: ink, lineWidth: 1.5 * SCALE, lineJoin: "round", globalAlpha: 1 });
  pen.beginPath();
  points.forEach((point, at) => point && pen[points[at - 1] ? "lineTo" : "moveTo"](across(point[0]), down(point[1])));
  pen.stroke();
  if (points.length === 0) return;
  const [[first], [last, value]] = [points[0], points.at(-1)];
  if (fill) {
    pen.lineTo(across(last), height);
    pen.lineTo(across(first), height);
    pen.globalAlpha = fill;
  } else {
    pen.beginPath();
    pen.arc(across(last), down(value), 2 * SCALE, 0, 7);
  }
  pen.fill();
}

// The range of a line: a steady value is a calm line in the middle, not noise blown up.
export function roomy(low, high) {
  const room = Math.max((high - low) / 10, Math.max(Math.abs(low), Math.abs(high)) / 500 || 1);
  return [low - room, high + room];
}
