// How values, times and statuses are written. Pure. `dashboards/pages/wording.py` and
// `dashboards/pages/status.py` write the same on the first paint; whoever changes one changes the other.

export function valueText(value) {
  if (typeof value !== "number") return String(value);
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 2 ** 53) return String(value);
  if (size >= 1e9 || size < 1e-3) return value.toExponential(3);
  return value.toFixed(size >= 1000 ? 1 : size >= 10 ? 2 : size >= 1 ? 3 : 4);
}

export const unitText = (value, unit) => (unit && typeof value === "number" ? `${valueText(value)} ${unit}` : valueText(value));

const UNITS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

export function agoText(ms) {
  const seconds = ms / 1000;
  if (seconds < 2) return "now";
  const [size, unit] = UNITS.find(([size]) => seconds >= size);
  return `${Math.floor(seconds / size)} ${unit} ago`;
}

const formats = new Map();

// `options` as Intl.DateTimeFormat has them. A format costs more to make than to use.
export function dateText(ms, locale, options) {
  const key = locale + JSON.stringify(options);
  if (!formats.has(key)) formats.set(key, new Intl.DateTimeFormat(locale, options));
  return formats.get(key).format(ms);
}

// 2026-11-23 10:42:07, in the browser's zone or another.
export const timeText = (ms, timeZone) => dateText(ms, "sv-SE", { dateStyle: "short", timeStyle: "medium", timeZone });

// 10:42:07 for today, the whole date for another day.
export function clockText(ms, nowMs = Date.now(), timeZone = undefined) {
  const whole = timeText(ms, timeZone);
  return whole.slice(0, 10) === timeText(nowMs, timeZone).slice(0, 10) ? whole.slice(11) : whole;
}

// How a number lies outside of the band that it should keep to; empty where it does not.
export function outText(value, { low = null, high = null, unit }) {
  if (typeof value !== "number") return "";
  if (low !== null && value < low) return `below ${unitText(low, unit)}`;
  return high !== null && value > high ? `above ${unitText(high, unit)}` : "";
}

export function rateText(rate) {
  if (rate === null) return "–";
  if (rate === 0) return "0";
  return rate >= 100 ? Math.round(rate).toLocaleString("en") : rate.toFixed(rate >= 10 ? 1 : 2);
}

const WORDS = { online: "online", stale: "stale", offline: "offline", "never-seen": "never seen" };
export const statusWord = (slug) => WORDS[slug];

// rules: {defaultIntervalS, relayIntervalS, onlineIntervals, staleIntervals}
export function statusOf(seenMs, nowMs, intervalS, rules) {
  if (seenMs === null) return "never-seen";
  const interval = Math.max(intervalS || rules.defaultIntervalS, rules.relayIntervalS);
  const intervals = (nowMs - seenMs) / 1000 / interval;
  if (intervals <= rules.onlineIntervals) return "online";
  return intervals <= rules.staleIntervals ? "stale" : "offline";
}

const STEPS = [[86400e3, "d"], [3600e3, "h"], [60e3, "min"], [1e3, "s"], [1, "ms"]];
export function stepText(ms) {
  const [size, unit] = STEPS.find(([size]) => ms >= size);
  return `${ms / size} ${unit}`;
}
