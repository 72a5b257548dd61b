// The order of rows, and which metrics stand in their columns. Pure; `pages/view.py` does the same.

const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
const STATUSES = ["online", "stale", "offline", "never-seen"];
const COMMON = 3;
const KEYS = {
  status: ({ status }) => STATUSES.indexOf(status),
  seen: ({ seenMs }) => seenMs && -seenMs,
  rate: ({ rate }, nowMs) => rate.at(nowMs),
  rejected: ({ rejected }) => rejected,
};

// Equals are in the order of names, and so are rows without such a value: they come last either way.
export function ordered(rows, { sort, down }, nowMs) {
  const key = sort.startsWith("metric:") ? ({ values }) => values[sort.slice(7)]?.[1] : (KEYS[sort] ?? (({ name }) => name));
  const keyed = rows.map((row) => [key(row, nowMs) ?? null, row]);
  keyed.sort(([a, one], [b, other]) => {
    const missing = (a === null) - (b === null);
    return missing || (down ? compare(b, a) : compare(a, b)) || collator.compare(one.name, other.name);
  });
  return keyed.map(([, row]) => row);
}

// Texts after numbers.
function compare(a, b) {
  const texts = (typeof a === "string") - (typeof b === "string");
  return texts || (typeof a === "string" ? collator.compare(a, b) : a - b);
}

// The metrics that the most rows have, after those that are `known`.
export function common(rows, known) {
  const counts = new Map();
  for (const { values } of rows) for (const metric in values) counts.set(metric, (counts.get(metric) ?? 0) + 1);
  const fresh = [...counts.keys()].filter((metric) => !known.includes(metric)).sort();
  fresh.sort((a, b) => counts.get(b) - counts.get(a));
  return [...known, ...fresh.slice(0, Math.max(COMMON - known.length, 0)).sort()];
}

// Which of a device's metrics stands in each column. Where nobody chose the columns, a device that
// lacks one shows another of its own there.
export function slots(columns, values, chosen) {
  const others = chosen ? [] : Object.keys(values).filter((metric) => !columns.includes(metric)).sort();
  return columns.map((metric) => (Object.hasOwn(values, metric) ? metric : (others.shift() ?? null)));
}
