// Runs a node without a host, for the unit tests of its author: same path as in the component, minus the sandbox.
//   node --import ./sdk/testing.js --test
// Loaded that way, it also stands in for the host's log.

import { register } from "node:module";

const HOST = "remotemedia:node/host@0.1.0";
const standIn = "data:text/javascript,export default { log: (level, message) => console.log(level, message) };";
const hooks = `export const resolve = (name, context, next) =>
  name === ${JSON.stringify(HOST)} ? { url: ${JSON.stringify(standIn)}, shortCircuit: true } : next(name, context);`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);

const { audio, fromWire, Outputs } = await import("./packets.js");

/** An initialized node of what a node's module exports as `node`. Errors are thrown as `{kind, message}`. */
export function start(node, params = {}) {
  node.initialize(JSON.stringify(params));
  return new Running(node);
}

class Running {
  #node;

  constructor(node) {
    this.#node = node;
  }

  /** The packets that one packet gives, as `{port, packet}`. */
  process(packet, port = 0) {
    const wire = new Outputs();
    wire.push(packet);
    return authors(this.#node.process(port, wire.emitted[0].packet));
  }

  /** The packets that were held back. */
  flush() {
    return authors(this.#node.flush());
  }

  /** The samples that a block of samples gives, all audio packets together. */
  audio(samples, { sampleRateHz = 48000, channels = 1, format = "float32" } = {}) {
    const block = audio(0, { sampleRateHz, channels, samples: Float32Array.from(samples), format });
    return this.process(block).flatMap(({ packet }) =>
      packet.kind === "audio" ? Array.from(packet.value.samples) : [],
    );
  }
}

const authors = (outputs) => outputs.map(({ port, packet }) => ({ port, packet: fromWire(packet) }));
