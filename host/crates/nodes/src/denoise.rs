//! Denoise: takes steady noise out of speech with RNNoise's network, by the nnnoiseless crate.
//!
//! Source: Valin, "A Hybrid DSP/Deep Learning Approach to Real-Time Full-Band Speech Enhancement", MMSP 2018.

use nnnoiseless::DenoiseState;
use remotemedia_core::{AudioBuffer, Node, NodeDescriptor, NodeError, Outputs, Packet, PayloadKind, Port};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::input::{self, AudioStream};
use crate::node_type::NativeNode;
use crate::pcm::sane;

const RATE_HZ: u32 = 48_000;
/// The network works on 10 ms at a time, and answers one frame late.
const FRAME: usize = DenoiseState::FRAME_SIZE;
/// It was trained on samples of ±32768.
const FULL_SCALE: f32 = 32_768.0;

/// Denoise takes no params.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DenoiseParams {}

/// Suppresses noise in speech of 48 kHz. The output is `f32`, as long as the input and without delay; its samples do not
/// depend on how the input was cut into packets. Each channel is treated on its own. NaN and infinite samples count as
/// silence, louder ones than +120 dBFS as +120 dBFS. The rate and channel count of a stream may not change.
pub struct Denoise {
    running: Option<Running>,
}

struct Running {
    stream: AudioStream,
    channels: Vec<Box<DenoiseState<'static>>>,
    /// Interleaved input that does not fill a frame yet, at ±32768.
    pending: Vec<f32>,
    /// True until the first frame, which belongs to the time before the stream, was dropped.
    warming_up: bool,
    frames_in: u64,
    frames_out: u64,
}

impl NativeNode for Denoise {
    type Params = DenoiseParams;
    const NODE_TYPE: &'static str = "Denoise";

    fn descriptor() -> NodeDescriptor {
        let summary = "Suppresses noise in 48 kHz speech (RNNoise).";
        NodeDescriptor::transform(Self::NODE_TYPE, PayloadKind::Audio, summary)
    }

    fn from_params(_: DenoiseParams) -> Result<Self, NodeError> {
        Ok(Self { running: None })
    }
}

impl Running {
    fn new(pts_ns: i64, audio: &AudioBuffer) -> Result<Self, NodeError> {
        let spec = audio.spec();
        if spec.sample_rate_hz != RATE_HZ {
            return Err(NodeError::invalid_input(format!(
                "noise is suppressed at {RATE_HZ} Hz only, the input has {} Hz: put an AudioResample with \
                 target_sample_rate {RATE_HZ} before this node",
                spec.sample_rate_hz
            )));
        }
        Ok(Self {
            stream: AudioStream { spec, origin_ns: pts_ns },
            channels: (0..spec.channels).map(|_| DenoiseState::new()).collect(),
            pending: Vec::new(),
            warming_up: true,
            frames_in: 0,
            frames_out: 0,
        })
    }

    fn push(&mut self, audio: &AudioBuffer) {
        self.frames_in += audio.frames() as u64;
        self.pending.extend(audio.to_f32().iter().map(|&sample| sane(sample) * FULL_SCALE));
    }

    /// Runs every whole frame.
    fn run(&mut self) -> Vec<f32> {
        let channels = self.channels.len();
        let block = FRAME * channels;
        let whole = self.pending.len() / block * block;
        let mut output = vec![0.0; whole];
        let (mut before, mut after) = ([0.0; FRAME], [0.0; FRAME]);
        for (input, output) in self.pending[..whole].chunks_exact(block).zip(output.chunks_exact_mut(block)) {
            for (channel, state) in self.channels.iter_mut().enumerate() {
                for (sample, frame) in before.iter_mut().zip(input.chunks_exact(channels)) {
                    *sample = frame[channel];
                }
                state.process_frame(&mut after, &before);
                for (sample, frame) in after.iter().zip(output.chunks_exact_mut(channels)) {
                    frame[channel] = sample / FULL_SCALE;
                }
            }
        }
        self.pending.drain(..whole);
        if self.warming_up && whole > 0 {
            self.warming_up = false;
            output.drain(..block);
        }
        output
    }

