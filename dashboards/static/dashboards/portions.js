// Takes a message a portion a frame, so that a thousand devices in it hold no frame up.

import { draw } from "./draw.js";

const DEVICES_EACH = 200;

export class Portions {
  #portions = [];

  // `take(devices, message)` some of a message's devices; `end(message)` once all of them were.
  constructor(take, end) {
    Object.assign(this, { take, end });
  }

  add(message) {
    const { devices } = message;
    let at = 0;
    do this.#portions.push([message, devices.slice(at, (at += DEVICES_EACH)), at >= devices.length]);
    while (at < devices.length);
    this.#note();
  }

  // Messages of before do not count any more.
  drop() {
    this.#portions = [];
  }

  #note() {
    draw(this, () => this.#next());
  }

  #next() {
    if (this.#portions.length === 0) return;
    const [message, devices, last] = this.#portions.shift();
    this.take(devices, message);
    if (last) this.end(message);
    this.#note();
  }
}
