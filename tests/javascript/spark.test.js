import assert from "node:assert/strict";
import test from "node:test";

globalThis.matchMedia = () => ({ addEventListener() {} });
const { roomy } = await import("../../dashboards/static/dashboards/spark.js");

test("a line does not touch its edges", () => {
  assert.deepEqual(roomy(10, 20), [9, 21]);
});

test("a steady value is a line in the middle, not noise blown up", () => {
  const [low, high] = roomy(1000, 1000.001);
  assert.ok(high - low > 1, `${low} ${high}`);
  assert.deepEqual(roomy(0, 0), [-1, 1]);
});
