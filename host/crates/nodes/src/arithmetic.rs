//! Numbers as Python computes with them: integers stay integers, division is exact division, the sign of a modulo
//! is the divisor's. The arithmetic nodes share it; it knows no packets.
//!
//! Where Python would grow an integer beyond 64 bits, or make a complex number, this is an error instead of a
//! wrong value: JSON could not carry the right one.

use remotemedia_core::{NodeError, Packet, Payload, PayloadKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

/// What to compute from two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Arithmetic {
    /// a + b
    Add,
    /// a - b
    Subtract,
    /// a × b
    Multiply,
    /// a ÷ b; always a float.
    Divide,
    /// a to the power of b; an integer when both are and b is not negative.
    Power,
    /// a modulo b, with the sign of b.
    Modulo,
}

/// Why there is no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ArithmeticError {
    DivisionByZero,
    ModuloByZero,
    Overflow,
    NotFinite,
    NotReal,
}

impl ArithmeticError {
    pub(crate) const fn message(self) -> &'static str {
        match self {
            Self::DivisionByZero => "Division by zero",
            Self::ModuloByZero => "Modulo by zero",
            Self::Overflow => "The result is an integer of more than 64 bits",
            Self::NotFinite => "The result is not a finite number",
            Self::NotReal => "The result is not a real number",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Num {
    Int(i128),
    Float(f64),
}

impl Num {
    /// A JSON number, or a boolean, which Python counts as 0 or 1.
    pub(crate) fn from_json(value: &Value) -> Option<Self> {
        match value {
            Value::Number(number) => Self::from_number(number),
            Value::Bool(bit) => Some(Self::Int(i128::from(*bit))),
            _ => None,
        }
    }

    pub(crate) fn from_number(number: &Number) -> Option<Self> {
        let int = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
        int.map(Self::Int).or_else(|| number.as_f64().map(Self::Float))
    }

    fn into_json(self) -> Result<Value, ArithmeticError> {
        match self {
            Self::Int(int) => i64::try_from(int)
                .map(Value::from)
                .or_else(|_| u64::try_from(int).map(Value::from))
                .map_err(|_| ArithmeticError::Overflow),
            Self::Float(float) => {
                Number::from_f64(float).map(Value::Number).ok_or(ArithmeticError::NotFinite)
            }
        }
    }

    fn as_float(self) -> f64 {
        match self {
            Self::Int(int) => int as f64,
            Self::Float(float) => float,
        }
    }

    fn is_zero(self) -> bool {
        self.as_float() == 0.0
    }
}

/// `a operation b`.
pub(crate) fn compute(operation: Arithmetic, a: Num, b: Num) -> Result<Num, ArithmeticError> {
    use Num::{Float, Int};
    let overflow = ArithmeticError::Overflow;
    match (operation, a, b) {
        (Arithmetic::Divide, _, b) if b.is_zero() => Err(ArithmeticError::DivisionByZero),
        (Arithmetic::Modulo, _, b) if b.is_zero() => Err(ArithmeticError::ModuloByZero),
        (Arithmetic::Add, Int(a), Int(b)) => a.checked_add(b).map(Int).ok_or(overflow),
        (Arithmetic::Subtract, Int(a), Int(b)) => a.checked_sub(b).map(Int).ok_or(overflow),
        (Arithmetic::Multiply, Int(a), Int(b)) => a.checked_mul(b).map(Int).ok_or(overflow),
        (Arithmetic::Modulo, Int(a), Int(b)) => {
            let rest = a.checked_rem(b).ok_or(overflow)?;
            Ok(Int(if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest }))
        }
        (Arithmetic::Power, Int(a), Int(b)) if b >= 0 => power_of_int(a, b).map(Int).ok_or(overflow),
        (Arithmetic::Add, a, b) => Ok(Float(a.as_float() + b.as_float())),
        (Arithmetic::Subtract, a, b) => Ok(Float(a.as_float() - b.as_float())),
        (Arithmetic::Multiply, a, b) => Ok(Float(a.as_float() * b.as_float())),
        (Arithmetic::Divide, a, b) => Ok(Float(a.as_float() / b.as_float())),
        (Arithmetic::Modulo, a, b) => Ok(Float(modulo(a.as_float(), b.as_float()))),
        (Arithmetic::Power, a, b) => power(a.as_float(), b.as_float()).map(Float),
    }
}

/// Every power whose base is not -1, 0 or 1 overflows before its exponent needs more than 32 bits.
fn power_of_int(a: i128, b: i128) -> Option<i128> {
    match a {
        0 | 1 => Some(if b == 0 { 1 } else { a }),
        -1 => Some(if b % 2 == 0 { 1 } else { -1 }),
        _ => a.checked_pow(u32::try_from(b).ok()?),
    }
}

fn power(a: f64, b: f64) -> Result<f64, ArithmeticError> {
    if a == 0.0 && b < 0.0 {
        return Err(ArithmeticError::DivisionByZero);
    }
    if a < 0.0 && a.is_finite() && b.is_finite() && b.fract() != 0.0 {
        return Err(ArithmeticError::NotReal);
    }
    Ok(a.powf(b))
}

fn modulo(a: f64, b: f64) -> f64 {
    let rest = a % b;
    if rest == 0.0 {
        0.0_f64.copysign(b)
    } else if (rest < 0.0) != (b < 0.0) {
        rest + b
    } else {
        rest
    }
}

/// `a operation b` in JSON.
pub(crate) fn compute_json(operation: Arithmetic, a: Num, b: Num) -> Result<Value, ArithmeticError> {
    compute(operation, a, b)?.into_json()
}

/// Replaces a number, or every number of a list, by `number operation operand`.
pub(crate) fn apply(operation: Arithmetic, operand: Num, value: &mut Value) -> Result<(), NodeError> {
    if let Value::Array(items) = value {
        return items.iter_mut().try_for_each(|item| apply_to_number(operation, operand, item));
    }
    apply_to_number(operation, operand, value)
}

fn apply_to_number(operation: Arithmetic, operand: Num, value: &mut Value) -> Result<(), NodeError> {
    let number = Num::from_json(value).ok_or_else(|| {
        NodeError::invalid_input(format!("wants a number or a list of numbers, got {}", kind_of(value)))
    })?;
    *value = compute_json(operation, number, operand)
        .map_err(|error| NodeError::invalid_input(format!("{value}: {}", error.message())))?;
    Ok(())
}

/// The packet's JSON value, without a copy when nobody shares it.
pub(crate) fn json(packet: Packet) -> Result<(i64, Value), NodeError> {
    match packet.payload {
        Payload::Json(value) => Ok((packet.pts_ns, std::sync::Arc::unwrap_or_clone(value))),
        other => Err(other.refused(PayloadKind::Json)),
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn python(operation: Arithmetic, a: Value, b: Value) -> Result<Value, ArithmeticError> {
        compute_json(operation, Num::from_json(&a).unwrap(), Num::from_json(&b).unwrap())
    }

    #[test]
    fn results_are_the_ones_that_python_prints() {
        use Arithmetic::{Add, Divide, Modulo, Multiply, Power, Subtract};
        // Right-hand sides typed from a Python 3.11 prompt.
        let cases = [
            (Add, json!(2), json!(3), json!(5)),
            (Add, json!(2), json!(3.0), json!(5.0)),
            (Add, json!(true), json!(true), json!(2)),
            (Multiply, json!(1.1), json!(1.1), json!(1.2100000000000002)),
            (Multiply, json!(3), json!(2), json!(6)),
            (Multiply, json!(1), json!(2.0), json!(2.0)),
            (Subtract, json!(0), json!(i64::MAX), json!(-9223372036854775807_i64)),
            (Divide, json!(6), json!(3), json!(2.0)),
            (Divide, json!(-7), json!(2), json!(-3.5)),
            (Modulo, json!(-7), json!(3), json!(2)),
            (Modulo, json!(7), json!(-3), json!(-2)),
            (Modulo, json!(-7.5), json!(2), json!(0.5)),
            (Modulo, json!(5.5), json!(-2), json!(-0.5)),
            (Power, json!(2), json!(10), json!(1024)),
            (Power, json!(2), json!(-1), json!(0.5)),
            (Power, json!(0), json!(0), json!(1)),
            (Power, json!(-1), json!(1_000_000_000_001_i64), json!(-1)),
            (Power, json!(2.0), json!(0.5), json!(std::f64::consts::SQRT_2)),
        ];
        for (operation, a, b, expected) in cases {
            assert_eq!(python(operation, a.clone(), b.clone()), Ok(expected), "{operation:?} {a} {b}");
        }
    }

    #[test]
    fn what_json_cannot_carry_is_an_error_and_not_a_wrong_number() {
        use Arithmetic::{Add, Divide, Modulo, Multiply, Power};
        assert_eq!(python(Multiply, json!(i64::MAX), json!(4)), Err(ArithmeticError::Overflow));
        assert_eq!(python(Add, json!(i64::MAX), json!(1)), Ok(json!(9223372036854775808_u64)));
        assert_eq!(python(Add, json!(u64::MAX), json!(1)), Err(ArithmeticError::Overflow));
        assert_eq!(python(Power, json!(2), json!(70)), Err(ArithmeticError::Overflow));
        assert_eq!(python(Multiply, json!(1e308), json!(10)), Err(ArithmeticError::NotFinite));
        assert_eq!(python(Divide, json!(1), json!(0.0)), Err(ArithmeticError::DivisionByZero));
        assert_eq!(python(Modulo, json!(1.5), json!(0)), Err(ArithmeticError::ModuloByZero));
        assert_eq!(python(Power, json!(0), json!(-2)), Err(ArithmeticError::DivisionByZero));
        assert_eq!(python(Power, json!(-8), json!(0.5)), Err(ArithmeticError::NotReal));
    }

    #[test]
    fn a_list_is_computed_element_by_element_and_keeps_each_type() {
        let mut list = json!([1, 2.5, -3]);
        apply(Arithmetic::Multiply, Num::Int(2), &mut list).unwrap();
        assert_eq!(list, json!([2, 5.0, -6]));
        let error = apply(Arithmetic::Multiply, Num::Int(2), &mut json!([1, "two"])).unwrap_err();
        assert!(error.message.contains("got a string"), "{error}");
    }
}
