// A figure's last minutes as a small line, on a canvas behind it; a null is not drawn.

const POINTS_MIN = 30;
const POINTS = 180;

export class Flow {
  constructor(canvas) {
    this.canvas = canvas;
    this.values = [];
  }

  add(value) {
    if (value === null) return;
    this.values.push(value);
    if (this.values.length > POINTS) this.values.shift();
    this.#draw();
  }

  #draw() {
    const { canvas, values } = this;
    const scale = devicePixelRatio;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (width === 0 || values.length < 2) return;
    Object.assign(canvas, { width: width * scale, height: height * scale }); // and clears it
    const context = canvas.getContext("2d");
    context.scale(scale, scale);
    // The top is a little above the highest, so that a steady flow is a calm line and not a wall.
    const top = Math.max(...values) * 1.35 || 1;
    // At first it grows into the width, then the width holds more and more of it.
    const apart = width / (Math.max(values.length, POINTS_MIN) - 1);
    const left = width - (values.length - 1) * apart;
    context.beginPath();
    values.forEach((value, index) => context.lineTo(left + index * apart, height - 2 - (value / top) * (height - 4)));
    context.strokeStyle = context.fillStyle = getComputedStyle(canvas).color;
    context.globalAlpha = 0.8;
    context.lineWidth = 1.5;
    context.lineJoin = "round";
    context.stroke();
    context.lineTo(width, height);
    context.lineTo(left, height);
    context.globalAlpha = 0.1;
    context.fill();
  }
}
