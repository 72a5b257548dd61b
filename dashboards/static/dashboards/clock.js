// The hub's time and the page's one timer. Ages are measured by the hub's clock, because `seen` is.

let aheadMs = 0;
const listeners = [];

export const hubNow = () => Date.now() + aheadMs;

export function setHubTime(atMs) {
  aheadMs = atMs - Date.now();
}

export function everySecond(listener) {
  if (listeners.length === 0) setInterval(() => listeners.forEach((each) => each()), 1000);
  listeners.push(listener);
}
