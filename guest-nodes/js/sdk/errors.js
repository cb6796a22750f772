// How a node says that a call failed.

/** A failed call: what kind of failure, and a message for people. */
export class NodeError extends Error {
  constructor(kind, message) {
    super(message);
    this.kind = kind;
  }

  /** Throws it, where an expression is wanted. */
  raise() {
    throw this;
  }
}

/** The params do not describe a working node. Name the param and the values it may have. */
export const invalidParams = (message) => new NodeError("invalid-params", message);

/** The packet is not what the node takes. */
export const invalidInput = (message) => new NodeError("invalid-input", message);

/** Failed now, may work again. Promises that the node's state is as it was before the call. */
export const transient = (message) => new NodeError("transient", message);

/** A fault of the node itself. */
export const internal = (message) => new NodeError("internal", message);
