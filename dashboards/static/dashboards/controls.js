// The controls of the fleet: text, status chips, order and metrics, all kept in the address.

import { read, write } from "./address.js";
import { part, setText } from "./draw.js";
import { onKey } from "./keys.js";

const table = part("rows");
const [input, form] = [part("filter"), part("metrics")];
const chips = document.querySelectorAll(".chip");
const heads = () => [...table.tHead.querySelectorAll("button")];
// What people look for in these is where the order goes down.
const DOWN_FIRST = /^(rate|rejected|metric:)/;

// What is asked for, and the metrics that have columns: those chosen, or else those most common.
export const view = read(location.search);
view.columns = heads().flatMap(({ dataset }) => dataset.sort.split("metric:").slice(1));

export const shows = ({ status, searched }) => ["", status].includes(view.status) && searched.includes(view.text.toLowerCase());

export function startView({ onSort, onMetrics, onChange }) {
  let typed = false;
  const apply = (parts) => {
    Object.assign(view, parts);
    press();
    if ("sort" in parts) onSort();
    if ("metrics" in parts) onMetrics();
    onChange();
  };
  // Each choice is a step to go back to; a text that is being typed is one in all.
  const change = (parts, typing = false) => {
    apply(parts);
    history[typing && typed ? "replaceState" : "pushState"](null, "", location.pathname + write(view));
    typed = typing;
  };
  input.addEventListener("input", () => change({ text: input.value }, true));
  for (const chip of chips) chip.addEventListener("click", () => change({ status: chip.dataset.status }));
  part("clear").addEventListener("click", () => change({ text: "", status: "" }));
  table.tHead.addEventListener("click", ({ target: { dataset: { sort } } }) => {
    if (sort) change({ sort, down: sort === view.sort ? !view.down : DOWN_FIRST.test(sort) });
  });
  form.addEventListener("change", () => change({ metrics: new FormData(form).getAll("metrics") }));
  addEventListener("popstate", () => apply(read(location.search)));
  onKey("/", "Filter devices", () => input.focus());
  onKey("s", "Sort again by the same column", onSort);
  press();
}

function press() {
  if (input.value !== view.text) input.value = view.text;
  for (const chip of chips) chip.ariaPressed = chip.dataset.status === view.status;
  for (const { dataset, parentElement: head } of heads()) head.ariaSort = dataset.sort === view.sort ? (view.down ? "descending" : "ascending") : null;
  for (const box of form.elements) {
    box.checked = view.metrics.includes(box.value);
    box.disabled = !box.checked && view.metrics.length >= form.dataset.most;
  }
}

export function showCounts(counts, total, shown) {
  for (const { dataset, lastElementChild } of chips) setText(lastElementChild, String(counts[dataset.status] ?? total));
  setText(part("shown"), String(shown));
  setText(part("total"), String(total));
  part("nothing").hidden = shown > 0;
  table.hidden = shown === 0;
}

export function showColumns(columns) {
  view.columns = columns;
  table.dataset.columns = columns.length;
  table.tHead.querySelectorAll(".slot").forEach((head) => head.remove());
  const made = columns.map((metric) => {
    const head = part("head-template").content.firstElementChild.cloneNode(true);
    const button = head.firstElementChild;
    button.dataset.sort = `metric:${metric}`;
    button.textContent = button.title = metric;
    return head;
  });
  table.tHead.querySelector(".spark").before(...made);
  press();
}
