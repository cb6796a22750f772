//! Calculator: a number in and a number out, with the operation from the params; or an operation and its
//! arguments in one object, and an object with the result out.
//!
//! The object form answers faults (an unknown operation, a division by zero) with an object that has `error`,
//! because pipelines of this format read it there; the number form ends the pipeline with an error.

use remotemedia_core::{Node, NodeDescriptor, NodeError, NodeManifest, Outputs, Packet, PayloadKind, Port};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Number, Value, json};

use crate::arithmetic::{Arithmetic, Num, apply, compute_json, json};
use crate::node_type::NativeNode;

/// Params of Calculator. They matter for numbers; an object brings its own operation.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CalculatorParams {
    /// What is computed from a number that comes in (left) and `operand` (right). Default: add.
    pub operation: Arithmetic,
    /// The right-hand side for numbers that come in. Default: 0.
    pub operand: Number,
}

impl Default for CalculatorParams {
    fn default() -> Self {
        Self { operation: Arithmetic::Add, operand: 0.into() }
    }
}

/// Computes. Integers stay integers where Python would keep them; see [`Arithmetic`].
#[derive(Debug)]
pub struct Calculator {
    operation: Arithmetic,
    operand: Num,
    processed_by: String,
    node_config: Map<String, Value>,
}

impl NativeNode for Calculator {
    type Params = CalculatorParams;
    const NODE_TYPE: &'static str = "Calculator";
    const ALIASES: &'static [&'static str] = &["CalculatorNode"];

    fn descriptor() -> NodeDescriptor {
        let summary = "Computes with numbers, lists of numbers, or {\"operation\", \"args\"} objects.";
        NodeDescriptor {
            stateless: true,
            ..NodeDescriptor::transform(Self::NODE_TYPE, PayloadKind::Json, summary)
        }
    }

    fn from_params(params: CalculatorParams) -> Result<Self, NodeError> {
        let operand = Num::from_number(&params.operand)
            .ok_or_else(|| NodeError::invalid_params("`operand` must be a finite number"))?;
        let processed_by = "CalculatorNode".into();
        Ok(Self { operation: params.operation, operand, processed_by, node_config: Map::new() })
    }

    fn from_manifest(params: CalculatorParams, node: &NodeManifest) -> Result<Self, NodeError> {
        Ok(Self {
            processed_by: format!("CalculatorNode[{}]", node.id),
            node_config: node.params.clone(),
            ..Self::from_params(params)?
        })
    }
}

impl Calculator {
    /// The answer to an object. Its arguments come back under the name they came with.
    fn answer(&self, request: &Map<String, Value>) -> Value {
        let args = ["args", "operands"].into_iter().find_map(|name| Some((name, request.get(name)?)));
        let (Some(operation), Some((args_name, args))) = (request.get("operation"), args) else {
            let error = "Input must contain 'operation' and 'args' (or 'operands') keys";
            return json!({"error": error, "input": request, "processed_by": self.processed_by});
        };
        match compute_request(operation, args) {
            Ok(result) => json!({
                "operation": operation, args_name: args, "result": result,
                "processed_by": self.processed_by, "node_config": self.node_config,
            }),
            Err(error) => json!({
                "error": error, "operation": operation, args_name: args, "processed_by": self.processed_by,
            }),
        }
    }
}

/// Computes from left to right: `a op b op c …`.
fn compute_request(operation: &Value, args: &Value) -> Result<Value, String> {
    let name = operation.as_str().unwrap_or_default();
    let args = args.as_array().filter(|args| args.len() >= 2);
    let args = args.ok_or_else(|| format!("Operation '{name}' requires at least 2 arguments"))?;
    let operation = Arithmetic::deserialize(operation).map_err(|_| format!("Unknown operation: {name}"))?;
    let mut result = args[0].clone();
    for arg in &args[1..] {
        let (a, b) = Num::from_json(&result)
            .zip(Num::from_json(arg))
            .ok_or_else(|| format!("Operation '{name}' wants numbers, got {result} and {arg}"))?;
        result = compute_json(operation, a, b).map_err(|error| error.message().to_owned())?;
    }
    Ok(result)
}

impl Node for Calculator {
    fn process(&mut self, _: Port, packet: Packet, out: &mut Outputs) -> Result<(), NodeError> {
        let (pts_ns, mut value) = json(packet)?;
        match &value {
            Value::Object(request) => value = self.answer(request),
            _ => apply(self.operation, self.operand, &mut value)?,
        }
        out.push(Packet::new(pts_ns, value));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::harness::{create, json_outputs, run_json};

    #[test]
    fn a_number_is_answered_with_a_number() {
        let node = create("CalculatorNode", json!({"operation": "multiply", "operand": 10}));
        assert_eq!(run_json(node, [json!(6), json!(7.0), json!(8)]), [json!(60), json!(70.0), json!(80)]);
    }

    #[test]
    fn an_object_with_args_is_answered_with_the_object_that_python_code_reads() {
        let node = create("CalculatorNode", json!({"operation": "add"}));
        let answers = run_json(node, [json!({"operation": "divide", "args": [7, 2]})]);
        let expected = json!({
            "operation": "divide", "args": [7, 2], "result": 3.5,
            "processed_by": "CalculatorNode[test]", "node_config": {"operation": "add"},
        });
        assert_eq!(answers, [expected]);
    }

    #[test]
    fn operands_are_computed_from_left_to_right() {
        let answers = run_json(
            create("Calculator", json!({})),
            [json!({"operation": "subtract", "operands": [10, 3, 2]})],
        );
        assert_eq!((&answers[0]["result"], &answers[0]["operands"]), (&json!(5), &json!([10, 3, 2])));
    }

    #[test]
    fn a_faulty_object_is_answered_with_its_error() {
        let cases = [
            (json!({"operation": "divide", "args": [1, 0]}), "Division by zero"),
            (json!({"operation": "modulo", "args": [1, 0]}), "Modulo by zero"),
            (json!({"operation": "root", "args": [1, 2]}), "Unknown operation: root"),
            (json!({"operation": "add", "args": [1]}), "Operation 'add' requires at least 2 arguments"),
            (json!({"x": 1}), "Input must contain 'operation' and 'args' (or 'operands') keys"),
        ];
        for (request, expected) in cases {
            let answer = run_json(create("Calculator", json!({})), [request]).remove(0);
            assert_eq!(answer["error"], expected);
            assert_eq!(answer["processed_by"], "CalculatorNode[test]");
        }
    }

    #[test]
    fn a_division_of_a_number_by_zero_ends_the_pipeline() {
        let mut node = create("Calculator", json!({"operation": "divide", "operand": 0}));
        let error = json_outputs(node.as_mut(), json!(3)).unwrap_err();
        assert!(error.message.contains("Division by zero"), "{error}");
    }
}
