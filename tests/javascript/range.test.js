import assert from "node:assert/strict";
import test from "node:test";

import { inputMs, inputText, momentMs, moved, rangeOf, spanOf } from "../../dashboards/static/dashboards/range.js";

const NOW = Date.UTC(2026, 10, 28, 12);
const range = (query) => rangeOf(new URLSearchParams(query), "now-15m");

test("a moment is now, before now, milliseconds or ISO 8601", () => {
  assert.equal(momentMs("now", NOW), NOW);
  assert.equal(momentMs("now-90s", NOW), NOW - 90_000);
  assert.equal(momentMs("now-2w", NOW), NOW - 14 * 86_400_000);
  assert.equal(momentMs("1795867200000", NOW), 1795867200000);
  assert.equal(momentMs("2026-11-28T13:00:00+01:00", NOW), NOW);
  for (const none of ["", "yesterday", "now-1y", "now+1h", "1e3x"]) assert.ok(Number.isNaN(momentMs(none, NOW)), none);
});

test("an address without a range, or with one that is none, gets the usual one", () => {
  for (const query of ["", "from=yesterday", "from=now&to=now-1h", "from=5&to=5"]) {
    assert.deepEqual(range(query), { from: "now-15m", to: "now" }, query);
  }
});

test("an address with a range gets it as it is written", () => {
  assert.deepEqual(range("from=now-6h"), { from: "now-6h", to: "now" });
  assert.deepEqual(range("from=now-2h&to=now-1h"), { from: "now-2h", to: "now-1h" });
  assert.deepEqual(spanOf(range("from=1000&to=2000"), NOW), [1000, 2000]);
});

test("a move keeps the length, a zoom the middle", () => {
  assert.deepEqual(moved([0, 100_000], -0.25, 1, NOW), [-25_000, 75_000]);
  assert.deepEqual(moved([0, 100_000], 0, 0.5, NOW), [25_000, 75_000]);
});

test("it does not go beyond now, nor deeper or wider than there is anything to see", () => {
  assert.deepEqual(moved([NOW - 1000, NOW], 0.25, 1, NOW), [NOW - 1000, NOW]);
  assert.deepEqual(moved([NOW - 1000, NOW], 0, 2, NOW), [NOW - 2000, NOW]);
  const [from, to] = moved([0, 150], 0, 0.5, NOW);
  assert.equal(to - from, 100);
  const years = moved([0, 1e12], 0, 1e6, 1e15);
  assert.ok(years[1] - years[0] < 1e12);
});

test("what is typed is read in the zone it was shown in", () => {
  assert.equal(inputText(NOW, true), "2026-11-28T12:00:00");
  assert.equal(inputMs("2026-11-28T12:00:00", true), NOW);
  assert.equal(inputMs(inputText(NOW, false), false), NOW);
});
