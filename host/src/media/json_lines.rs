//! JSON lines: one value per line, in both directions, and how a payload looks as JSON.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use remotemedia_core::{DType, Payload, Tensor};
use serde_json::{Value, json};

use super::pipe::Pipe;
use super::{FileKind, MediaError, OutputFile};

/// The longest line that is read: a value, not a file.
const MOST_LINE_BYTES: u64 = 64 * 1024 * 1024;

/// A file of JSON values being read.
pub struct JsonLines {
    path: PathBuf,
    reader: Box<dyn BufRead>,
    line: u64,
}

impl JsonLines {
    /// Opens a file; `-` is standard input.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(path: &Path) -> Result<Self, MediaError> {
        let fail = |source| MediaError::io("open", path, source);
        let reader: Box<dyn BufRead> = if FileKind::of(path) == FileKind::Pipe {
            Box::new(BufReader::new(Pipe::new(io::stdin()).map_err(fail)?))
        } else {
            let file = File::open(path).map_err(fail)?;
            match file.metadata() {
                Ok(metadata) if metadata.is_file() => Box::new(BufReader::new(file)),
                _ => Box::new(BufReader::new(Pipe::new(file).map_err(fail)?)),
            }
        };
        Ok(Self { path: path.into(), reader, line: 0 })
    }

    /// The next value; empty lines are skipped; `None` at the end.
    ///
    /// # Errors
    /// When a line is not UTF-8, not one JSON value, or longer than 64 MiB.
    pub fn next_value(&mut self) -> Result<Option<Value>, MediaError> {
        loop {
            let mut bytes = Vec::new();
            let read = (&mut self.reader).take(MOST_LINE_BYTES).read_until(b'\n', &mut bytes);
            let read = read.map_err(|source| MediaError::io("read", &self.path, source))?;
            if read == 0 {
                return Ok(None);
            }
            self.line += 1;
            if read as u64 == MOST_LINE_BYTES {
                return Err(MediaError::damaged(
                    &self.path,
                    format!("line {} is longer than 64 MiB", self.line),
                ));
            }
            if bytes.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            return serde_json::from_slice(&bytes).map(Some).map_err(|error| {
                MediaError::damaged(&self.path, format!("line {} is not one JSON value ({error})", self.line))
            });
        }
    }
}

/// A file of JSON values being written.
pub struct JsonLinesWriter {
    path: PathBuf,
    sink: Sink,
}

enum Sink {
    File(OutputFile),
    Stdout(io::Stdout),
}

impl JsonLinesWriter {
    /// Begins a file; `-` is standard output.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn create(path: &Path) -> Result<Self, MediaError> {
        if FileKind::of(path) == FileKind::Pipe {
            return Ok(Self { path: path.into(), sink: Sink::Stdout(io::stdout()) });
        }
        Ok(Self::to(path, OutputFile::create(path)?))
    }

    /// Writes into `file`, which will be `path`.
    #[must_use]
    pub fn to(path: &Path, file: OutputFile) -> Self {
        Self { path: path.into(), sink: Sink::File(file) }
    }

    /// Appends one line.
    ///
    /// # Errors
    /// When the disk is full or the pipe is closed.
    pub fn write(&mut self, value: &Value) -> Result<(), MediaError> {
        let mut line = value.to_string();
        line.push('\n');
        match &mut self.sink {
            Sink::File(file) => file.write_all(line.as_bytes()),
            Sink::Stdout(stdout) => stdout.write_all(line.as_bytes()),
        }
        .map_err(|source| MediaError::io("write", &self.path, source))
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// When the last bytes cannot be written.
    pub fn finish(self) -> Result<(), MediaError> {
        match self.sink {
            Sink::File(file) => file.commit(),
            Sink::Stdout(mut stdout) => {
                stdout.flush().map_err(|source| MediaError::io("write", &self.path, source))
            }
        }
    }
}

/// A payload as JSON: values as they are, tensors as `{dtype, shape, data}`, bytes as `{base64}`, audio by its
/// caps and length (its samples belong into audio files), and an object of a runtime by the name of its type.
#[must_use]
pub fn payload_to_json(payload: &Payload) -> Value {
    match payload {
        Payload::Json(value) => Value::clone(value),
        Payload::Text(text) => Value::String(text.to_string()),
        Payload::Audio(audio) => {
            let spec = audio.spec();
            json!({
                "sample_rate_hz": spec.sample_rate_hz,
                "channels": spec.channels,
                "frames": audio.frames(),
            })
        }
        Payload::Tensor(tensor) => json!({
            "dtype": tensor.dtype().name(),
            "shape": tensor.shape(),
            "data": tensor_values(tensor),
        }),
        Payload::Bytes(bytes) => json!({"base64": STANDARD.encode(bytes)}),
        Payload::Object(object) => json!({"object": object.type_name()}),
    }
}

