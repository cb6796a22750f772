//! What a payload is in Python, and what a Python value is as a payload.
//!
//! | payload | Python |
//! |---|---|
//! | audio | the tuple `(ndarray[channels, frames] float32, sample_rate)` |
//! | tensor | `ndarray` |
//! | text, bytes | `str`, `bytes` |
//! | json | plain values: `None`, `bool`, `int`, `float`, `str`, `list`, `dict` |
//! | object | the very object that another Python node returned |
//!
//! Back the same way, where nothing is lost: a tuple other than audio, a set, an int beyond 64 bits, NaN, a dict
//! with other keys than strings, an instance of a subclass or of any other class travels as an object. So whatever a
//! Python node returns, the next one gets an equal value of the same type. What an object has for a node that is not
//! Python's is asked only when one gets it (`object.rs`).

use std::sync::Arc;

use bytes::Bytes;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use remotemedia_core::{Opaque, Payload};
use serde_json::{Map, Number, Value};

use crate::array;
use crate::entering::{Terms, array_to_audio, array_to_tensor};
pub use crate::loan::Loans;
use crate::object::Held;

/// Containers nested deeper than this travel as objects: they may contain themselves.
const MAX_DEPTH: usize = 100;

/// The Python value of `payload`.
///
/// # Errors
/// When numpy is needed and missing, or an object payload belongs to another runtime.
pub fn payload_to_python<'py>(py: Python<'py>, payload: Payload) -> PyResult<Bound<'py, PyAny>> {
    match payload {
        Payload::Audio(audio) => {
            let sample_rate_hz = audio.spec().sample_rate_hz;
            (array::audio_to_array(py, audio)?, sample_rate_hz).into_pyobject(py).map(Bound::into_any)
        }
        Payload::Text(text) => Ok(PyString::new(py, &text).into_any()),
        Payload::Json(value) => json_to_python(py, &value),
        Payload::Tensor(tensor) => array::tensor_to_array(py, *tensor),
        Payload::Bytes(bytes) => Ok(PyBytes::new(py, &bytes).into_any()),
        Payload::Object(object) => match open(py, &object) {
            Some(object) => Ok(object),
            None => Err(PyTypeError::new_err(format!("`{}` is not a Python object", object.type_name()))),
        },
    }
}

/// The payload of `value`; `None` counts as JSON null. Arrays are read in place during the call that [`Loans`] are open
/// for, else copied.
///
/// # Errors
/// When Python runs out of memory or a conversion of numpy's fails.
pub fn python_to_payload(value: &Bound<'_, PyAny>) -> PyResult<Payload> {
    to_payload(value, Terms::Lend)
}

/// As [`python_to_payload`], of a value that is given away: an array that nobody else holds becomes the packet's, any
/// other is copied.
///
/// # Errors
/// As [`python_to_payload`].
pub fn given_to_payload(value: Bound<'_, PyAny>) -> PyResult<Payload> {
    let terms = if array::is_held_once(&value) { Terms::Take } else { Terms::Copy };
    to_payload(&value, terms)
}

/// As [`python_to_payload`], of a value that is looked at while a node runs: arrays are copied.
///
/// # Errors
/// As [`python_to_payload`].
pub(crate) fn copied_to_payload(value: &Bound<'_, PyAny>) -> PyResult<Payload> {
    to_payload(value, Terms::Copy)
}

fn to_payload(value: &Bound<'_, PyAny>, terms: Terms) -> PyResult<Payload> {
    if let Ok(tuple) = value.cast_exact::<PyTuple>() {
        if let Some(audio) = audio_of(tuple, terms)? {
            return Ok(audio);
        }
    } else if let Ok(text) = value.cast_exact::<PyString>() {
        if let Ok(text) = text.to_str() {
            return Ok(Payload::Text(text.into()));
        }
    } else if let Ok(bytes) = value.cast_exact::<PyBytes>() {
        return Ok(Payload::Bytes(Bytes::from_owner(PyBackedBytes::from(bytes.clone()))));
    } else if let Some(value) = python_to_json(value, MAX_DEPTH) {
        return Ok(Payload::Json(Arc::new(value)));
    } else if let Some(array) = array::as_array(value)
        && let Some(tensor) = array_to_tensor(array, terms)?
    {
        return Ok(tensor.into());
    }
    // Whoever made an object may still change it, unless it is only fed.
    Ok(hold(value, if terms == Terms::Lend { Terms::Lend } else { Terms::Copy }))
}