    /// The frames that are still due at the end of the stream.
    fn finish(&mut self) -> Vec<f32> {
        let channels = self.channels.len();
        let due = (self.frames_in - self.frames_out) as usize * channels;
        // Fill the last frame up, and push one more behind it to get its answer.
        let filled = self.pending.len().next_multiple_of(FRAME * channels);
        let leading = if self.warming_up { FRAME * channels } else { 0 };
        self.pending.resize(filled.max(leading) + FRAME * channels, 0.0);
        let mut output = self.run();
        output.truncate(due);
        output
    }

    fn emit(&mut self, samples: Vec<f32>, out: &mut Outputs) -> Result<(), NodeError> {
        if samples.is_empty() {
            return Ok(());
        }
        let audio =
            AudioBuffer::from_f32(RATE_HZ, self.stream.spec.channels, samples).map_err(input::not_audio)?;
        let pts_ns = self.stream.time_ns(self.frames_out, RATE_HZ);
        self.frames_out += audio.frames() as u64;
        out.push(Packet::new(pts_ns, audio));
        Ok(())
    }
}

impl Node for Denoise {
    fn process(&mut self, _: Port, packet: Packet, out: &mut Outputs) -> Result<(), NodeError> {
        let (pts_ns, audio) = input::audio(packet)?;
        let running = match self.running.take() {
            Some(running) => running,
            None => Running::new(pts_ns, &audio)?,
        };
        let running = self.running.insert(running);
        AudioStream::enter(&mut Some(running.stream), pts_ns, &audio)?;
        running.push(&audio);
        let samples = running.run();
        running.emit(samples, out)
    }

    fn reset(&mut self) -> Result<bool, NodeError> {
        self.running = None;
        Ok(true)
    }

    fn flush(&mut self, out: &mut Outputs) -> Result<(), NodeError> {
        let Some(mut running) = self.running.take() else { return Ok(()) };
        let samples = running.finish();
        running.emit(samples, out)
    }
}

#[cfg(test)]
mod tests {
    use remotemedia_core::{AudioBuffer, Outputs, Packet, Port};
    use serde_json::json;

    use crate::harness::{audio_of, create, f32_audio, noise, run_chunks, samples};

    fn denoised(audio: &AudioBuffer, chunk_frames: usize) -> Vec<f32> {
        samples(&run_chunks(create("Denoise", json!({})), audio, chunk_frames))
    }

    fn rms(samples: &[f32]) -> f64 {
        (samples.iter().map(|&y| f64::from(y).powi(2)).sum::<f64>() / samples.len() as f64).sqrt()
    }

    /// Something like a vowel: 40 harmonics of a voice that wavers around 140 Hz, in syllables of a quarter second.
    fn vowels(frames: usize) -> Vec<f32> {
        let mut phase = 0.0_f64;
        let mut voice = Vec::with_capacity(frames);
        for n in 0..frames {
            let t = n as f64 / 48_000.0;
            phase += std::f64::consts::TAU * (140.0 + 10.0 * (7.0 * t).sin()) / 48_000.0;
            let syllable = (std::f64::consts::TAU * 2.0 * t).sin().max(0.0);
            let formants = |hz: f64| {
                1.0 / (1.0 + ((hz - 600.0) / 200.0).powi(2)) + 0.5 / (1.0 + ((hz - 1_700.0) / 250.0).powi(2))
            };
            let sum: f64 =
                (1..40).map(|k| formants(140.0 * f64::from(k)) * (f64::from(k) * phase).sin()).sum();
            voice.push((0.15 * syllable * sum) as f32);
        }
        voice
    }

    #[test]
    fn the_output_is_as_long_as_the_input() {
        for frames in [0, 1, 479, 480, 481, 960, 5_000] {
            assert_eq!(denoised(&noise(48_000, 2, 0.1, frames), 333).len(), 2 * frames, "{frames}");
        }
    }