/// The elements in row-major order. JSON has no NaN or infinity: they become null.
fn tensor_values(tensor: &Tensor) -> Vec<Value> {
    let width = tensor.dtype().bytes_per_element();
    tensor.data().chunks_exact(width).map(|bytes| element(tensor.dtype(), bytes)).collect()
}

fn element(dtype: DType, bytes: &[u8]) -> Value {
    fn number<const N: usize, T: Into<Value>>(bytes: &[u8], read: fn([u8; N]) -> T) -> Value {
        bytes.try_into().map_or(Value::Null, |bytes| read(bytes).into())
    }
    match dtype {
        DType::Bool => Value::Bool(bytes.first().is_some_and(|&byte| byte != 0)),
        DType::Uint8 => number(bytes, u8::from_le_bytes),
        DType::Int8 => number(bytes, i8::from_le_bytes),
        DType::Uint16 => number(bytes, u16::from_le_bytes),
        DType::Int16 => number(bytes, i16::from_le_bytes),
        DType::Uint32 => number(bytes, u32::from_le_bytes),
        DType::Int32 => number(bytes, i32::from_le_bytes),
        DType::Uint64 => number(bytes, u64::from_le_bytes),
        DType::Int64 => number(bytes, i64::from_le_bytes),
        DType::Float16 => number(bytes, |bytes| half_to_f32(u16::from_le_bytes(bytes))),
        DType::Float32 => number(bytes, f32::from_le_bytes),
        DType::Float64 => number(bytes, f64::from_le_bytes),
    }
}

/// IEEE 754 binary16, widened exactly.
fn half_to_f32(half: u16) -> f32 {
    let sign = if half >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(half >> 10 & 0x1f), f32::from(half & 0x3ff));
    sign * match exponent {
        0 => fraction * 2_f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1.0 + fraction / 1024.0) * 2_f32.powi(exponent - 15),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[test]
    fn halves_widen_to_the_values_of_the_standard() {
        // Values from IEEE 754-2008, table 3.5 and its text: 1, -2, 65504 (largest), 2^-24 (smallest), 1/3 rounded.
        for (bits, value) in [
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x0001, 5.960_464_5e-8),
            (0x3555, 0.333_251_95),
        ] {
            assert_eq!(half_to_f32(bits), value, "{bits:#x}");
        }
        assert!(half_to_f32(0x7e00).is_nan() && half_to_f32(0xfc00) == f32::NEG_INFINITY);
    }

    #[test]
    fn a_tensor_shows_its_shape_and_elements() {
        let data: Vec<u8> = [1.5_f32, -2.0, f32::NAN, 0.0].iter().flat_map(|v| v.to_le_bytes()).collect();
        let tensor = Tensor::new(DType::Float32, &[2, 2], Bytes::from(data)).unwrap();
        let value = payload_to_json(&tensor.into());
        assert_eq!(value, json!({"dtype": "float32", "shape": [2, 2], "data": [1.5, -2.0, null, 0.0]}));
    }

    #[test]
    fn bytes_are_base64_and_text_is_a_string() {
        // RFC 4648, section 10.
        assert_eq!(payload_to_json(&Bytes::from_static(b"foobar").into()), json!({"base64": "Zm9vYmFy"}));
        assert_eq!(payload_to_json(&"a \"b\"".into()), json!("a \"b\""));
    }

    #[test]
    fn a_line_that_is_not_json_is_named_by_its_number() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("values.jsonl");
        std::fs::write(&path, "1\n\n{\"a\": [2]}\n{oops}\n").unwrap();
        let mut lines = JsonLines::open(&path).unwrap();
        assert_eq!(lines.next_value().unwrap(), Some(json!(1)));
        assert_eq!(lines.next_value().unwrap(), Some(json!({"a": [2]})));
        let error = lines.next_value().unwrap_err().to_string();
        assert!(error.contains("line 4"), "{error}");
    }
}
