// Write a RemoteMedia node in JavaScript: a class with `static info`, handed to `component`.
// This module owns the way from the component's exports to that class and back, and the log. It deliberately offers
// no timers, files or network: a node gets packets and gives packets.

import host from "remotemedia:node/host@0.1.0";
import { fromWire, Outputs } from "./packets.js";
import { withFloats } from "./audio.js";
import { NodeError, invalidInput, invalidParams, internal, transient } from "./errors.js";
import { checked, schema } from "./params.js";

export { NodeError, invalidInput, invalidParams, internal, transient };
export { audio, bytes, json, tensor, text } from "./packets.js";

/** Writes to the host's log, under the node's id. */
export const log = Object.fromEntries(
  ["trace", "debug", "info", "warn", "error"].map((level) => [level, (message) => host.log(level, String(message))]),
);

const AUDIO_IN = [{ name: "in", kind: "audio" }];
const AUDIO_OUT = [{ name: "out", kind: "audio" }];

/**
 * What a node's module must export as `node`. `Node` is a class:
 *
 *   static info = {
 *     type, version, summary,          // strings
 *     params: {},                      // JSON Schema of each param; one without a default is required
 *     inputs, outputs,                 // [{name, kind}], by default audio `in` and audio `out`
 *     stateless: false,                // true: a call depends on nothing but its own input
 *   }
 *   constructor(params)                // throw invalidParams("…") for params that make no working node
 *   audio(block)                       // changes block.samples (Float32Array, ±1.0, interleaved) in place, or
 *   process(port, packet, out)         // takes any packet: packet.kind, packet.ptsNs, packet.value
 *   flush(out)                         // emits what was held back; may be left out
 *   cleanup()                          // the last call; may be left out
 */
export function component(Node) {
  const info = { params: {}, inputs: AUDIO_IN, outputs: AUDIO_OUT, stateless: false, ...Node.info };
  let running = null;
  const live = () => running ?? internal("called before `initialize`").raise();
  return {
    describe: () => ({
      nodeType: info.type,
      version: info.version,
      summary: info.summary,
      inputs: info.inputs,
      outputs: info.outputs,
      paramsSchema: JSON.stringify(schema(info.params)),
      stateless: info.stateless,
    }),
    initialize: guarded((paramsJson) => {
      running = new Node(checked(info.params, JSON.parse(paramsJson)));
    }),
    process: guarded((port, packet) => {
      const node = live();
      if (!node.process) return inPlace(node, info.type, packet);
      const out = new Outputs();
      node.process(port, fromWire(packet), out);
      return out.emitted;
    }),
    flush: guarded(() => {
      const out = new Outputs();
      live().flush?.(out);
      return out.emitted;
    }),
    cleanup: () => {
      const node = running;
      running = null;
      node?.cleanup?.();
    },
  };
}

// Audio in, the same audio changed out. The output's storage is the input's where the format is float.
function inPlace(node, type, packet) {
  if (packet.payload.tag !== "audio") {
    invalidInput(`\`${type}\` takes audio, got ${packet.payload.tag}`).raise();
  }
  const wire = packet.payload.val;
  const data = withFloats(wire, (samples) =>
    node.audio({ ptsNs: packet.ptsNs, sampleRateHz: wire.sampleRate, channels: wire.channels, samples }),
  );
  return [{ port: 0, packet: { ptsNs: packet.ptsNs, payload: { tag: "audio", val: { ...wire, data } } } }];
}

// Whatever is thrown reaches the host as a node error: a NodeError as it is, anything else as a fault of the node.
function guarded(call) {
  return (...args) => {
    try {
      return call(...args);
    } catch (thrown) {
      if (thrown instanceof NodeError) throw { kind: thrown.kind, message: thrown.message };
      const where = thrown instanceof Error && thrown.stack ? `\n${thrown.stack}` : "";
      throw { kind: "internal", message: `${thrown}${where}` };
    }
  };
}
