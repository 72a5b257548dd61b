// Says how the connection is: a pill when all is well, a banner when the numbers are old.

import { everySecond } from "./clock.js";
import { setText } from "./draw.js";
import { clockText } from "./wording.js";

const PILL = { connecting: "Connecting", live: "Live", waiting: "Reconnecting", stale: "Stale", refused: "Disconnected" };
const NOT_LOGGED_IN = 4401;
const part = (id) => document.getElementById(id);

let current = { kind: "connecting" };

export function startLine(retry) {
  part("retry").addEventListener("click", retry);
  everySecond(countDown);
}

export function showLine(state) {
  current = state;
  document.documentElement.dataset.line = state.kind;
  setText(part("pill-word"), PILL[state.kind]);
  part("banner").hidden = state.kind === "live" || state.kind === "connecting";
  part("retry").hidden = state.kind !== "waiting";
  part("login-again").hidden = state.code !== NOT_LOGGED_IN;
  setText(part("banner-words"), words(state));
  countDown();
}

function words(state) {
  if (state.code === NOT_LOGGED_IN) return "You are logged out.";
  if (state.kind === "refused") return state.message ?? "The hub refused this page.";
  return state.since ? `Stale since ${clockText(state.since)}.` : "";
}

function countDown() {
  const { kind, retryAt } = current;
  if (kind === "waiting") {
    const seconds = Math.ceil((retryAt - Date.now()) / 1000);
    setText(part("banner-next"), seconds > 0 ? `Connection lost. Reconnecting in ${seconds} s.` : "Reconnecting…");
  } else {
    setText(part("banner-next"), kind === "stale" ? "Connected, but no summaries come from the hub." : "");
  }
}
