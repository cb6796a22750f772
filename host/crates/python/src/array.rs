//! numpy arrays over the host's samples and elements. The way back is `entering.rs`.
//!
//! Nothing is copied: an array points into the packet's storage, and its `base` object keeps that storage alive for
//! as long as Python holds the array. It is writable only when nobody else shares the storage.
#![expect(unsafe_code, reason = "numpy arrays over foreign memory are made through numpy's C API only")]

use std::ffi::{c_int, c_void};

use bytes::BytesMut;
use numpy::npyffi::objects::PyArrayObject_fields;
use numpy::npyffi::{NPY_ARRAY_OWNDATA, NPY_ARRAY_WRITEABLE, NPY_TYPES, PY_ARRAY_API};
use numpy::{PyUntypedArray, PyUntypedArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use remotemedia_core::{AudioBuffer, DType, Foreign, Tensor};

use crate::loan::Hold;

/// The `base` of every array made here: owns the storage that the array points into.
#[pyclass(frozen, name = "PacketStorage", module = "remotemedia")]
struct Storage(Kept);

/// What Python may write to, or has anyway, is held for its destructor only: nothing here reads it again.
enum Kept {
    Audio(AudioBuffer),
    Tensor(Tensor),
    WrittenAudio {
        _samples: AudioBuffer,
    },
    WrittenTensor {
        _tensor: Tensor,
    },
    WrittenElements {
        _elements: BytesMut,
    },
    /// The author's own array, which a packet still reads in place.
    Lent {
        _array: Py<PyAny>,
    },
}

static IMPORTED: PyOnceLock<()> = PyOnceLock::new();

/// Imports numpy unless that was done before. The functions below that make arrays need it.
pub(crate) fn require_numpy(py: Python<'_>) -> PyResult<()> {
    IMPORTED.get_or_try_init(py, || py.import("numpy").map(drop)).copied()
}

/// `value` as an array of exactly the type `numpy.ndarray`. Does not import numpy for the question.
pub(crate) fn as_array<'a, 'py>(value: &'a Bound<'py, PyAny>) -> Option<&'a Bound<'py, PyUntypedArray>> {
    let py = value.py();
    if IMPORTED.get(py).is_none() {
        let modules = py.import("sys").and_then(|sys| sys.getattr("modules")).ok()?;
        if !modules.contains("numpy").ok()? {
            return None;
        }
        require_numpy(py).ok()?;
    }
    value.cast_exact().ok()
}

/// An array over `storage`.
///
/// # Safety
/// `data` points at elements of `type_num` that the shape and strides (in bytes) stay within, for as long as
/// `storage` lives; when `writable`, nothing else reads or writes them meanwhile. numpy has been imported.
unsafe fn view<'py>(
    py: Python<'py>,
    storage: Storage,
    type_num: NPY_TYPES,
    layout: (&mut [isize], &mut [isize]),
    data: *mut c_void,
    writable: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let (shape, strides) = layout;
    let owner = Bound::new(py, storage)?;
    let flags = if writable { NPY_ARRAY_WRITEABLE } else { 0 };
    // SAFETY: numpy is imported, so its API table is there. The descriptor reference is stolen by NewFromDescr and
    // the owner reference by SetBaseObject; `data` is as the caller promised.
    unsafe {
        let array_type = numpy::npyffi::get_type_object(py, numpy::npyffi::NpyTypes::PyArray_Type);
        let descriptor = PY_ARRAY_API.PyArray_DescrFromType(py, type_num as c_int);
        let array = PY_ARRAY_API.PyArray_NewFromDescr(
            py,
            array_type,
            descriptor,
            shape.len() as c_int,
            shape.as_mut_ptr(),
            strides.as_mut_ptr(),
            data,
            flags,
            std::ptr::null_mut(),
        );
        let array = Bound::from_owned_ptr_or_err(py, array)?;
        if PY_ARRAY_API.PyArray_SetBaseObject(py, array.as_ptr().cast(), owner.into_ptr()) != 0 {
            return Err(PyErr::fetch(py));
        }
        Ok(array)
    }
}

