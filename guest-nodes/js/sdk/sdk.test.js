import assert from "node:assert/strict";
import { test } from "node:test";
import { start } from "./testing.js";
import { wireBytes } from "./audio.js";
import { schema } from "./params.js";
import { bytes, json, tensor, text } from "./packets.js";
import { component, invalidInput, log } from "./remotemedia-node.js";

const int16 = (...samples) => Array.from(new Int16Array(wireBytes(Float32Array.from(samples), "int16").buffer));

test("sixteen bit samples are rounded to even, saturate, and lose NaN", () => {
  const steps = [0.5, 1.5, 2.5, -0.5, -1.5, 7].map((step) => step / 32768);
  assert.deepEqual(int16(...steps), [0, 2, 2, 0, -2, 7]);
  assert.deepEqual(int16(1, 1.5, -1, -1.5, Infinity, -Infinity, NaN), [32767, 32767, -32768, -32768, 32767, -32768, 0]);
});

test("thirty-two bit samples saturate at full scale", () => {
  const ints = new Int32Array(wireBytes(Float32Array.of(1, -1, 0.5, 2 ** -31), "int32").buffer);
  assert.deepEqual(Array.from(ints), [2147483647, -2147483648, 1073741824, 1]);
});

class Echo {
  static info = {
    type: "echo",
    version: "1.0.0",
    summary: "Gives back what it gets, on the second port.",
    inputs: [{ name: "in", kind: "any" }],
    outputs: [{ name: "unused", kind: "any" }, { name: "out", kind: "any" }],
    params: { word: { type: "string", enum: ["a", "b"], description: "Which." } },
  };

  process(port, packet, out) {
    if (packet.kind === "text" && packet.value === "fail") throw invalidInput("asked to");
    if (packet.kind === "text" && packet.value === "crash") packet.nothing.at(0);
    log.info(`on ${port}`);
    out.push(packet, 1);
  }

  flush(out) {
    out.push(text(9, "the end"));
  }
}

test("every payload reaches the author and comes back", () => {
  const node = start(component(Echo), { word: "a" });
  const data = BigInt64Array.of(-1n, 2n ** 62n);
  for (const packet of [
    text(-5, "grüße"),
    json(1, { n: [1, null] }),
    bytes(2, Uint8Array.of(0, 255)),
    tensor(3, { dtype: "int64", shape: [2, 1], data }),
  ]) {
    assert.deepEqual(node.process(packet), [{ port: 1, packet }]);
  }
  assert.deepEqual(node.audio([0.5, -0.25], { format: "int16" }), [0.5, -0.25]);
  assert.deepEqual(node.flush(), [{ port: 0, packet: text(9, "the end") }]);
});

test("errors have a kind, and a crash says where", () => {
  const node = start(component(Echo), { word: "b" });
  assert.throws(() => node.process(text(0, "fail")), { kind: "invalid-input", message: "asked to" });
  assert.throws(() => node.process(text(0, "crash")), (error) => {
    return error.kind === "internal" && /TypeError/.test(error.message) && /sdk.test.js/.test(error.message);
  });
  assert.throws(() => component(Echo).process(0, { payload: { tag: "text", val: "" } }), { kind: "internal" });
});

test("params are checked against the schema that users see", () => {
  const refused = (params, message) => assert.throws(() => start(component(Echo), params), { message });
  refused({}, "params: missing field `word`");
  refused({ word: "c" }, 'word is "c", must be one of "a", "b"');
  assert.deepEqual(schema(Echo.info.params).required, ["word"]);
  assert.equal(schema({}).required, undefined);
});
