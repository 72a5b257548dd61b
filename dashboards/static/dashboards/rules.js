// What the hub told the page about itself on the first paint.

const { dataset } = document.getElementById("banner");

export const firstPaintMs = Number(dataset.now);
export const rules = {
  relayIntervalS: Number(dataset.relayIntervalS),
  defaultIntervalS: Number(dataset.defaultIntervalS),
  onlineIntervals: Number(dataset.onlineIntervals),
  staleIntervals: Number(dataset.staleIntervals),
};
