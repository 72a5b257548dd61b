// Adds series to the compare page and takes them away: goes to the address that has them.

import { onKey } from "./keys.js";
import { withSeries, withoutSeries } from "./places.js";

const TYPING_MS = 150;
const input = document.getElementById("add");
const list = document.getElementById("candidates");
const box = list.parentElement;
let [asked, found, timer] = ["", "", null];

export function startPicking() {
  input.addEventListener("input", () => later(TYPING_MS));
  input.addEventListener("focus", () => later(0));
  box.addEventListener("keydown", walk);
  box.addEventListener("focusout", ({ relatedTarget }) => (list.hidden ||= !box.contains(relatedTarget)));
  document.addEventListener("click", ({ target }) => {
    const { add, remove } = target.closest("[data-add], [data-remove]")?.dataset ?? {};
    if (add) go((series) => withSeries(series, add));
    if (remove) go((series) => withoutSeries(series, remove));
  });
  onKey("/", "Add a series", () => input.focus());
}

function go(change) {
  const url = new URL(location);
  const series = change(url.searchParams.getAll("series"));
  url.searchParams.delete("series");
  for (const each of series) url.searchParams.append("series", each);
  location.assign(url);
}

function later(waitMs) {
  clearTimeout(timer);
  timer = setTimeout(ask, waitMs);
}

async function ask() {
  const typed = input.value;
  const asking = (asked = `${list.dataset.from}${location.search || "?"}&q=${encodeURIComponent(typed)}`);
  const response = await fetch(asking, { redirect: "error" }).catch(() => null);
  if (!response?.ok || asking !== asked) return;
  // Rendered and escaped by the hub; parsed in an inert document.
  const parsed = new DOMParser().parseFromString(await response.text(), "text/html");
  list.replaceChildren(...parsed.body.children);
  found = typed;
  list.hidden = !box.contains(document.activeElement);
}

function walk(event) {
  const all = [input, ...list.querySelectorAll("button")];
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (event.key === "Escape") list.hidden = true;
  // The first of them, not of what was found for less than was typed.
  if (event.key === "Enter" && event.target === input && found === input.value) all[1]?.click();
  if (!by) return;
  event.preventDefault();
  all[Math.max(0, all.indexOf(event.target) + by)]?.focus();
}
