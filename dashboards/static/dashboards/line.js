// Says how the connection is: a pill when all is well, a banner when the numbers are old.

import { everySecond } from "./clock.js";
import { part, setText } from "./draw.js";
import { clockText } from "./wording.js";

const PILL = { connecting: "Connecting", live: "Live", waiting: "Reconnecting", stale: "Stale", refused: "Disconnected" };
const NOT_LOGGED_IN = 4401;
let current = {};

export function startLine(retry) {
  part("retry").addEventListener("click", retry);
  everySecond(countDown);
}

export function showLine(state) {
  current = state;
  const { kind, code, since, message } = state;
  document.documentElement.dataset.line = kind;
  setText(part("pill-word"), PILL[kind]);
  part("banner").hidden = kind === "live" || kind === "connecting";
  part("retry").hidden = kind !== "waiting";
  part("login-again").hidden = code !== NOT_LOGGED_IN;
  const refused = code === NOT_LOGGED_IN ? "You are logged out." : (message ?? "The hub refused this page.");
  setText(part("banner-words"), kind === "refused" ? refused : since ? `Stale since ${clockText(since)}.` : "");
  countDown();
}

function countDown() {
  const { kind, retryAt } = current;
  const seconds = Math.ceil((retryAt - Date.now()) / 1000);
  const waiting = seconds > 0 ? `Connection lost. Reconnecting in ${seconds} s.` : "Reconnecting…";
  setText(part("banner-next"), kind === "waiting" ? waiting : kind === "stale" ? "Connected, but no summaries come from the hub." : "");
}
