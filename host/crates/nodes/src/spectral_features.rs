//! SpectralFeatures: log-mel spectrum, centroid, roll-off and flatness of each analysis frame.

mod analysis;
mod mel;

use bytemuck::must_cast_slice;
use remotemedia_core::{
    AudioBuffer, DType, Node, NodeDescriptor, NodeError, Outputs, Packet, Payload, PayloadKind, Port,
    PortSpec, Tensor,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::input::{self, AudioStream};
use crate::node_type::NativeNode;
use crate::pcm::sane;
use analysis::{Analysis, Features};
pub use mel::MelScale;

/// In which form features come out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FeatureOutput {
    /// One JSON object per frame with every feature.
    #[default]
    Json,
    /// One float32 tensor of shape [n_mels] per frame: the log-mel spectrum in dB.
    Tensor,
}

/// Params of SpectralFeatures. The defaults suit speech at 16 kHz: frames of 32 ms, every 10 ms.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SpectralFeaturesParams {
    /// Length of an analysis frame and of its transform in samples. Default: 512.
    #[schemars(range(min = 16, max = 65_536))]
    pub n_fft: u32,
    /// From frame to frame, in samples. Default: 160.
    #[schemars(range(min = 1, max = 65_536))]
    pub hop_samples: u32,
    /// Number of mel bands. Default: 40.
    #[schemars(range(min = 1, max = 512))]
    pub n_mels: u32,
    /// Lower edge of the lowest band in Hz. Default: 0.
    #[schemars(range(min = 0.0))]
    pub fmin_hz: f64,
    /// Upper edge of the highest band in Hz. Default: half the sample rate.
    pub fmax_hz: Option<f64>,
    /// How Hz become mel: slaney (linear below 1 kHz, as librosa's default) or htk (2595 log10(1 + f/700)).
    pub mel_scale: MelScale,
    /// json (every feature) or tensor (the log-mel spectrum only). Default: json.
    pub output: FeatureOutput,
}

impl Default for SpectralFeaturesParams {
    fn default() -> Self {
        Self {
            n_fft: 512,
            hop_samples: 160,
            n_mels: 40,
            fmin_hz: 0.0,
            fmax_hz: None,
            mel_scale: MelScale::Slaney,
            output: FeatureOutput::Json,
        }
    }
}

/// Analyses frames of the mean of all channels, each under a periodic Hann window, without padding at the start. The last
/// frame is filled up with silence when it holds samples that no frame held. NaN and infinite samples count as silence, louder
/// ones than +120 dBFS as +120 dBFS.
///
/// `{pts_ns, log_mel_db, centroid_hz, rolloff_hz, flatness}`, by librosa's definitions: `log_mel_db` is 10 log10(max(1e-10,
/// M · |X|²)) with triangles M of equal area; the centroid is the mean frequency weighted by |X|; the roll-off is the
/// lowest frequency below which 85 % of the sum of |X| lies; flatness is the geometric over the arithmetic mean of |X|². The
/// last three are null for silence.
pub struct SpectralFeatures {
    params: SpectralFeaturesParams,
    analysing: Option<Analysing>,
}

struct Analysing {
    stream: AudioStream,
    analysis: Analysis,
    /// Mono samples from position `start` on.
    pending: Vec<f32>,
    start: u64,
    /// Position up to which frames have held the stream.
    covered: u64,
    next: u64,
}

impl NativeNode for SpectralFeatures {
    type Params = SpectralFeaturesParams;
    const NODE_TYPE: &'static str = "SpectralFeatures";

    fn descriptor() -> NodeDescriptor {
        let summary = "Log-mel spectrum, spectral centroid, roll-off and flatness of overlapping frames.";
        NodeDescriptor {
            // JSON or tensors, as `output` says.
            outputs: vec![PortSpec::new("out", PayloadKind::Any)],
            ..NodeDescriptor::transform(Self::NODE_TYPE, PayloadKind::Audio, summary)
        }
    }

    fn from_params(params: SpectralFeaturesParams) -> Result<Self, NodeError> {
        let fault = |message: String| Err(NodeError::invalid_params(message));
        if !(16..=65_536).contains(&params.n_fft) || !(1..=65_536).contains(&params.hop_samples) {
            return fault("`n_fft` must be from 16 to 65536 and `hop_samples` from 1 to 65536".into());
        }
        if !(1..=512).contains(&params.n_mels) {
            return fault(format!("`n_mels` is {}; it must be from 1 to 512", params.n_mels));
        }
        if params.fmin_hz < 0.0 || params.fmax_hz.is_some_and(|fmax| fmax <= params.fmin_hz) {
            return fault("`fmin_hz` must be at least 0 and below `fmax_hz`".into());
        }
        Ok(Self { params, analysing: None })
    }
}