    #[test]
    fn noise_goes_and_voice_stays() {
        let hiss = noise(48_000, 1, 0.05, 48_000 * 4);
        let voice = vowels(48_000 * 4);
        let mixed: Vec<f32> = voice.iter().zip(hiss.as_f32().unwrap()).map(|(v, h)| v + h).collect();
        let clean = denoised(&f32_audio(48_000, 1, mixed.clone()), 480);
        let snr_db = |samples: &[f32]| {
            let wrong: Vec<f32> = samples.iter().zip(&voice).map(|(y, v)| y - v).collect();
            20.0 * (rms(&voice[48_000..]) / rms(&wrong[48_000..])).log10()
        };
        let gained_db = snr_db(&clean) - snr_db(&mixed);
        assert!(gained_db >= 6.0, "the ratio of voice to the rest rose by {gained_db} dB");
        // Syllables last from 0 to 0.25 s of every half second.
        let pauses = |samples: &[f32]| {
            let quiet = |n: usize| n > 96_000 && (15_600..22_800).contains(&(n % 24_000));
            rms(&samples.iter().enumerate().filter(|(n, _)| quiet(*n)).map(|(_, &y)| y).collect::<Vec<_>>())
        };
        let drop_db = 20.0 * (pauses(&mixed) / pauses(&clean)).log10();
        assert!(drop_db >= 15.0, "noise between syllables fell by {drop_db} dB");
    }

    #[test]
    fn there_is_no_delay() {
        let voice = vowels(96_000);
        let kept = denoised(&f32_audio(48_000, 1, voice.clone()), 480);
        let likeness = |lag: isize| -> f64 {
            (24_000..90_000)
                .map(|n: isize| f64::from(voice[n as usize]) * f64::from(kept[(n + lag) as usize]))
                .sum()
        };
        let best = (-700..=700).max_by(|&a, &b| likeness(a).total_cmp(&likeness(b))).unwrap();
        assert!(best.abs() <= 2, "the output is {best} samples late");
    }

    #[test]
    fn samples_and_times_do_not_depend_on_chunks() {
        let audio = noise(48_000, 2, 0.3, 3_000);
        let whole = denoised(&audio, 3_000);
        for chunk_frames in [1, 100, 480, 1_111] {
            let packets = run_chunks(create("Denoise", json!({})), &audio, chunk_frames);
            assert_eq!(samples(&packets), whole, "{chunk_frames}");
            let mut frames = 0;
            for packet in &packets {
                assert_eq!(packet.pts_ns, frames * 1_000_000_000 / 48_000);
                frames += audio_of(packet).frames() as i64;
            }
        }
    }

    #[test]
    fn each_channel_is_treated_on_its_own() {
        let one = noise(48_000, 1, 0.2, 2_000);
        let many =
            one.as_f32().unwrap().iter().flat_map(|&y| (0..32).map(move |c| y * (c % 3) as f32)).collect();
        let many = denoised(&f32_audio(48_000, 32, many), 700);
        let alone = denoised(&one, 700);
        assert!(many.iter().skip(31).step_by(32).zip(&alone).all(|(a, b)| a == b));
        assert!(many.iter().skip(30).step_by(32).all(|&y| y == 0.0));
    }

    #[test]
    fn bad_samples_count_as_silence() {
        let mut bad = noise(48_000, 1, 0.2, 2_000).try_into_f32_vec().unwrap();
        bad[700] = f32::NAN;
        bad[900] = f32::INFINITY;
        let mut good = bad.clone();
        (good[700], good[900]) = (0.0, 0.0);
        assert_eq!(denoised(&f32_audio(48_000, 1, bad), 480), denoised(&f32_audio(48_000, 1, good), 480));
    }

    #[test]
    fn another_rate_is_refused_with_the_way_out() {
        let packet = Packet::new(0, noise(16_000, 1, 0.1, 480));
        let error =
            create("Denoise", json!({})).process(Port::FIRST, packet, &mut Outputs::new()).unwrap_err();
        assert!(error.message.contains("16000 Hz") && error.message.contains("AudioResample"), "{error}");
    }

    #[test]
    fn the_loudest_samples_there_are_neither_break_the_network_nor_stay() {
        let mut loud = vec![0.1; 9_600];
        loud[960..1_920].fill(f32::MAX);
        loud[1_920..2_880].fill(f32::MIN);
        let output = denoised(&f32_audio(48_000, 1, loud), 480);
        assert_eq!(output.len(), 9_600);
        assert!(output.iter().all(|sample| sample.is_finite()));
    }
}