/// The object inside `object`, when it came from Python.
#[must_use]
pub fn open<'py>(py: Python<'py>, object: &Opaque) -> Option<Bound<'py, PyAny>> {
    object.downcast_ref::<Held>().map(|held| held.object.bind(py).clone())
}

/// `value` as an object payload, whatever it is: for whoever hands it to Python nodes only.
#[must_use]
pub fn hold_as_it_is(value: &Bound<'_, PyAny>) -> Payload {
    hold(value, Terms::Copy)
}

fn hold(value: &Bound<'_, PyAny>, terms: Terms) -> Payload {
    Payload::Object(Opaque::of(Held { object: value.clone().unbind(), terms }))
}

/// Audio is a pair of a floating-point array and a whole sample rate.
fn audio_of(tuple: &Bound<'_, PyTuple>, terms: Terms) -> PyResult<Option<Payload>> {
    if tuple.len() != 2 {
        return Ok(None);
    }
    let (samples, rate) = (tuple.get_borrowed_item(0)?, tuple.get_borrowed_item(1)?);
    let Some(samples) = array::as_array(&samples) else { return Ok(None) };
    let Some(rate) = sample_rate(&rate) else { return Ok(None) };
    Ok(array_to_audio(samples, rate, terms)?.map(Payload::Audio))
}

/// Takes numpy's whole numbers too, by their `__index__`, and refuses floats.
pub(crate) fn sample_rate(rate: &Bound<'_, PyAny>) -> Option<u32> {
    if rate.is_exact_instance_of::<PyBool>() || array::as_array(rate).is_some() {
        return None;
    }
    rate.extract().ok().filter(|rate| *rate > 0)
}

/// The Python value of a JSON value.
///
/// # Errors
/// When Python runs out of memory.
pub fn json_to_python<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Null => py.None().into_bound(py),
        Value::Bool(value) => PyBool::new(py, *value).to_owned().into_any(),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => number.into_pyobject(py)?.into_any(),
            (None, Some(number)) => number.into_pyobject(py)?.into_any(),
            (None, None) => PyFloat::new(py, number.as_f64().unwrap_or(f64::NAN)).into_any(),
        },
        Value::String(text) => PyString::new(py, text).into_any(),
        Value::Array(items) => {
            let list = PyList::empty(py);
            for item in items {
                list.append(json_to_python(py, item)?)?;
            }
            list.into_any()
        }
        Value::Object(items) => {
            let dict = PyDict::new(py);
            for (key, item) in items {
                dict.set_item(key, json_to_python(py, item)?)?;
            }
            dict.into_any()
        }
    })
}

/// The JSON value that turns back into an equal Python value of the same types; `None` when there is none.
pub(crate) fn python_to_json(value: &Bound<'_, PyAny>, depth: usize) -> Option<Value> {
    if value.is_none() {
        Some(Value::Null)
    } else if let Ok(number) = value.cast_exact::<PyFloat>() {
        Number::from_f64(number.value()).map(Value::Number)
    } else if let Ok(number) = value.cast_exact::<PyInt>() {
        number.extract::<i64>().ok().map(Value::from)
    } else if let Ok(boolean) = value.cast_exact::<PyBool>() {
        Some(Value::Bool(boolean.is_true()))
    } else if let Ok(text) = value.cast_exact::<PyString>() {
        text.to_str().ok().map(Value::from)
    } else if depth == 0 {
        None
    } else if let Ok(dict) = value.cast_exact::<PyDict>() {
        let mut items = Map::with_capacity(dict.len());
        for (key, item) in dict {
            let key = key.cast_exact::<PyString>().ok()?.to_str().ok()?.to_owned();
            items.insert(key, python_to_json(&item, depth - 1)?);
        }
        Some(Value::Object(items))
    } else if let Ok(list) = value.cast_exact::<PyList>() {
        list.iter().map(|item| python_to_json(&item, depth - 1)).collect::<Option<_>>().map(Value::Array)
    } else {
        None
    }
}
