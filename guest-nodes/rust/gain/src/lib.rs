//! The node `gain`: scales audio by a gain in decibels. It does not clip; integer formats saturate when they are
//! written back.

use remotemedia_node::{AudioView, Info, Node, NodeError};

/// The params of a manifest. Their comments and ranges are what users see in `remotemedia node inspect`.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// Gain in dB: 0 changes nothing, 6.02 doubles the amplitude.
    #[serde(default)]
    #[schemars(range(min = -150.0, max = 150.0))]
    gain_db: f32,
}

/// One running node. What it remembers from block to block goes here.
#[derive(Debug)]
struct Gain {
    factor: f32,
}

impl Node for Gain {
    type Params = Params;
    const INFO: Info = Info::audio("gain", "Scales audio by a gain in decibels.").stateless();

    fn new(params: Params) -> Result<Self, NodeError> {
        if !(-150.0..=150.0).contains(&params.gain_db) {
            return Err(NodeError::invalid_params(format!(
                "gain_db is {}, must be from -150 to 150",
                params.gain_db
            )));
        }
        Ok(Self { factor: 10_f64.powf(f64::from(params.gain_db) / 20.0) as f32 })
    }

    /// Packets have any length: results must not depend on how the stream was cut.
    fn audio(&mut self, audio: &mut AudioView<'_>) -> Result<(), NodeError> {
        // Blocks of 64 become sixteen SIMD operations between two checks of the host's deadline.
        let (blocks, rest) = audio.samples.as_chunks_mut::<64>();
        for block in blocks {
            block.iter_mut().for_each(|sample| *sample *= self.factor);
        }
        rest.iter_mut().for_each(|sample| *sample *= self.factor);
        Ok(())
    }
}

remotemedia_node::export!(Gain);

#[cfg(test)]
mod tests {
    use super::*;
    use remotemedia_node::testing::start;

    #[test]
    fn twenty_decibels_are_a_factor_of_ten() {
        let mut node = start::<Gain>(r#"{"gain_db": 20}"#).unwrap();
        let input: Vec<f32> = (0..150).map(|i| i as f32).collect();
        let expected: Vec<f32> = (0..150).map(|i| (i * 10) as f32).collect();
        assert_eq!(node.audio_f32(48_000, 1, &input).unwrap(), expected);
    }

    #[test]
    fn no_params_change_nothing() {
        let mut node = start::<Gain>("{}").unwrap();
        assert_eq!(node.audio_f32(48_000, 2, &[0.25, -1.0]).unwrap(), [0.25, -1.0]);
    }

    #[test]
    fn a_gain_out_of_range_is_refused() {
        let error = start::<Gain>(r#"{"gain_db": 1000}"#).unwrap_err();
        assert_eq!(error.message(), "gain_db is 1000, must be from -150 to 150");
    }
}
