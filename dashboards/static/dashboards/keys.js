// Keyboard shortcuts of the page, and the dialog that lists them: `?`, or the button in the top.
//
// They can be switched off there: whoever speaks to a browser, or hits keys by mistake, needs that
// (WCAG 2.1.4). Nothing is heard while somebody types, nor under a dialog.

const OFF = "weir-keys-off";
const TYPING = "input, textarea, select, [contenteditable]";
const keys = new Map();
let dialog;

// `act` is called with the event; `help` says in the dialog what it does.
export function onKey(key, help, act) {
  keys.set(key, { help, act });
}

// j and k move the focus through `links()`, the links of a table's rows, say; Enter opens one.
export function walk(links, what) {
  const step = (by) => {
    const all = links();
    const at = all.indexOf(document.activeElement);
    all[at < 0 ? 0 : Math.min(Math.max(at + by, 0), all.length - 1)]?.focus();
  };
  onKey("j", `Next ${what}`, () => step(1));
  onKey("k", `Previous ${what}`, () => step(-1));
}

const areOff = () => localStorage.getItem(OFF) !== null;

addEventListener("keydown", (event) => {
  const { target, key } = event;
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (key === "Escape" && target.matches?.(TYPING)) target.blur();
  const typed = target.closest?.(TYPING) || document.querySelector("dialog[open]");
  const found = keys.get(key);
  if (!found || typed || areOff()) return;
  event.preventDefault();
  found.act(event);
});

function show() {
  dialog ??= make();
  dialog.querySelector("dl").replaceChildren(...[...keys].map(([key, { help }]) => line(key, help)));
  dialog.querySelector("input").checked = !areOff();
  dialog.showModal();
}

function make() {
  const made = document.getElementById("keys-template").content.firstElementChild.cloneNode(true);
  made.querySelector("input").addEventListener("change", ({ target }) => {
    if (target.checked) localStorage.removeItem(OFF);
    else localStorage.setItem(OFF, "");
  });
  // A click beside it closes it.
  made.addEventListener("click", ({ target }) => target === made && made.close());
  document.body.append(made);
  return made;
}

function line(key, help) {
  const made = document.createElement("div");
  const [term, said] = [document.createElement("dt"), document.createElement("dd")];
  const cap = document.createElement("kbd");
  cap.textContent = key;
  said.textContent = help;
  term.append(cap);
  made.append(term, said);
  return made;
}

const button = document.getElementById("keys");
button.hidden = false;
button.addEventListener("click", show);
onKey("?", "Show these keys", show);
