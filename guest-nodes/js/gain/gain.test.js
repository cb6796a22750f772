import assert from "node:assert/strict";
import { test } from "node:test";
import { start } from "../sdk/testing.js";
import { node } from "./gain.js";

test("twenty decibels are a factor of ten", () => {
  assert.deepEqual(start(node, { gain_db: 20 }).audio([0.5, -1, 0]), [5, -10, 0]);
});

test("no params change nothing", () => {
  assert.deepEqual(start(node).audio([0.25, -1], { channels: 2 }), [0.25, -1]);
});

test("a gain out of range and an unknown param are refused", () => {
  const refused = (params, message) =>
    assert.throws(() => start(node, params), { kind: "invalid-params", message });
  refused({ gain_db: 1000 }, "gain_db is 1000, must be from -150 to 150");
  refused({ gain_db: "loud" }, 'gain_db is "loud", must be of type number');
  refused({ gain_db: null }, "gain_db is null, must be of type number");
  refused({ gain: 1 }, "params: unknown field `gain`, expected `gain_db`");
});
