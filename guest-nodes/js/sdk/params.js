// The params of a manifest: the JSON Schema that users see, and the check of what they wrote.
// It knows the keywords type, enum, minimum, maximum and default of a param, and shows all others.

import { invalidParams } from "./errors.js";

const IS = {
  number: (value) => typeof value === "number",
  integer: (value) => Number.isInteger(value),
  boolean: (value) => typeof value === "boolean",
  string: (value) => typeof value === "string",
  array: (value) => Array.isArray(value),
  object: (value) => typeof value === "object" && value !== null && !Array.isArray(value),
};

const list = (names) => names.map((name) => `\`${name}\``).join(", ");

/** The schema of the whole params object. */
export function schema(params) {
  const required = Object.keys(params).filter((name) => params[name].default === undefined);
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    type: "object",
    properties: params,
    ...(required.length > 0 && { required }),
    additionalProperties: false,
  };
}

/** `given`, with defaults filled in. Throws for what the schema does not allow. */
export function checked(params, given) {
  if (!IS.object(given)) throw invalidParams("params: not an object");
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(params, name)) {
      const known = Object.keys(params);
      const hint = known.length > 0 ? `expected ${list(known)}` : "there are none";
      throw invalidParams(`params: unknown field \`${name}\`, ${hint}`);
    }
  }
  const complete = {};
  for (const [name, param] of Object.entries(params)) {
    // Only what is left out has its default: null is a value, and a wrong one.
    const value = Object.hasOwn(given, name) ? given[name] : param.default;
    if (value === undefined) throw invalidParams(`params: missing field \`${name}\``);
    complete[name] = fit(name, param, value);
  }
  return complete;
}

function fit(name, { type, enum: choices, minimum = -Infinity, maximum = Infinity }, value) {
  if (type && !IS[type](value)) throw invalidParams(`${name} is ${JSON.stringify(value)}, must be of type ${type}`);
  if (choices && !choices.includes(value)) {
    throw invalidParams(`${name} is ${JSON.stringify(value)}, must be one of ${choices.map((c) => JSON.stringify(c)).join(", ")}`);
  }
  if (typeof value === "number" && !(value >= minimum && value <= maximum)) {
    throw invalidParams(`${name} is ${value}, must be ${range(minimum, maximum)}`);
  }
  return value;
}

function range(minimum, maximum) {
  if (maximum === Infinity) return `${minimum} or more`;
  if (minimum === -Infinity) return `${maximum} or less`;
  return `from ${minimum} to ${maximum}`;
}
