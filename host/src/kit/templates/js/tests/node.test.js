// The node without a host; `remotemedia node test` runs this first.

import assert from "node:assert/strict";
import { test } from "node:test";
import { start } from "../sdk/testing.js";
import { node } from "../src/node.js";

test("twenty decibels are a factor of ten", () => {
  assert.deepEqual(start(node, { gain_db: 20 }).audio([0.25, -1], { channels: 2 }), [2.5, -10]);
});

test("a gain out of range is refused", () => {
  const message = "gain_db is 1000, must be from -150 to 150";
  assert.throws(() => start(node, { gain_db: 1000 }), { kind: "invalid-params", message });
});
