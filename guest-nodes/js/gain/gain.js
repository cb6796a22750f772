// The node `gain`: scales audio by a gain in decibels. It does not clip; integer formats saturate when they are
// written back.

import { component } from "../sdk/remotemedia-node.js";

class Gain {
  static info = {
    type: "gain",
    version: "0.1.0",
    summary: "Scales audio by a gain in decibels.",
    // What users see in `remotemedia node inspect`; the host checks params before the node gets them.
    params: {
      gain_db: {
        type: "number",
        description: "Gain in dB: 0 changes nothing, 6.02 doubles the amplitude.",
        default: 0,
        minimum: -150,
        maximum: 150,
      },
    },
    stateless: true,
  };

  constructor({ gain_db }) {
    this.factor = Math.fround(10 ** (gain_db / 20));
  }

  // Packets have any length: results must not depend on how the stream was cut.
  audio({ samples }) {
    const { factor } = this;
    for (let i = 0; i < samples.length; i += 1) samples[i] *= factor;
  }
}

export const node = component(Gain);
