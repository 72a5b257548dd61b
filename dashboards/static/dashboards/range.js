// A span of time as the address says it: `from` and `to`, each a time before now, Unix milliseconds
// or ISO 8601, as `dashboards/timespan.py` reads them too. Pure.

const UNIT_MS = { s: 1e3, m: 60e3, h: 3600e3, d: 86_400e3, w: 604_800e3 };
const SPAN_MIN_MS = 100;
const SPAN_MAX_MS = 7320 * UNIT_MS.d;

// NaN where it is none.
export function momentMs(text, nowMs) {
  const relative = /^now(?:-(\d{1,9})([smhdw]))?$/.exec(text);
  if (relative) return nowMs - (relative[2] ? relative[1] * UNIT_MS[relative[2]] : 0);
  return /^-?\d{1,15}(\.\d+)?$/.test(text) ? Number(text) : Date.parse(text);
}

export const spanOf = ({ from, to }, nowMs) => [momentMs(from, nowMs), momentMs(to, nowMs)];

// What the address asks for; `otherwise`, as "now-15m", up to now where it asks for none.
export function rangeOf(search, otherwise) {
  const asked = { from: search.get("from") ?? otherwise, to: search.get("to") ?? "now" };
  const [from, to] = spanOf(asked, Date.now());
  return to > from ? asked : { from: otherwise, to: "now" };
}

// Shifted by a part of its length, its length times `factor`, and not beyond `nowMs`.
export function moved([fromMs, toMs], shift, factor, nowMs) {
  const length = Math.min(Math.max((toMs - fromMs) * factor, SPAN_MIN_MS), SPAN_MAX_MS);
  const end = Math.min((fromMs + toMs) / 2 + shift * (toMs - fromMs) + length / 2, Math.max(nowMs, toMs));
  return [end - length, end];
}

// What <input type=datetime-local> holds, in the browser's zone or UTC.
export function inputText(ms, utc) {
  const offsetMs = utc ? 0 : new Date(ms).getTimezoneOffset() * UNIT_MS.m;
  return new Date(ms - offsetMs).toISOString().slice(0, 19);
}

export const inputMs = (text, utc) => Date.parse(utc ? `${text}Z` : text);
