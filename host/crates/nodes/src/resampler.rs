//! Rate conversion of one stream: fixed internal blocks, so the result does not depend on how the stream was cut;
//! delay taken off the front; exactly round(n · out / in) frames in the end. No packets, no times.

mod engine;
mod pool;
mod recordings;

use remotemedia_core::NodeError;
use rubato::audioadapter_buffers::direct::InterleavedSlice;

pub(crate) use engine::Bandwidth;
use engine::Engine;
use pool::Conversion;
pub(crate) use recordings::{Recordings, check_rate};

/// Converts interleaved `f32` frames from one rate to another.
pub(crate) struct Resampler {
    engine: Engine,
    conversion: Conversion,
    channels: usize,
    /// Interleaved input that does not fill a block yet.
    pending: Vec<f32>,
    /// Output frames still to be dropped: the engine's delay.
    to_skip: usize,
    frames_in: u64,
    frames_out: u64,
}

impl Resampler {
    pub(crate) fn new(
        input_rate_hz: u32,
        output_rate_hz: u32,
        channels: u16,
        bandwidth: Bandwidth,
    ) -> Result<Self, NodeError> {
        let channels = usize::from(channels);
        let conversion = Conversion { input_rate_hz, output_rate_hz, channels, bandwidth };
        let engine = match pool::take(conversion) {
            Some(engine) => engine,
            None => Engine::new(input_rate_hz, output_rate_hz, channels, bandwidth).map_err(|error| {
                NodeError::internal(format!(
                    "no resampler from {input_rate_hz} to {output_rate_hz} Hz: {error}"
                ))
            })?,
        };
        let pending = Vec::with_capacity((engine.block_frames() + engine.leading_silence) * channels);
        let mut resampler =
            Self { engine, conversion, channels, pending, to_skip: 0, frames_in: 0, frames_out: 0 };
        resampler.rewind()?;
        Ok(resampler)
    }

    /// To the start of a stream.
    fn rewind(&mut self) -> Result<(), NodeError> {
        self.engine.rewind().map_err(NodeError::internal)?;
        self.pending.clear();
        self.pending.resize(self.engine.leading_silence * self.channels, 0.0);
        self.to_skip = self.engine.delay_frames;
        (self.frames_in, self.frames_out) = (0, 0);
        Ok(())
    }

    /// Does it convert such streams?
    pub(crate) fn converts(&self, input_rate_hz: u32, channels: u16) -> bool {
        self.conversion.input_rate_hz == input_rate_hz && self.channels == usize::from(channels)
    }

    /// Leaves what was expensive to make to the next one of its kind.
    pub(crate) fn retire(self) {
        pool::give_back(self.conversion, self.engine);
    }

    /// How many frames came out so far.
    pub(crate) fn frames_out(&self) -> u64 {
        self.frames_out
    }

    /// Takes whole frames, which `append` adds to the buffer it is given, and returns the frames that are ready.
    pub(crate) fn push(&mut self, append: impl FnOnce(&mut Vec<f32>)) -> Result<Vec<f32>, NodeError> {
        let before = self.pending.len();
        append(&mut self.pending);
        self.frames_in += ((self.pending.len() - before) / self.channels) as u64;
        let mut output = Vec::new();
        self.run_pending(&mut output)?;
        self.frames_out += (output.len() / self.channels) as u64;
        Ok(output)
    }

    /// The frames that are still due at the end of the stream.
    pub(crate) fn finish(&mut self) -> Result<Vec<f32>, NodeError> {
        let due = self.total_frames().saturating_sub(self.frames_out) as usize * self.channels;
        let mut output = Vec::with_capacity(due);
        self.run_until(due, &mut output)?;
        self.frames_out += (due / self.channels) as u64;
        Ok(output)
    }

    /// A stream that is here as a whole, from its start to its end, without a copy of it.
    fn whole(&mut self, samples: &[f32]) -> Result<Vec<f32>, NodeError> {
        self.rewind()?;
        self.frames_in = (samples.len() / self.channels) as u64;
        let due = self.total_frames() as usize * self.channels;
        let block = self.engine.block_frames() * self.channels;
        let mut output = Vec::with_capacity(due + self.engine.rubato.output_frames_max() * self.channels);
        self.run_pending(&mut output)?;
        // What is left of the leading silence shares a block with the first samples.
        let shared = if self.pending.is_empty() { 0 } else { samples.len().min(block - self.pending.len()) };
        let (shared, rest) = samples.split_at(shared);
        self.pending.extend_from_slice(shared);
        self.run_pending(&mut output)?;
        let used = self.run_blocks(rest, &mut output)?;
        self.pending.extend_from_slice(&rest[used..]);
        self.run_until(due, &mut output)?;
        Ok(output)
    }

    /// round(frames in · output rate / input rate), halves up.
    fn total_frames(&self) -> u64 {
        let Conversion { input_rate_hz, output_rate_hz, .. } = self.conversion;
        let (input, output) = (u128::from(input_rate_hz), u128::from(output_rate_hz));
        let twice = 2 * u128::from(self.frames_in) * output + input;
        u64::try_from(twice / (2 * input)).unwrap_or(u64::MAX)
    }

    /// Goes on with silence until `output` has `due` samples, and cuts it off there.
    fn run_until(&mut self, due: usize, output: &mut Vec<f32>) -> Result<(), NodeError> {
        while output.len() < due {
            let block = self.engine.block_frames() * self.channels;
            self.pending.resize(self.pending.len().max(block), 0.0);
            self.run_pending(output)?;
        }
        output.truncate(due);
        Ok(())
    }

    /// Converts every whole block of `pending`.
    fn run_pending(&mut self, output: &mut Vec<f32>) -> Result<(), NodeError> {
        let mut pending = std::mem::take(&mut self.pending);
        let used = self.run_blocks(&pending, output);
        pending.drain(..*used.as_ref().unwrap_or(&0));
        self.pending = pending;
        used.map(drop)
    }

    /// Converts every whole block of `input`, and says how many samples they were.
    fn run_blocks(&mut self, input: &[f32], output: &mut Vec<f32>) -> Result<usize, NodeError> {
        let mut start = 0;
        loop {
            let block = self.engine.block_frames() * self.channels;
            let Some(samples) = input.get(start..start + block) else { return Ok(start) };
            self.engine.convert(samples, self.channels, output).map_err(NodeError::internal)?;
            start += block;
            let skipped = self.to_skip.min(output.len() / self.channels);
            if skipped > 0 {
                output.drain(..skipped * self.channels);
                self.to_skip -= skipped;
            }
        }
    }
}

impl Engine {
    /// Converts one block of interleaved frames and appends the result.
    fn convert(&mut self, input: &[f32], channels: usize, output: &mut Vec<f32>) -> Result<(), String> {
        let frames = self.rubato.output_frames_next();
        let start = output.len();
        output.resize(start + frames * channels, 0.0);
        let source = InterleavedSlice::new(input, channels, input.len() / channels);
        let target = InterleavedSlice::new_mut(&mut output[start..], channels, frames);
        let (source, mut target) =
            source.and_then(|source| Ok((source, target?))).map_err(|e| e.to_string())?;
        self.rubato.process_into_buffer(&source, &mut target, None).map_err(|e| e.to_string())?;
        Ok(())
    }
}