impl Analysing {
    fn new(params: &SpectralFeaturesParams, pts_ns: i64, audio: &AudioBuffer) -> Result<Self, NodeError> {
        let stream = AudioStream { spec: audio.spec(), origin_ns: pts_ns };
        let analysis = Analysis::new(params, stream.spec.sample_rate_hz).map_err(NodeError::invalid_input)?;
        Ok(Self { stream, analysis, pending: Vec::new(), start: 0, covered: 0, next: 0 })
    }

    fn push(&mut self, audio: &AudioBuffer) {
        let channels = usize::from(self.stream.spec.channels);
        let scale = 1.0 / channels as f32;
        let mean = |frame: &[f32]| frame.iter().map(|&sample| sane(sample)).sum::<f32>() * scale;
        self.pending.extend(audio.to_f32().chunks_exact(channels).map(mean));
    }

    fn end(&self) -> u64 {
        self.start + self.pending.len() as u64
    }

    /// Analyses every whole frame.
    fn run(&mut self, params: &SpectralFeaturesParams, out: &mut Outputs) -> Result<(), NodeError> {
        let (frame, hop) = (u64::from(params.n_fft), u64::from(params.hop_samples));
        while self.next + frame <= self.end() {
            let first = (self.next - self.start) as usize;
            let features =
                self.analysis.run(&self.pending[first..][..frame as usize]).map_err(NodeError::internal)?;
            let pts_ns = self.stream.time_ns(self.next, self.stream.spec.sample_rate_hz);
            out.push(packet(pts_ns, &features, params.output)?);
            self.covered = self.next + frame;
            self.next += hop;
        }
        let done = self.next.min(self.end());
        self.pending.drain(..(done - self.start) as usize);
        self.start = done;
        Ok(())
    }

    fn finish(&mut self, params: &SpectralFeaturesParams, out: &mut Outputs) -> Result<(), NodeError> {
        if self.end() <= self.covered.max(self.next) {
            return Ok(());
        }
        let whole = (self.next - self.start) as usize + params.n_fft as usize;
        self.pending.resize(whole, 0.0);
        self.run(params, out)
    }
}

fn packet(pts_ns: i64, features: &Features<'_>, output: FeatureOutput) -> Result<Packet, NodeError> {
    let payload: Payload = match output {
        FeatureOutput::Json => json!({
            "pts_ns": pts_ns,
            "log_mel_db": features.log_mel_db,
            "centroid_hz": features.shape.map_or(Value::Null, |shape| shape.centroid_hz.into()),
            "rolloff_hz": features.shape.map_or(Value::Null, |shape| shape.rolloff_hz.into()),
            "flatness": features.shape.map_or(Value::Null, |shape| shape.flatness.into()),
        })
        .into(),
        FeatureOutput::Tensor => {
            let bytes: &[u8] = must_cast_slice(features.log_mel_db);
            let tensor = Tensor::new(DType::Float32, &[features.log_mel_db.len()], bytes.to_vec().into());
            tensor.map_err(|error| NodeError::internal(error.to_string()))?.into()
        }
    };
    Ok(Packet { pts_ns, payload })
}

impl Node for SpectralFeatures {
    fn process(&mut self, _: Port, packet: Packet, out: &mut Outputs) -> Result<(), NodeError> {
        let (pts_ns, audio) = input::audio(packet)?;
        let analysing = match self.analysing.take() {
            Some(analysing) => analysing,
            None => Analysing::new(&self.params, pts_ns, &audio)?,
        };
        let analysing = self.analysing.insert(analysing);
        AudioStream::enter(&mut Some(analysing.stream), pts_ns, &audio)?;
        analysing.push(&audio);
        analysing.run(&self.params, out)
    }

    fn reset(&mut self) -> Result<bool, NodeError> {
        self.analysing = None;
        Ok(true)
    }

    fn flush(&mut self, out: &mut Outputs) -> Result<(), NodeError> {
        match self.analysing.take() {
            Some(mut analysing) => analysing.finish(&self.params, out),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
