// The series of a compare page, each in the place that gives it its colour; "" is an empty one. Pure.

// In the first place that is empty.
export function withSeries(series, key) {
  const free = series.indexOf("");
  return series.includes(key) ? series : free < 0 ? [...series, key] : series.with(free, key);
}

// Its place stays empty, for the others to keep their colours.
export function withoutSeries(series, key) {
  const left = series.map((each) => (each === key ? "" : each));
  return left.slice(0, left.findLastIndex(Boolean) + 1);
}
