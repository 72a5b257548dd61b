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

  resume() {
    if (this.paused) this.toggle();
  }

  // Readings that arrived; they count only while nobody sees them.
  arrived(readings) {
    if (!this.paused || readings <= 0) return;
    this.readings += readings;
    this.#tell();
  }

  get words() {
    if (!this.paused) return "Pause";
    const number = this.readings.toLocaleString("en");
    return this.readings ? `${number} new reading${this.readings === 1 ? "" : "s"}, resume` : "Paused, resume";
  }

  #tell() {
    for (const listener of this.#listeners) listener(this);
  }
}
