// Whether what moves is held still, and how many readings came meanwhile. Pure.

export class Pause {
  paused = false;
  readings = 0;
  #listeners = [];

  onChange(listener) {
    this.#listeners.push(listener);
  }

  toggle() {
    this.paused = !this.paused;
    this.readings = 0;
    this.#tell();
  }

  arrived(readings) {
    if (!this.paused || readings <= 0) return;
    this.readings += readings;
    this.#tell();
  }

  get words() {
    if (!this.paused) return "Pause";
    const count = `${this.readings.toLocaleString("en")} new reading${this.readings === 1 ? "" : "s"}`;
    return `${this.readings ? count : "Paused"}, resume`;
  }

  #tell() {
    for (const listener of this.#listeners) listener(this);
  }
}
