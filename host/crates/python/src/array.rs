//! numpy arrays over the host's samples and elements, and back.
//!
//! Into Python nothing is copied: an array points into the packet's storage, and its `base` object keeps that storage
//! alive for as long as Python holds the array. It is writable only when nobody else shares the storage. Out of
//! Python samples are copied once, because the author may keep the array and change it later; an untouched read-only
//! view of a packet is recognised and handed back as it was.
#![expect(unsafe_code, reason = "numpy arrays over foreign memory are made through numpy's C API only")]

use std::ffi::{c_int, c_void};

use bytes::{Bytes, BytesMut};
use numpy::npyffi::{NPY_ARRAY_WRITEABLE, NPY_TYPES, PY_ARRAY_API};
use numpy::{PyArrayDescrMethods, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;
use remotemedia_core::{AudioBuffer, DType, Tensor};

/// The `base` of every array made here: owns the storage that the array points into.
#[pyclass(frozen, name = "PacketStorage", module = "remotemedia")]
struct Storage(Kept);

/// What Python may write to is held for its destructor only: nothing here reads it again.
enum Kept {
    Audio(AudioBuffer),
    Tensor(Tensor),
    WrittenAudio { _samples: AudioBuffer },
    WrittenTensor { _elements: BytesMut },
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
    let writable = audio.is_unshared();
    let data = if writable { audio.as_f32_mut().map(<[f32]>::as_mut_ptr) } else { None };
    let data = data.or_else(|| audio.as_f32().map(|samples| samples.as_ptr().cast_mut()));
    let data = data.ok_or_else(|| PyValueError::new_err("audio without samples"))?;
    let channels = isize::try_from(spec.channels).unwrap_or(1);
    let width = size_of::<f32>().cast_signed();
    let mut shape = [channels, audio.frames().cast_signed()];
    let mut strides = [width, width * channels];
    let kept = if writable { Kept::WrittenAudio { _samples: audio } } else { Kept::Audio(audio) };
    // SAFETY: `data` is the start of `channels * frames` interleaved f32 that `audio` keeps at this address; a
    // sole owner moves into the storage, where nothing reads or writes its samples while Python may write.
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
    let (dtype, own_shape) = (tensor.dtype(), tensor.shape().to_vec());
    let (storage, data, writable) = match tensor.into_data().try_into_mut() {
        Ok(mut elements) => {
            let data = elements.as_mut_ptr();
            (Kept::WrittenTensor { _elements: elements }, data, true)
        }
        Err(elements) => {
            let data = elements.as_ptr().cast_mut();
            let tensor = Tensor::new(dtype, &own_shape, elements)
                .map_err(|error| PyValueError::new_err(error.to_string()))?;
            (Kept::Tensor(tensor), data, false)
        }
    };
    // SAFETY: the tensor's data fills its row-major shape, and the storage keeps the data at this address. Elements
    // that may be written are in a `BytesMut`, which has no other owner.
    unsafe { view(py, Storage(storage), type_num, (&mut shape, &mut strides), data.cast(), writable) }
}

/// The samples of a floating-point array of shape `(channels, frames)` or `(frames,)`; `None` for any other array.
/// Other floats than float32 are rounded to it.
pub(crate) fn array_to_audio(
    array: &Bound<'_, PyUntypedArray>,
    sample_rate_hz: u32,
) -> PyResult<Option<AudioBuffer>> {
    let number = array.dtype().num();
    let is_float =
        [NPY_TYPES::NPY_HALF, NPY_TYPES::NPY_FLOAT, NPY_TYPES::NPY_DOUBLE, NPY_TYPES::NPY_LONGDOUBLE]
            .iter()
            .any(|float| *float as c_int == number);
    let (channels, frames) = match *array.shape() {
        [frames] => (1, frames),
        [channels, frames] => (channels, frames),
        _ => return Ok(None),
    };
    let Ok(channels) = u16::try_from(channels) else { return Ok(None) };
    if !is_float || channels == 0 || sample_rate_hz == 0 {
        return Ok(None);
    }
    if let Some(Kept::Audio(audio)) = untouched(array)
        && audio.spec().sample_rate_hz == sample_rate_hz
        && audio.spec().channels == channels
        && audio.frames() == frames
        && audio.as_f32().is_some_and(|samples| samples.as_ptr().cast() == data(array))
    {
        return Ok(Some(audio.clone()));
    }
    let samples = if number == NPY_TYPES::NPY_FLOAT as c_int && is_native(array) {
        interleave(array, usize::from(channels), frames)
    } else {
        let converted = array.call_method1("astype", ("float32",))?;
        interleave(converted.cast()?, usize::from(channels), frames)
    };
    AudioBuffer::from_f32(sample_rate_hz, channels, samples)
        .map(Some)
        .map_err(|error| PyValueError::new_err(error.to_string()))
}

/// The elements of an array of numbers; `None` for element types that tensors do not have.
pub(crate) fn array_to_tensor(array: &Bound<'_, PyUntypedArray>) -> PyResult<Option<Tensor>> {
    let Some(dtype) = dtype(array.dtype().num()) else { return Ok(None) };
    if let Some(Kept::Tensor(tensor)) = untouched(array)
        && tensor.shape() == array.shape()
        && tensor.dtype() == dtype
        && array.is_c_contiguous()
        && tensor.data().as_ptr() == data(array)
    {
        return Ok(Some(tensor.clone()));
    }
    let bytes = if is_native(array) && array.is_c_contiguous() {
        elements(array)
    } else {
        let descriptor = array.dtype().call_method1("newbyteorder", ("=",))?;
        let arguments = PyDict::new(array.py());
        arguments.set_item("order", "C")?;
        elements(array.call_method("astype", (descriptor,), Some(&arguments))?.cast()?)
    };
    Tensor::new(dtype, array.shape(), bytes)
        .map(Some)
        .map_err(|error| PyValueError::new_err(error.to_string()))
}

/// What an array was made over, when it was made here as a read-only one. Such an array cannot have been written to:
/// numpy refuses to make it writable, because its storage offers no writable buffer.
fn untouched<'a>(array: &'a Bound<'_, PyUntypedArray>) -> Option<&'a Kept> {
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

fn fields<'a>(array: &'a Bound<'_, PyUntypedArray>) -> &'a numpy::npyffi::objects::PyArrayObject_fields {
    // SAFETY: the pointer is that of a live array; its header is valid while the array is borrowed.
    unsafe { &*numpy::npyffi::_PyArray_GET_ITEM_DATA(array.as_array_ptr()) }
}

fn data(array: &Bound<'_, PyUntypedArray>) -> *const u8 {
    fields(array).data.cast_const().cast()
}

fn is_native(array: &Bound<'_, PyUntypedArray>) -> bool {
    array.dtype().is_native_byteorder() != Some(false)
}

/// Copies a native float32 array of `channels * frames` elements, whatever its strides, in interleaved order.
fn interleave(array: &Bound<'_, PyUntypedArray>, channels: usize, frames: usize) -> Vec<f32> {
    let count = channels * frames;
    let mut samples = Vec::with_capacity(count);
    if count == 0 {
        return samples;
    }
    let strides = array.strides();
    let (by_channel, by_frame) = match *strides {
        [by_frame] => (0, by_frame),
        [by_channel, by_frame] => (by_channel, by_frame),
        _ => return samples,
    };
    let width = size_of::<f32>().cast_signed();
    let start = data(array);
    let is_interleaved = by_frame == width * channels.cast_signed() && (channels == 1 || by_channel == width);
    // SAFETY: numpy guarantees that every index within the shape addresses a live element of the array, of 4 bytes
    // of any alignment; the caller is attached to the interpreter, so no Python code frees the array meanwhile, and
    // `samples` has room for `count` values, all of which are written before its length is set.
    unsafe {
        if is_interleaved {
            std::ptr::copy_nonoverlapping(start, samples.as_mut_ptr().cast::<u8>(), count * size_of::<f32>());
        } else {
            let target: *mut f32 = samples.as_mut_ptr();
            for channel in 0..channels {
                let mut source = start.offset(by_channel * channel.cast_signed());
                for frame in 0..frames {
                    target.add(frame * channels + channel).write(source.cast::<f32>().read_unaligned());
                    source = source.wrapping_offset(by_frame);
                }
            }
        }
        samples.set_len(count);
    }
    samples
}

/// Copies the bytes of a C-contiguous array.
fn elements(array: &Bound<'_, PyUntypedArray>) -> Bytes {
    let count: usize = array.shape().iter().product();
    let length = count * array.dtype().itemsize();
    if length == 0 {
        return Bytes::new();
    }
    // SAFETY: a C-contiguous array is one block of `length` initialised bytes; no Python code runs during the copy.
    Bytes::copy_from_slice(unsafe { std::slice::from_raw_parts(data(array), length) })
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

const LONG_IS_64: bool = size_of::<std::ffi::c_long>() == 8;

fn dtype(number: c_int) -> Option<DType> {
    let numbers: [(NPY_TYPES, DType); 14] = [
        (NPY_TYPES::NPY_FLOAT, DType::Float32),
        (NPY_TYPES::NPY_DOUBLE, DType::Float64),
        (NPY_TYPES::NPY_HALF, DType::Float16),
        (NPY_TYPES::NPY_BOOL, DType::Bool),
        (NPY_TYPES::NPY_BYTE, DType::Int8),
        (NPY_TYPES::NPY_UBYTE, DType::Uint8),
        (NPY_TYPES::NPY_SHORT, DType::Int16),
        (NPY_TYPES::NPY_USHORT, DType::Uint16),
        (NPY_TYPES::NPY_INT, DType::Int32),
        (NPY_TYPES::NPY_UINT, DType::Uint32),
        (NPY_TYPES::NPY_LONG, if LONG_IS_64 { DType::Int64 } else { DType::Int32 }),
        (NPY_TYPES::NPY_ULONG, if LONG_IS_64 { DType::Uint64 } else { DType::Uint32 }),
        (NPY_TYPES::NPY_LONGLONG, DType::Int64),
        (NPY_TYPES::NPY_ULONGLONG, DType::Uint64),
    ];
    numbers.into_iter().find_map(|(known, dtype)| (known as c_int == number).then_some(dtype))
}
