import assert from "node:assert/strict";
import test from "node:test";

import { METRICS_MAX, read, write } from "../../dashboards/static/dashboards/address.js";

const ALL = { text: "", status: "", sort: "name", down: false, metrics: [] };

test("an empty address shows all, by name", () => {
  assert.deepEqual(read(""), ALL);
});

test("what is as it would be anyway is not in the address", () => {
  assert.equal(write(ALL), "");
});

test("a view is the same after it was an address", () => {
  const view = { text: "roof & cellar", status: "never-seen", sort: "metric:a/b", down: true, metrics: ["temperature", "a/b"] };
  assert.deepEqual(read(write(view)), view);
});

test("an address can be read by people", () => {
  assert.equal(write({ ...ALL, sort: "metric:co2", down: true, metrics: ["co2", "door"] }), "?sort=-metric:co2&metrics=co2,door");
});

test("the other way round by name is not what it would be anyway", () => {
  assert.equal(write({ ...ALL, down: true }), "?sort=-name");
});

test("a metric has one column, and there are not more than can be read", () => {
  const many = Array.from({ length: 20 }, (_, at) => `m${at}`).join();
  assert.deepEqual(read("?metrics=door,door").metrics, ["door"]);
  assert.equal(read(`?metrics=${many}`).metrics.length, METRICS_MAX);
});
