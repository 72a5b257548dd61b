// Which rows are shown: the text and the status chip, both kept in the URL.

const input = document.getElementById("filter");
const chips = [...document.querySelectorAll(".chip")];

const asked = new URLSearchParams(location.search);
const filter = { text: asked.get("q") ?? "", status: asked.get("status") ?? "" };

export const shows = (row) =>
  (filter.status === "" || row.status === filter.status) && row.searched.includes(filter.text.toLowerCase());

export function startFilter(onChange) {
  input.value = filter.text;
  input.addEventListener("input", () => change({ text: input.value }));
  chips.forEach((chip) => chip.addEventListener("click", () => change({ status: chip.dataset.status })));
  document.getElementById("clear").addEventListener("click", () => {
    input.value = "";
    change({ text: "", status: "" });
  });
  function change(part) {
    Object.assign(filter, part);
    remember();
    press();
    onChange();
  }
  press();
}

export function showCounts(counts, total) {
  for (const chip of chips) {
    chip.querySelector("b").textContent = chip.dataset.status === "" ? total : counts[chip.dataset.status];
  }
}

function press() {
  chips.forEach((chip) => chip.setAttribute("aria-pressed", String(chip.dataset.status === filter.status)));
}

function remember() {
  const url = new URL(location.href);
  for (const [key, value] of [["q", filter.text], ["status", filter.status]]) {
    if (value) url.searchParams.set(key, value);
    else url.searchParams.delete(key);
  }
  history.replaceState(null, "", url);
}
