// The rows of the fleet stand in bodies of a few each: what a browser lays out, watches and leaves
// alone out of sight is a body, as a thousand rows watched one by one cost milliseconds of each frame.

const ROWS_EACH = 5; // as in pages/fleet.py
const MARGIN = "100px";

export class Bodies {
  #seen = new Set();

  // `onSight(elements)`: these rows came into sight, or, with none, some went out of it.
  constructor(table, onSight) {
    this.table = table;
    const heard = (entries) => {
      for (const { target, isIntersecting } of entries) this.#seen[isIntersecting ? "add" : "delete"](target);
      onSight(entries.flatMap(({ target, isIntersecting }) => (isIntersecting ? [...target.rows] : [])));
    };
    this.sight = new IntersectionObserver(heard, { rootMargin: MARGIN });
    for (const body of table.tBodies) this.sight.observe(body);
  }

  get rows() {
    return [...this.table.tBodies].flatMap(({ rows }) => [...rows]);
  }

  get inSight() {
    return [...this.#seen].flatMap(({ rows }) => [...rows]).filter(({ hidden }) => !hidden);
  }

  append(elements) {
    for (const element of elements) {
      const last = [...this.table.tBodies].at(-1);
      (last?.rows.length < ROWS_EACH ? last : this.#make()).append(element);
    }
    this.fit(new Set(elements.map(({ parentElement }) => parentElement)));
  }

  remove(element) {
    const body = element.parentElement;
    element.remove();
    if (body) this.fit([body]);
  }

  // All rows, in this order.
  arrange(elements) {
    [...this.table.tBodies].forEach((body, at) => body.append(...elements.slice(at * ROWS_EACH, (at + 1) * ROWS_EACH)));
    this.append(elements.slice(this.table.tBodies.length * ROWS_EACH));
    this.fit(this.table.tBodies);
  }

  // Out of sight a body is as high as the rows of it that are shown.
  fit(bodies) {
    for (const body of bodies) {
      const shown = [...body.rows].filter(({ hidden }) => !hidden).length;
      body.hidden = shown === 0;
      body.style.setProperty("--rows", shown);
    }
  }

  #make() {
    const body = this.table.createTBody();
    this.sight.observe(body);
    return body;
  }
}
