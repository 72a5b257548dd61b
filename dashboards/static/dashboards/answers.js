// What a hub says to a device, in words for people. Pure.

const CLOSED = {
  1006: "The connection was lost, or the hub cannot be reached.",
  4400: "The hub could not read that as a frame.",
  4401: "The token lets nobody in, or no longer.",
  4403: "The token was revoked, or the device is disabled.",
  4413: "That is larger than the hub takes.",
  4429: "Too many connections, or too many wrong tokens.",
  4500: "The hub made a mistake; it is in its log.",
  4503: "The hub ends, or takes nothing now: try again in a moment.",
};

export const closedWords = (code) => `${CLOSED[code] ?? "The connection is closed."} (${code})`;

// What happened, in one line, and each thing that was wrong, in a line of its own.
export function inWords(message) {
  if (message.type === "error") return [`Refused: ${message.message}.`, []];
  if (message.type !== "ack") return [`The hub says: ${message.type}.`, []];
  const { stored, duplicate, rejected, errors = [], errors_truncated: more } = message;
  const lines = errors.map(errorWords);
  if (more) lines.push("… and more.");
  return [`Stored ${stored}, duplicate ${duplicate}, rejected ${rejected}.`, lines];
}

function errorWords({ metric, sample, through, count, message, code }) {
  const to = through === undefined ? "" : ` to ${through + 1}`;
  const at = sample === undefined ? "" : `, sample ${sample + 1}${to}`;
  return `${metric ?? "All"}${at}: ${message} (${code}${count ? `, ${count} readings` : ""}).`;
}
