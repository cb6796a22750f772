//! Times AudioResample at quality high for a comparison with other resamplers; see `benches/resample_vs_soxr.py`.
//! Prints one JSON object per line: microseconds per second of audio, the best of many passes over 10 s.

use std::time::Instant;

use remotemedia_core::{AudioBuffer, NodeError, NodeManifest, Outputs, Packet, Port, Runtime};
use remotemedia_nodes::NativeRuntime;
use serde_json::json;

const SECONDS: u32 = 10;
const PASSES: usize = 9;
const RATES_HZ: [(u32, u32); 4] = [(48_000, 16_000), (44_100, 48_000), (16_000, 48_000), (44_100, 16_000)];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for (input_rate_hz, output_rate_hz) in RATES_HZ {
        for channels in [1, 2] {
            let audio = noise(input_rate_hz, channels)?;
            let mut best_us = f64::INFINITY;
            for _ in 0..PASSES {
                let start = Instant::now();
                let frames = resample(&audio, output_rate_hz)?;
                best_us = best_us.min(start.elapsed().as_secs_f64() * 1e6 / f64::from(SECONDS));
                assert_eq!(frames, (output_rate_hz * SECONDS) as usize, "the length is exact");
            }
            let line = json!({
                "input_rate_hz": input_rate_hz, "output_rate_hz": output_rate_hz, "channels": channels,
                "us_per_second": best_us,
            });
            std::io::Write::write_all(&mut std::io::stdout(), format!("{line}\n").as_bytes())?;
        }
    }
    Ok(())
}

fn noise(rate_hz: u32, channels: u16) -> Result<AudioBuffer, Box<dyn std::error::Error>> {
    let mut state = 1_u32;
    let samples = (0..rate_hz * SECONDS * u32::from(channels)).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f32::from((state >> 16) as i16) / 65_536.0
    });
    Ok(AudioBuffer::from_f32(rate_hz, channels, samples.collect())?)
}

/// A new node for each pass, fed in packets of 20 ms: the way a pipeline does it.
fn resample(audio: &AudioBuffer, output_rate_hz: u32) -> Result<usize, NodeError> {
    let params = json!({"target_sample_rate": output_rate_hz, "quality": "high"});
    let mut node =
        NativeRuntime::new().create(&NodeManifest::new("resample", "AudioResample").with_params(params))?;
    let chunk_frames = (audio.spec().sample_rate_hz / 50) as usize;
    let mut out = Outputs::new();
    let mut frames = 0;
    let mut take = |out: &mut Outputs| {
        frames += out.drain().map(|(_, packet)| frames_of(&packet)).sum::<usize>();
    };
    for start in (0..audio.frames()).step_by(chunk_frames) {
        node.process(Port::FIRST, Packet::new(0, audio.slice_frames(start, chunk_frames)), &mut out)?;
        take(&mut out);
    }
    node.flush(&mut out)?;
    take(&mut out);
    Ok(frames)
}

fn frames_of(packet: &Packet) -> usize {
    match &packet.payload {
        remotemedia_core::Payload::Audio(audio) => audio.frames(),
        _ => 0,
    }
}
