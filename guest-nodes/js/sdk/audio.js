// Between the bytes of an audio packet and Float32Array samples with full scale at ±1.0.
// Integers come back rounded to nearest, ties to even, and saturating; NaN becomes 0.

const S16 = 32768;
const S32 = 2147483648;
// Adding and subtracting 1.5 * 2^52 rounds a double to an integer, ties to even.
const ROUND = 6755399441055744;

const saturated = (value, scale) => (value < -scale ? -scale : value >= scale ? scale - 1 : value);

// A typed array needs an aligned start.
function view(Type, data) {
  const aligned = data.byteOffset % Type.BYTES_PER_ELEMENT === 0 ? data : data.slice();
  return new Type(aligned.buffer, aligned.byteOffset, aligned.byteLength / Type.BYTES_PER_ELEMENT);
}

const asBytes = (array) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

function toFloats(integers, scale) {
  const samples = new Float32Array(integers.length);
  for (let i = 0; i < samples.length; i += 1) samples[i] = integers[i] / scale;
  return samples;
}

function toIntegers(samples, integers, scale) {
  const length = Math.min(samples.length, integers.length);
  for (let i = 0; i < length; i += 1) integers[i] = saturated(samples[i] * scale + ROUND - ROUND, scale);
  return asBytes(integers);
}

/** The samples of a wire audio record. */
export function floats({ format, data }) {
  switch (format) {
    case "float32":
      return view(Float32Array, data);
    case "int16":
      return toFloats(view(Int16Array, data), S16);
    default:
      return toFloats(view(Int32Array, data), S32);
  }
}

/** Float samples as the bytes of a wire format. */
export function wireBytes(samples, format) {
  switch (format) {
    case "float32":
      return asBytes(samples);
    case "int16":
      return toIntegers(samples, new Int16Array(samples.length), S16);
    default:
      return toIntegers(samples, new Int32Array(samples.length), S32);
  }
}

/** Lets `edit` change the samples of a wire audio record; gives the bytes of the changed ones. */
export function withFloats(wire, edit) {
  const samples = floats(wire);
  edit(samples);
  return wireBytes(samples, wire.format);
}
