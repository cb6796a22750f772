//! The list of native nodes. Adding a node: write its file, add its `mod` to `lib.rs`, add one line here.

use crate::node_type::NodeType;

/// Every native node type, in the order `remotemedia nodes list` prints them.
pub(crate) const REGISTER: &[NodeType] = &[
    NodeType::of::<crate::pass_through::PassThrough>(),
    NodeType::of::<crate::calculator::Calculator>(),
    NodeType::of::<crate::multiply::Multiply>(),
    NodeType::of::<crate::add::Add>(),
    NodeType::of::<crate::audio_gain::AudioGain>(),
    NodeType::of::<crate::audio_resample::AudioResample>(),
    NodeType::of::<crate::audio_transform::AudioTransform>(),
    NodeType::of::<crate::channel_mixer::ChannelMixer>(),
    NodeType::of::<crate::format_converter::FormatConverter>(),
    NodeType::of::<crate::audio_chunker::AudioChunker>(),
    NodeType::of::<crate::frame_rms::FrameRms>(),
    NodeType::of::<crate::audio_level::AudioLevel>(),
    NodeType::of::<crate::spectral_features::SpectralFeatures>(),
    NodeType::of::<crate::denoise::Denoise>(),
    NodeType::of::<crate::vad::Vad>(),
];
