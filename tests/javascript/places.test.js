import assert from "node:assert/strict";
import test from "node:test";

import { withSeries, withoutSeries } from "../../dashboards/static/dashboards/places.js";

test("a series is added behind the others", () => {
  assert.deepEqual(withSeries(["a/x"], "b/x"), ["a/x", "b/x"]);
  assert.deepEqual(withSeries([], "b/x"), ["b/x"]);
});

test("one that is there already is not added again", () => {
  assert.deepEqual(withSeries(["a/x"], "a/x"), ["a/x"]);
});

test("the others keep their places, and so their colours, when one is taken away", () => {
  assert.deepEqual(withoutSeries(["a/x", "b/x", "c/x"], "b/x"), ["a/x", "", "c/x"]);
});

test("an empty place is taken by the next", () => {
  assert.deepEqual(withSeries(["a/x", "", "c/x"], "d/x"), ["a/x", "d/x", "c/x"]);
});

test("the last of them leaves no place behind", () => {
  assert.deepEqual(withoutSeries(["a/x", "", "c/x"], "c/x"), ["a/x"]);
  assert.deepEqual(withoutSeries(["a/x"], "a/x"), []);
});
