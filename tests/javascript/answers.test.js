import assert from "node:assert/strict";
import test from "node:test";

import { closedWords, inWords } from "../../dashboards/static/dashboards/answers.js";

test("an ack says what became of the readings", () => {
  const ack = { type: "ack", seq: 1, stored: 2, duplicate: 1, rejected: 0 };
  assert.deepEqual(inWords(ack), ["Stored 2, duplicate 1, rejected 0.", []]);
});

test("each error is a sentence that says where and why", () => {
  const errors = [
    { seq: 1, sample: 0, metric: "t", code: "not_finite", message: "value must be finite" },
    { seq: 1, sample: 1, through: 2, code: "ts_unit", message: "ts looks like seconds", count: 4 },
    { seq: 1, code: "bad_frame", message: "readings must be an array" },
  ];
  const ack = { type: "ack", stored: 0, duplicate: 0, rejected: 6, errors, errors_truncated: true };
  assert.deepEqual(inWords(ack)[1], [
    "t, sample 1: value must be finite (not_finite).",
    "All, sample 2 to 3: ts looks like seconds (ts_unit, 4 readings).",
    "All: readings must be an array (bad_frame).",
    "… and more.",
  ]);
});

test("an error and a word of another kind are told as they are", () => {
  assert.deepEqual(inWords({ type: "error", message: "not JSON" }), ["Refused: not JSON.", []]);
  assert.deepEqual(inWords({ type: "bye", code: "restart" }), ["The hub says: bye.", []]);
});

test("a close is told in words, one that nobody knows too", () => {
  assert.equal(closedWords(4403), "The token was revoked, or the device is disabled. (4403)");
  assert.equal(closedWords(4999), "The connection is closed. (4999)");
});
