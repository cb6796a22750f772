//! Multiply: multiplies a number, or every number of a list, by a constant.

use remotemedia_core::{Node, NodeDescriptor, NodeError, Outputs, Packet, PayloadKind, Port};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Number;

use crate::arithmetic::{Arithmetic, Num, apply, json};
use crate::node_type::NativeNode;

/// Params of Multiply.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MultiplyParams {
    /// The factor (default 2.0). An integer keeps integers integers; a float makes floats.
    pub factor: Number,
}

impl Default for MultiplyParams {
    fn default() -> Self {
        Self { factor: Number::from_f64(2.0).unwrap_or_else(|| 2.into()) }
    }
}

/// Multiplies a number, or every number of a list, by a constant.
#[derive(Debug)]
pub struct Multiply {
    factor: Num,
}

impl NativeNode for Multiply {
    type Params = MultiplyParams;
    const NODE_TYPE: &'static str = "Multiply";
    const ALIASES: &'static [&'static str] = &["MultiplyNode"];

    fn descriptor() -> NodeDescriptor {
        let summary = "Multiplies a number, or every number of a list, by a factor.";
        NodeDescriptor {
            stateless: true,
            ..NodeDescriptor::transform(Self::NODE_TYPE, PayloadKind::Json, summary)
        }
    }

    fn from_params(params: MultiplyParams) -> Result<Self, NodeError> {
        let factor = Num::from_number(&params.factor)
            .ok_or_else(|| NodeError::invalid_params("`factor` must be a finite number"))?;
        Ok(Self { factor })
    }
}

impl Node for Multiply {
    fn process(&mut self, _: Port, packet: Packet, out: &mut Outputs) -> Result<(), NodeError> {
        let (pts_ns, mut value) = json(packet)?;
        apply(Arithmetic::Multiply, self.factor, &mut value)?;
        out.push(Packet::new(pts_ns, value));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::harness::{create, json_outputs, run_json};

    #[test]
    fn an_integer_factor_keeps_integers_and_a_float_factor_makes_floats() {
        let by_two = || create("MultiplyNode", json!({"factor": 2}));
        assert_eq!(
            run_json(by_two(), [json!(21), json!(1.5), json!([1, 2])]),
            [json!(42), json!(3.0), json!([2, 4])]
        );
        let by_default = create("Multiply", json!({}));
        assert_eq!(run_json(by_default, [json!(1)]), [json!(2.0)]);
    }

    #[test]
    fn a_chain_of_1_1_is_bit_for_bit_what_ieee_arithmetic_gives() {
        let mut expected = 1.0_f64;
        let mut value = json!(1.0);
        for _ in 0..20 {
            expected *= 1.1;
            value = run_json(create("Multiply", json!({"factor": 1.1})), [value]).remove(0);
        }
        assert_eq!(value.as_f64().unwrap().to_bits(), expected.to_bits());
    }

    #[test]
    fn what_is_not_a_number_is_refused_by_name() {
        for (input, named) in
            [(json!("a"), "a string"), (json!({"a": 1}), "an object"), (json!(null), "null")]
        {
            let mut node = create("Multiply", json!({}));
            let error = json_outputs(node.as_mut(), input).unwrap_err();
            assert!(error.message.contains(named), "{error}");
        }
    }
}
