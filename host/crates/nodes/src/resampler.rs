//! Rate conversion of one stream: fixed internal blocks, so the result does not depend on how the stream was cut;
//! delay taken off the front; exactly round(n · out / in) frames in the end. No packets, no times.

mod engine;

use remotemedia_core::NodeError;
use rubato::audioadapter_buffers::direct::InterleavedSlice;

pub(crate) use engine::Bandwidth;
use engine::Engine;

/// Converts interleaved `f32` frames from one rate to another.
pub(crate) struct Resampler {
    engine: Engine,
    channels: usize,
    input_rate_hz: u32,
    output_rate_hz: u32,
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
        let engine = Engine::new(input_rate_hz, output_rate_hz, channels, bandwidth).map_err(|error| {
            NodeError::internal(format!("no resampler from {input_rate_hz} to {output_rate_hz} Hz: {error}"))
        })?;
        let mut pending = Vec::with_capacity((engine.block_frames() + engine.leading_silence) * channels);
        pending.resize(engine.leading_silence * channels, 0.0);
        let to_skip = engine.delay_frames;
        Ok(Self {
            engine,
            channels,
            input_rate_hz,
            output_rate_hz,
            pending,
            to_skip,
            frames_in: 0,
            frames_out: 0,
        })
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
        self.run_blocks(&mut output)?;
        self.frames_out += (output.len() / self.channels) as u64;
        Ok(output)
    }

    /// The frames that are still due at the end of the stream.
    pub(crate) fn finish(&mut self) -> Result<Vec<f32>, NodeError> {
        let due = self.total_frames().saturating_sub(self.frames_out) as usize * self.channels;
        let mut output = Vec::with_capacity(due);
        while output.len() < due {
            let block = self.engine.block_frames() * self.channels;
            self.pending.resize(self.pending.len().max(block), 0.0);
            self.run_blocks(&mut output)?;
        }
        output.truncate(due);
        self.frames_out += (due / self.channels) as u64;
        Ok(output)
    }

    /// round(frames in · output rate / input rate), halves up.
    fn total_frames(&self) -> u64 {
        let (input, output) = (u128::from(self.input_rate_hz), u128::from(self.output_rate_hz));
        let twice = 2 * u128::from(self.frames_in) * output + input;
        u64::try_from(twice / (2 * input)).unwrap_or(u64::MAX)
    }

    /// Converts every whole block of `pending`.
    fn run_blocks(&mut self, output: &mut Vec<f32>) -> Result<(), NodeError> {
        let mut start = 0;
        loop {
            let block = self.engine.block_frames() * self.channels;
            let Some(input) = self.pending.get(start..start + block) else { break };
            self.engine.convert(input, self.channels, output).map_err(NodeError::internal)?;
            start += block;
            let skipped = self.to_skip.min(output.len() / self.channels);
            if skipped > 0 {
                output.drain(..skipped * self.channels);
                self.to_skip -= skipped;
            }
        }
        self.pending.drain(..start);
        Ok(())
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
