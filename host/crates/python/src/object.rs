//! Python objects that travel as they are, and what a node that is not Python's gets of them.

use std::borrow::Cow;

use bytes::Bytes;
use numpy::PyUntypedArray;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};
use remotemedia_core::{Object, Payload, PayloadKind};

use crate::entering::{Terms, array_to_audio, array_to_tensor};
use crate::marshal::sample_rate;
use crate::shim;

/// A Python object inside an opaque payload.
pub(crate) struct Held {
    pub(crate) object: Py<PyAny>,
    /// What its memory may be used for.
    pub(crate) terms: Terms,
}

impl Held {
    fn convert(&self, py: Python<'_>, kind: PayloadKind) -> PyResult<Option<Payload>> {
        let value = self.object.bind(py);
        Ok(match kind {
            PayloadKind::Audio => self.audio(value)?,
            PayloadKind::Tensor => match array_of(value)? {
                Some(array) => array_to_tensor(&array, self.terms)?.map(Payload::from),
                None => None,
            },
            PayloadKind::Bytes => {
                let bytes = shim::enter(py)?.call_method1("bytes_of", (value,))?;
                bytes
                    .cast_exact::<PyBytes>()
                    .ok()
                    .map(|bytes| Bytes::copy_from_slice(bytes.as_bytes()).into())
            }
            PayloadKind::Text | PayloadKind::Json => None,
            PayloadKind::Any => {
                for kind in [PayloadKind::Audio, PayloadKind::Bytes, PayloadKind::Tensor] {
                    if let Some(payload) = self.convert(py, kind)? {
                        return Ok(Some(payload));
                    }
                }
                None
            }
        })
    }

    fn audio(&self, value: &Bound<'_, PyAny>) -> PyResult<Option<Payload>> {
        let Ok(pair) = value.cast_exact::<PyTuple>() else { return Ok(None) };
        if pair.len() != 2 {
            return Ok(None);
        }
        let Some(rate) = sample_rate(&*pair.get_borrowed_item(1)?) else { return Ok(None) };
        match array_of(&*pair.get_borrowed_item(0)?)? {
            Some(array) => Ok(array_to_audio(&array, rate, self.terms)?.map(Payload::Audio)),
            None => Ok(None),
        }
    }
}

/// `value` as a numpy array, over its own memory where that can be.
fn array_of<'py>(value: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyUntypedArray>>> {
    let array = shim::enter(value.py())?.call_method1("array_of", (value,))?;
    Ok(array.cast_into_exact::<PyUntypedArray>().ok())
}

impl Object for Held {
    fn type_name(&self) -> Cow<'_, str> {
        let name = Python::try_attach(|py| {
            let name = shim::report(py)?.call_method1("type_name", (&self.object,))?;
            name.extract::<String>()
        });
        name.and_then(Result::ok).map_or(Cow::Borrowed("a Python object"), Cow::Owned)
    }

    fn to_kind(&self, kind: PayloadKind) -> Option<Payload> {
        Python::try_attach(|py| self.convert(py, kind)).and_then(Result::ok).flatten()
    }

    fn why_not(&self, kind: PayloadKind) -> Option<String> {
        Python::try_attach(|py| {
            let why = shim::enter(py)?.call_method1("why_not", (&self.object, kind.name()))?;
            why.extract()
        })
        .and_then(Result::ok)
    }
}