/// The samples as a float32 array of shape `(channels, frames)` over the packet's own interleaved memory; integer
/// samples are converted first.
pub(crate) fn audio_to_array<'py>(py: Python<'py>, audio: AudioBuffer) -> PyResult<Bound<'py, PyAny>> {
    require_numpy(py)?;
    let spec = audio.spec();
    let mut audio = match audio.as_f32() {
        Some(_) => audio,
        None => AudioBuffer::from_f32(spec.sample_rate_hz, spec.channels, audio.to_f32().into_owned())
            .map_err(|error| PyValueError::new_err(error.to_string()))?,
    };
    let lent = audio.foreign().and_then(|owner| lent(py, owner));
    let writable = audio.is_unshared();
    let data = if writable { audio.as_f32_mut().map(<[f32]>::as_mut_ptr) } else { None };
    let data = data.or_else(|| audio.as_f32().map(|samples| samples.as_ptr().cast_mut()));
    let data = data.ok_or_else(|| PyValueError::new_err("audio without samples"))?;
    let channels = isize::try_from(spec.channels).unwrap_or(1);
    let width = size_of::<f32>().cast_signed();
    let mut shape = [channels, audio.frames().cast_signed()];
    let mut strides = [width, width * channels];
    let kept = match lent {
        Some(array) => Kept::Lent { _array: array },
        None if writable => Kept::WrittenAudio { _samples: audio },
        None => Kept::Audio(audio),
    };
    // SAFETY: `data` is the start of `channels * frames` interleaved f32 that `audio`, or the array it was lent from,
    // keeps at this address; a sole owner moves into the storage, where nothing reads or writes its samples while
    // Python may write.
    unsafe {
        view(py, Storage(kept), NPY_TYPES::NPY_FLOAT, (&mut shape, &mut strides), data.cast(), writable)
    }
}

/// The elements as an array over the packet's own memory.
pub(crate) fn tensor_to_array<'py>(py: Python<'py>, tensor: Tensor) -> PyResult<Bound<'py, PyAny>> {
    require_numpy(py)?;
    let type_num = type_num(tensor.dtype());
    let mut shape: Vec<isize> = tensor.shape().iter().map(|extent| extent.cast_signed()).collect();
    let mut strides = vec![0; shape.len()];
    let mut stride = tensor.dtype().bytes_per_element().cast_signed();
    for (slot, extent) in strides.iter_mut().zip(&shape).rev() {
        *slot = stride;
        stride = stride.saturating_mul((*extent).max(1));
    }
    let (kept, data, writable) = keep_elements(py, tensor)?;
    // SAFETY: the tensor's data fills its row-major shape, and the storage keeps the data at this address. Elements
    // that may be written have no other owner.
    unsafe { view(py, Storage(kept), type_num, (&mut shape, &mut strides), data.cast(), writable) }
}

/// The storage of a tensor, the address of its elements, and whether Python may write to them.
fn keep_elements(py: Python<'_>, mut tensor: Tensor) -> PyResult<(Kept, *mut u8, bool)> {
    let data = tensor.data().as_ptr().cast_mut();
    if let Some(owner) = tensor.foreign() {
        if let Some(array) = lent(py, owner) {
            return Ok((Kept::Lent { _array: array }, data, false));
        }
        return Ok(match tensor.foreign_mut().map(<[u8]>::as_mut_ptr) {
            Some(data) => (Kept::WrittenTensor { _tensor: tensor }, data, true),
            None => (Kept::Tensor(tensor), data, false),
        });
    }
    let (dtype, shape) = (tensor.dtype(), tensor.shape().to_vec());
    Ok(match tensor.into_data().try_into_mut() {
        Ok(mut elements) => {
            let data = elements.as_mut_ptr();
            (Kept::WrittenElements { _elements: elements }, data, true)
        }
        Err(elements) => {
            let tensor = Tensor::new(dtype, &shape, elements)
                .map_err(|error| PyValueError::new_err(error.to_string()))?;
            (Kept::Tensor(tensor), data, false)
        }
    })
}

/// The author's array that `owner` reads in place.
fn lent<T: 'static>(py: Python<'_>, owner: &dyn Foreign<T>) -> Option<Py<PyAny>> {
    owner.as_any().downcast_ref::<Hold<T>>().and_then(|hold| hold.array(py))
}

/// The packet's audio that an array was made over as a read-only view. Such an array cannot have been written to: numpy
/// refuses to make it writable, because its storage offers no writable buffer.
pub(crate) fn untouched_audio<'a>(array: &'a Bound<'_, PyUntypedArray>) -> Option<&'a AudioBuffer> {
    match storage(array)? {
        Kept::Audio(audio) => Some(audio),
        _ => None,
    }
}

