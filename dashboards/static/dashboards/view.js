// Which span of time a page shows, and in which zone: the picker, the address, back and forward.

import { inputMs, inputText, moved, rangeOf, spanOf } from "./range.js";

const ZONE = "weir-zone";
const BROWSER = Intl.DateTimeFormat().resolvedOptions().timeZone;
const root = document.getElementById("picker");
const part = (name) => root.querySelector(name);
const { otherwise } = root?.dataset ?? {};

export class View {
  #followed = { from: otherwise, to: "now" };

  // `now()`: the right edge while live. `onChange()`: another span or zone is shown.
  constructor({ now, onChange }) {
    Object.assign(this, { now, onChange });
    this.#read();
    addEventListener("popstate", () => (this.#read(), onChange()));
    root.addEventListener("click", ({ target }) => this.#click(target.closest("button")));
    root.addEventListener("submit", (event) => this.#custom(event));
  }

  get live() {
    return this.range.to === "now";
  }

  get zone() {
    return this.utc ? "UTC" : BROWSER;
  }

  span() {
    return spanOf(this.range, this.now());
  }

  show(fromMs, toMs) {
    this.#go({ from: String(Math.round(fromMs)), to: String(Math.round(toMs)) });
  }

  move(shift, factor) {
    this.show(...moved(this.span(), shift, factor, this.now()));
  }

  // Back to what was followed last.
  follow() {
    if (!this.live) this.#go(this.#followed);
  }

  #go(range, zone = {}) {
    const url = new URL(location.href);
    for (const each of Object.entries({ ...range, ...zone })) url.searchParams.set(...each);
    history.pushState(null, "", url);
    this.#read();
    this.onChange();
  }

  #read() {
    const search = new URLSearchParams(location.search);
    this.utc = (search.get("zone") ?? localStorage.getItem(ZONE)) === "UTC";
    this.range = rangeOf(search, otherwise);
    if (this.live) this.#followed = this.range;
    const named = this.live && part(`[data-from="${CSS.escape(this.range.from)}"]`);
    const shown = named || part("[data-act=custom]");
    for (const button of part(".ranges").children) button.setAttribute("aria-pressed", String(button === shown));
    part("[data-act=follow]").hidden = this.live;
    part("[data-act=zone]").hidden = BROWSER === "UTC";
    part("[data-act=zone]").textContent = this.zone;
  }

  #click(button) {
    const { from, act } = button?.dataset ?? {};
    if (from) this.#go({ from, to: "now" });
    else if (act === "follow") this.follow();
    else if (act === "custom") this.#ask();
    else if (act === "cancel") part("dialog").close();
    else if (act === "zone") {
      const zone = this.utc ? BROWSER : "UTC";
      localStorage.setItem(ZONE, zone);
      this.#go(this.range, { zone });
    }
  }

  #ask() {
    this.span().forEach((ms, at) => (part("form").elements[at].value = inputText(ms, this.utc)));
    part(".form-error").hidden = true;
    part(".where").textContent = this.zone;
    part("dialog").showModal();
  }

  #custom(event) {
    const [fromMs, toMs] = ["from", "to"].map((name) => inputMs(event.target.elements[name].value, this.utc));
    part(".form-error").hidden = toMs > fromMs;
    if (toMs > fromMs) this.show(fromMs, toMs);
    else event.preventDefault();
  }
}
