// A chart's columns: those of /history/, and the live values that came since. Pure.
// x in seconds, as uPlot has it.

export function fromHistory({ columns, step_ms, gap_ms, last_ts }) {
  return {
    x: columns.start.map((ms) => ms / 1000),
    mean: columns.mean,
    min: columns.min,
    max: columns.max,
    count: columns.count,
    stepMs: step_ms,
    gapMs: gap_ms,
    lastMs: last_ts ?? -Infinity,
  };
}

// Adds one live value to the bucket it falls in; false when it is not news. What lies between two
// summaries is missing here, which is why a page asks for history again now and then.
export function append(columns, tsMs, value) {
  if (tsMs <= columns.lastMs) return false;
  const startMs = Math.floor(tsMs / columns.stepMs) * columns.stepMs;
  const end = columns.x.length - 1;
  const endMs = end < 0 ? -Infinity : Math.round(columns.x[end] * 1000);
  if (startMs < endMs) return false;
  columns.lastMs = tsMs;
  if (startMs === endMs && columns.mean[end] !== null) {
    fold(columns, end, value);
    return true;
  }
  if (end >= 0 && startMs - endMs > columns.gapMs) push(columns, endMs + columns.stepMs, null, 0);
  push(columns, startMs, value, 1);
  return true;
}

function fold(columns, at, value) {
  const count = columns.count[at] + 1;
  columns.count[at] = count;
  columns.mean[at] += (value - columns.mean[at]) / count;
  columns.min[at] = Math.min(columns.min[at], value);
  columns.max[at] = Math.max(columns.max[at], value);
}

function push(columns, startMs, value, count) {
  columns.x.push(startMs / 1000);
  columns.count.push(count);
  for (const name of ["mean", "min", "max"]) columns[name].push(value);
}

export function dropBefore(columns, ms) {
  let gone = 0;
  while (gone < columns.x.length && columns.x[gone] * 1000 < ms) gone += 1;
  if (gone === 0) return;
  for (const name of ["x", "mean", "min", "max", "count"]) columns[name].splice(0, gone);
}