/// As [`untouched_audio`], of a tensor.
pub(crate) fn untouched_tensor<'a>(array: &'a Bound<'_, PyUntypedArray>) -> Option<&'a Tensor> {
    match storage(array)? {
        Kept::Tensor(tensor) => Some(tensor),
        _ => None,
    }
}

/// Is `array` the only way to its memory, given that the caller has its only reference?
pub(crate) fn is_sole(array: &Bound<'_, PyUntypedArray>) -> bool {
    let fields = fields(array);
    if !is_held_once(array) || !fields.weakreflist.is_null() {
        return false;
    }
    // SAFETY: `base` is null or an object that the array keeps alive, which outlives the borrow of the array.
    let base = match unsafe { Borrowed::from_ptr_or_opt(array.py(), fields.base) } {
        None => return fields.flags & NPY_ARRAY_OWNDATA != 0,
        Some(base) => base,
    };
    match base.cast_exact::<PyUntypedArray>() {
        Ok(base) => is_sole(&base),
        Err(_) => {
            is_held_once(&base)
                && matches!(
                    storage(array),
                    Some(
                        Kept::WrittenAudio { .. } | Kept::WrittenTensor { .. } | Kept::WrittenElements { .. }
                    )
                )
        }
    }
}

/// Is there one reference only? The caller must have it: arguments of a call are held by the caller's caller.
pub(crate) fn is_held_once(object: &Bound<'_, PyAny>) -> bool {
    // SAFETY: the object is alive, and the reference count changes under the interpreter only, which is held.
    unsafe { ffi::Py_REFCNT(object.as_ptr()) == 1 }
}

fn storage<'a>(array: &'a Bound<'_, PyUntypedArray>) -> Option<&'a Kept> {
    let fields = fields(array);
    // SAFETY: `base` is null or an object that the array keeps alive, which outlives the borrow of the array.
    let storage = unsafe {
        if fields.base.is_null() {
            return None;
        }
        let storage_type = array.py().get_type::<Storage>();
        if ffi::Py_TYPE(fields.base) != storage_type.as_ptr().cast() {
            return None;
        }
        Borrowed::from_ptr(array.py(), fields.base).cast_unchecked::<Storage>()
    };
    let kept: *const Kept = &raw const storage.get().0;
    // SAFETY: the storage object is immutable (`frozen`) and lives as long as the array.
    Some(unsafe { &*kept })
}

/// What numpy knows of an array.
pub(crate) fn fields<'a>(array: &'a Bound<'_, PyUntypedArray>) -> &'a PyArrayObject_fields {
    // SAFETY: the pointer is that of a live array; its header is valid while the array is borrowed.
    unsafe { &*numpy::npyffi::_PyArray_GET_ITEM_DATA(array.as_array_ptr()) }
}

/// Where an array's first element is.
pub(crate) fn data(array: &Bound<'_, PyUntypedArray>) -> *const u8 {
    fields(array).data.cast_const().cast()
}

const fn type_num(dtype: DType) -> NPY_TYPES {
    match dtype {
        DType::Bool => NPY_TYPES::NPY_BOOL,
        DType::Uint8 => NPY_TYPES::NPY_UBYTE,
        DType::Int8 => NPY_TYPES::NPY_BYTE,
        DType::Uint16 => NPY_TYPES::NPY_USHORT,
        DType::Int16 => NPY_TYPES::NPY_SHORT,
        DType::Uint32 => NPY_TYPES::NPY_UINT,
        DType::Int32 => NPY_TYPES::NPY_INT,
        DType::Uint64 => {
            if LONG_IS_64 {
                NPY_TYPES::NPY_ULONG
            } else {
                NPY_TYPES::NPY_ULONGLONG
            }
        }
        DType::Int64 => {
            if LONG_IS_64 {
                NPY_TYPES::NPY_LONG
            } else {
                NPY_TYPES::NPY_LONGLONG
            }
        }
        DType::Float16 => NPY_TYPES::NPY_HALF,
        DType::Float32 => NPY_TYPES::NPY_FLOAT,
        DType::Float64 => NPY_TYPES::NPY_DOUBLE,
    }
}

pub(crate) const LONG_IS_64: bool = size_of::<std::ffi::c_long>() == 8;
