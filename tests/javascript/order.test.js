import assert from "node:assert/strict";
import test from "node:test";

import { common, ordered, slots } from "../../dashboards/static/dashboards/order.js";

const NOW_MS = 10_000;
const row = (name, parts = {}) => ({ name, status: "online", seenMs: 1, rejected: 0, values: {}, rate: { at: () => null }, ...parts });
const names = (rows, sort, down = false) => ordered(rows, { sort, down }, NOW_MS).map(({ name }) => name);
const reading = (value) => ({ values: { state: [1, value] } });

test("names are in the order of people, without case", () => {
  const rows = ["sensor 10", "Sensor 9", "attic"].map((name) => row(name));
  assert.deepEqual(names(rows, "name"), ["attic", "Sensor 9", "sensor 10"]);
  assert.deepEqual(names(rows, "name", true), ["sensor 10", "Sensor 9", "attic"]);
});

test("an order that nobody knows is that of names", () => {
  assert.deepEqual(names([row("b"), row("a")], "toString"), ["a", "b"]);
});

test("what is wrong comes last of the statuses, and first the other way", () => {
  const rows = [row("n", { status: "never-seen" }), row("o", { status: "offline" }), row("l"), row("s", { status: "stale" })];
  assert.deepEqual(names(rows, "status"), ["l", "s", "o", "n"]);
  assert.deepEqual(names(rows, "status", true), ["n", "o", "s", "l"]);
});

test("who was seen just now is first, who never was is last either way", () => {
  const rows = [row("never", { seenMs: null }), row("long ago", { seenMs: 1 }), row("now", { seenMs: 9 })];
  assert.deepEqual(names(rows, "seen"), ["now", "long ago", "never"]);
  assert.deepEqual(names(rows, "seen", true), ["long ago", "now", "never"]);
});

test("a rate that is not known yet is last", () => {
  const rows = [row("new"), row("slow", { rate: { at: () => 1 } }), row("still", { rate: { at: () => 0 } }), row("fast", { rate: { at: () => 7 } })];
  assert.deepEqual(names(rows, "rate", true), ["fast", "slow", "still", "new"]);
});

test("numbers come before texts, booleans are numbers, and who has none is last either way", () => {
  const rows = [row("none"), row("text", reading("ok")), row("true", reading(true)), row("-3", reading(-3)), row("21", reading(21))];
  assert.deepEqual(names(rows, "metric:state"), ["-3", "true", "21", "text", "none"]);
  assert.deepEqual(names(rows, "metric:state", true), ["text", "21", "true", "-3", "none"]);
});

test("equals are in the order of names, whichever way it goes", () => {
  const rows = ["c", "a", "b"].map((name) => row(name, { rejected: 4 }));
  assert.deepEqual(names(rows, "rejected"), ["a", "b", "c"]);
  assert.deepEqual(names(rows, "rejected", true), ["a", "b", "c"]);
});

const having = (...metrics) => ({ values: Object.fromEntries(metrics.map((metric) => [metric, [1, 1]])) });

test("the metrics of the most devices have the columns", () => {
  const rows = [having("co2", "door"), having("co2", "door", "a"), having("co2", "b", "door"), having("b")];
  assert.deepEqual(common(rows, []), ["b", "co2", "door"]);
});

test("a column keeps its place when another metric becomes more common", () => {
  assert.deepEqual(common([having("new", "other"), having("new")], ["first"]), ["first", "new", "other"]);
  assert.deepEqual(common([having("new")], ["a", "b", "c"]), ["a", "b", "c"]);
});

test("a metric may be called like something every object has", () => {
  assert.deepEqual(common([having("constructor")], []), ["constructor"]);
  assert.deepEqual(slots(["toString"], having("door").values, true), [null]);
});

test("a device without the columns' metrics shows others of its own there", () => {
  const { values } = having("door", "battery", "humidity");
  assert.deepEqual(slots(["co2", "humidity", "temperature"], values, false), ["battery", "humidity", "door"]);
});

test("a column that somebody chose shows nothing else", () => {
  assert.deepEqual(slots(["co2", "door"], having("door", "battery").values, true), [null, "door"]);
});
