// Packets as an author sees them, and where a node puts those it emits.

import { floats, wireBytes } from "./audio.js";
import { invalidInput } from "./errors.js";

const ELEMENTS = {
  bool: Uint8Array,
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  uint32: Uint32Array,
  int32: Int32Array,
  uint64: BigUint64Array,
  int64: BigInt64Array,
  // The bits: not every engine has a Float16Array.
  float16: Uint16Array,
  float32: Float32Array,
  float64: Float64Array,
};

const packet = (ptsNs, kind, value) => ({ ptsNs, kind, value });

/** Interleaved float samples with full scale at ±1.0; `format` is how they are stored on the wire. */
export const audio = (ptsNs, { sampleRateHz, channels, samples, format = "float32" }) =>
  packet(ptsNs, "audio", { sampleRateHz, channels, samples, format });

/** A string. */
export const text = (ptsNs, string) => packet(ptsNs, "text", string);

/** Any value that JSON can hold. */
export const json = (ptsNs, value) => packet(ptsNs, "json", value);

/** A row-major array: `dtype` as numpy names it, `shape`, and `data`, a typed array of that element type. */
export const tensor = (ptsNs, { dtype, shape, data }) => packet(ptsNs, "tensor", { dtype, shape, data });

/** A Uint8Array. */
export const bytes = (ptsNs, array) => packet(ptsNs, "bytes", array);

/** Where a node puts the packets it emits. */
export class Outputs {
  emitted = [];

  /** Emits a packet on an output port, by its number. */
  push(packet, port = 0) {
    this.emitted.push({ port, packet: toWire(packet) });
  }
}

/** What came from the host, for an author. */
export function fromWire({ ptsNs, payload: { tag, val } }) {
  switch (tag) {
    case "audio":
      return audio(ptsNs, {
        sampleRateHz: val.sampleRate,
        channels: val.channels,
        samples: floats(val),
        format: val.format,
      });
    case "json":
      try {
        return json(ptsNs, JSON.parse(val));
      } catch (error) {
        throw invalidInput(`not JSON: ${error.message}`);
      }
    case "tensor": {
      const copy = val.data.slice();
      return tensor(ptsNs, { dtype: val.dtype, shape: Array.from(val.shape), data: new ELEMENTS[val.dtype](copy.buffer) });
    }
    default:
      return packet(ptsNs, tag, val);
  }
}

function toWire({ ptsNs, kind, value }) {
  return { ptsNs, payload: { tag: kind, val: wireValue(kind, value) } };
}

function wireValue(kind, value) {
  switch (kind) {
    case "audio":
      return {
        format: value.format,
        sampleRate: value.sampleRateHz,
        channels: value.channels,
        data: wireBytes(value.samples, value.format),
      };
    case "json":
      return JSON.stringify(value);
    case "tensor": {
      const { buffer, byteOffset, byteLength } = value.data;
      return { dtype: value.dtype, shape: value.shape, data: new Uint8Array(buffer, byteOffset, byteLength) };
    }
    default:
      return value;
  }
}
