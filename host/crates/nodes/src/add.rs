//! Add: adds a constant to a number, or to every number of a list.

use remotemedia_core::{Node, NodeDescriptor, NodeError, Outputs, Packet, PayloadKind, Port};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Number;

use crate::arithmetic::{Arithmetic, Num, apply, json};
use crate::node_type::NativeNode;

/// Params of Add.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AddParams {
    /// What is added (default 0.0). An integer keeps integers integers; a float makes floats.
    pub addend: Number,
}

impl Default for AddParams {
    fn default() -> Self {
        Self { addend: Number::from_f64(0.0).unwrap_or_else(|| 0.into()) }
    }
}

/// Adds a constant to a number, or to every number of a list.
#[derive(Debug)]
pub struct Add {
    addend: Num,
}

impl NativeNode for Add {
    type Params = AddParams;
    const NODE_TYPE: &'static str = "Add";
    const ALIASES: &'static [&'static str] = &["AddNode"];

    fn descriptor() -> NodeDescriptor {
        let summary = "Adds a constant to a number, or to every number of a list.";
        NodeDescriptor {
            stateless: true,
            ..NodeDescriptor::transform(Self::NODE_TYPE, PayloadKind::Json, summary)
        }
    }

    fn from_params(params: AddParams) -> Result<Self, NodeError> {
        let addend = Num::from_number(&params.addend)
            .ok_or_else(|| NodeError::invalid_params("`addend` must be a finite number"))?;
        Ok(Self { addend })
    }
}

impl Node for Add {
    fn process(&mut self, _: Port, packet: Packet, out: &mut Outputs) -> Result<(), NodeError> {
        let (pts_ns, mut value) = json(packet)?;
        apply(Arithmetic::Add, self.addend, &mut value)?;
        out.push(Packet::new(pts_ns, value));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::harness::{create, json_outputs, run_json};

    #[test]
    fn an_integer_addend_keeps_integers_and_a_float_addend_makes_floats() {
        let add = |addend| create("AddNode", json!({"addend": addend}));
        assert_eq!(run_json(add(json!(3)), [json!(4), json!([0.5, 1])]), [json!(7), json!([3.5, 4])]);
        assert_eq!(run_json(add(json!(3.0)), [json!(4)]), [json!(7.0)]);
        assert_eq!(run_json(create("Add", json!({})), [json!(4)]), [json!(4.0)]);
    }

    #[test]
    fn a_sum_beyond_64_bits_is_an_error() {
        let mut node = create("Add", json!({"addend": 1}));
        let error = json_outputs(node.as_mut(), json!(u64::MAX)).unwrap_err();
        assert!(error.message.contains("more than 64 bits"), "{error}");
    }
}
