// The page's keys, and the dialog that lists them. There they can be switched off: whoever speaks to
// a browser, or hits keys by mistake, needs that (WCAG 2.1.4).

import { part } from "./draw.js";

const OFF = "weir-keys-off";
const TYPING = "input, textarea, select, dialog[open] *";
const keys = new Map();
let dialog;

// `help` says in the dialog what `act` does.
export function onKey(key, help, act) {
  keys.set(key, { help, act });
}

// j and k move the focus through `links()`, a table's rows say.
export function walk(links, what) {
  const step = (by) => {
    const all = links();
    const at = all.indexOf(document.activeElement);
    all[at < 0 ? 0 : Math.min(Math.max(at + by, 0), all.length - 1)]?.focus();
  };
  onKey("j", `Next ${what}`, () => step(1));
  onKey("k", `Previous ${what}`, () => step(-1));
}

addEventListener("keydown", (event) => {
  const { target, key, ctrlKey, metaKey, altKey } = event;
  if (key === "Escape") target.blur();
  const found = keys.get(key);
  if (!found || ctrlKey || metaKey || altKey || target.closest(TYPING) || localStorage[OFF]) return;
  event.preventDefault();
  found.act();
});

function show() {
  dialog ??= make();
  const lines = [...keys].map(([key, { help }]) => {
    const line = part("key-template").content.cloneNode(true);
    line.querySelector("kbd").textContent = key;
    line.querySelector("dd").textContent = help;
    return line;
  });
  dialog.querySelector("dl").replaceChildren(...lines);
  dialog.querySelector("input").checked = !localStorage[OFF];
  dialog.showModal();
}

function make() {
  const made = part("keys-dialog");
  made.addEventListener("change", ({ target }) => (localStorage[OFF] = target.checked ? "" : "1"));
  // A click beside it closes it.
  made.addEventListener("click", ({ target }) => target === made && made.close());
  return made;
}

part("keys").hidden = false;
part("keys").addEventListener("click", show);
onKey("?", "Show these keys", show);
