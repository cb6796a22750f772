//! numpy arrays as packets: in place where that is possible, else copied once.
//!
//! In place is possible for samples that are interleaved `float32` (one dimension, one channel, or a `(channels, frames)`
//! array in Fortran order) and for row-major elements, both in the byte order of this machine. An untouched
//! read-only view of a packet is recognised and handed back as it was.
#![expect(unsafe_code, reason = "an array's memory is read by its address")]

use std::ffi::c_int;
use std::ptr::NonNull;

use bytes::Bytes;
use numpy::npyffi::{NPY_ARRAY_WRITEABLE, NPY_TYPES};
use numpy::{PyArrayDescrMethods, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use remotemedia_core::{AudioBuffer, DType, Tensor};

use crate::array::{LONG_IS_64, data, fields, is_sole, untouched_audio, untouched_tensor};
use crate::loan::{lend, take};

/// What a packet may do with the memory of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Terms {
    /// Nothing: copy it.
    Copy,
    /// Read it during the call that loans are open for, if there is one.
    Lend,
    /// Have it, if the reference that the caller gives away is the only one.
    Take,
}

/// The samples of a floating-point array of shape `(channels, frames)` or `(frames,)`; `None` for any other array.
/// Other floats than float32 are rounded to it.
pub(crate) fn array_to_audio(
    array: &Bound<'_, PyUntypedArray>,
    sample_rate_hz: u32,
    terms: Terms,
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
    if let Some(audio) = untouched_audio(array)
        && audio.spec().sample_rate_hz == sample_rate_hz
        && audio.spec().channels == channels
        && audio.frames() == frames
        && audio.as_f32().is_some_and(|samples| samples.as_ptr().cast() == data(array))
    {
        return Ok(Some(audio.clone()));
    }
    if number != NPY_TYPES::NPY_FLOAT as c_int || !is_native(array) {
        let converted = array.call_method1("astype", ("float32",))?;
        return array_to_audio(converted.cast()?, sample_rate_hz, Terms::Take);
    }
    let count = usize::from(channels) * frames;
    let start = NonNull::new(data(array).cast_mut().cast::<f32>()).filter(|start| start.is_aligned());
    let audio = match start {
        Some(start) if count > 0 && is_interleaved(array, usize::from(channels), frames) => match terms {
            Terms::Take if is_sole(array) => {
                // SAFETY: `count` floats are there, interleaved, as just found out; the array is the only way to them and
                // the caller, who gives its reference away, the only one to the array.
                let owner = unsafe { take(held(array), start, count, is_writable(array)) };
                Some(AudioBuffer::from_foreign(sample_rate_hz, channels, owner))
            }
            // SAFETY: as above; the author's array is held.
            Terms::Lend => unsafe { lend(array, start, count) }
                .map(|owner| AudioBuffer::from_foreign(sample_rate_hz, channels, owner)),
            Terms::Copy | Terms::Take => None,
        },
        _ => None,
    };
    audio
        .unwrap_or_else(|| {
            let samples = interleave(array, usize::from(channels), frames);
            AudioBuffer::from_f32(sample_rate_hz, channels, samples)
        })
        .map(Some)
        .map_err(|error| PyValueError::new_err(error.to_string()))
}

/// The elements of an array of numbers; `None` for element types that tensors do not have, another byte order than
/// this machine's included.
pub(crate) fn array_to_tensor(array: &Bound<'_, PyUntypedArray>, terms: Terms) -> PyResult<Option<Tensor>> {
    let Some(dtype) = dtype(array.dtype().num()).filter(|_| is_native(array)) else { return Ok(None) };
    if let Some(tensor) = untouched_tensor(array)
        && tensor.shape() == array.shape()
        && tensor.dtype() == dtype
        && array.is_c_contiguous()
        && tensor.data().as_ptr() == data(array)
    {
        return Ok(Some(tensor.clone()));
    }
    if !array.is_c_contiguous() {
        let arguments = PyDict::new(array.py());
        arguments.set_item("order", "C")?;
        let copied = array.call_method("copy", (), Some(&arguments))?;
        return array_to_tensor(copied.cast()?, Terms::Take);
    }
    let shape = array.shape();
    let length = shape.iter().product::<usize>() * dtype.bytes_per_element();
    let tensor = match NonNull::new(data(array).cast_mut()).filter(|_| length > 0) {
        Some(start) => match terms {
            Terms::Take if is_sole(array) => {
                // SAFETY: a C-contiguous array is one block of `length` initialised bytes; the array is the only way to
                // them and the caller, who gives its reference away, the only one to the array.
                let owner = unsafe { take(held(array), start, length, is_writable(array)) };
                Some(Tensor::from_foreign(dtype, shape, owner))
            }
            // SAFETY: as above; the author's array is held.
            Terms::Lend => {
                unsafe { lend(array, start, length) }.map(|owner| Tensor::from_foreign(dtype, shape, owner))
            }
            Terms::Copy | Terms::Take => None,
        },
        None => None,
    };
    tensor
        .unwrap_or_else(|| Tensor::new(dtype, shape, elements(array, length)))
        .map(Some)
        .map_err(|error| PyValueError::new_err(error.to_string()))
}

fn held(array: &Bound<'_, PyUntypedArray>) -> Py<PyAny> {
    array.clone().into_any().unbind()
}

fn is_native(array: &Bound<'_, PyUntypedArray>) -> bool {
    array.dtype().is_native_byteorder() != Some(false)
}

fn is_writable(array: &Bound<'_, PyUntypedArray>) -> bool {
    fields(array).flags & NPY_ARRAY_WRITEABLE != 0
}

/// (bytes from a channel to the next, bytes from a frame to the next).
fn steps(array: &Bound<'_, PyUntypedArray>) -> (isize, isize) {
    match *array.strides() {
        [by_frame] => (0, by_frame),
        [by_channel, by_frame] => (by_channel, by_frame),
        _ => (0, 0),
    }
}

fn is_interleaved(array: &Bound<'_, PyUntypedArray>, channels: usize, frames: usize) -> bool {
    let (by_channel, by_frame) = steps(array);
    let width = size_of::<f32>().cast_signed();
    (frames == 1 || by_frame == width * channels.cast_signed()) && (channels == 1 || by_channel == width)
}

/// Copies a native float32 array of `channels * frames` elements, whatever its strides, in interleaved order.
fn interleave(array: &Bound<'_, PyUntypedArray>, channels: usize, frames: usize) -> Vec<f32> {
    let count = channels * frames;
    let mut samples = Vec::with_capacity(count);
    if count == 0 {
        return samples;
    }
    let (by_channel, by_frame) = steps(array);
    let start = data(array);
    // SAFETY: numpy guarantees that every index within the shape addresses a live element of the array, of 4 bytes
    // of any alignment; the caller is attached to the interpreter, so no Python code frees the array meanwhile, and
    // `samples` has room for `count` values, all of which are written before its length is set.
    unsafe {
        if is_interleaved(array, channels, frames) {
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

/// Copies the `length` bytes of a C-contiguous array.
fn elements(array: &Bound<'_, PyUntypedArray>, length: usize) -> Bytes {
    if length == 0 {
        return Bytes::new();
    }
    // SAFETY: a C-contiguous array is one block of `length` initialised bytes; no Python code runs during the copy.
    Bytes::copy_from_slice(unsafe { std::slice::from_raw_parts(data(array), length) })
}

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
