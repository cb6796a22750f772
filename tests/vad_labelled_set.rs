//! The VAD node on a labelled set of 12.5 minutes: eight voices, five kinds of noise, 20 to 0 dB.
//!
//! The set is made anew by a script with a fixed seed. The engines' constants were chosen on other seeds (3 and
//! 4), so the set here was never seen.

mod recordings;
mod scoring;

use std::path::{Path, PathBuf};

use remotemedia_core::manifest::ManifestFormat;
use remotemedia_core::{AudioBuffer, Manifest, Packet, Payload, Port};
use remotemedia_engine::PipelineOptions;
use remotemedia_host::{Config, Host};
use serde_json::{Value, json};

use recordings::{Recording, SAMPLE_RATE_HZ};
use scoring::{Detection, Scores};

const SEED: u32 = 1;

/// Half of the 16 ms that a frame speaks about.
const HALF_FRAME_NS: i64 = 8_000_000;

fn detect(host: &Host, engine: &str, recording: &Recording) -> Detection {
    let manifest = json!({
        "version": "v1",
        "metadata": {"name": "vad"},
        "nodes": [{"id": "vad", "node_type": "VAD", "params": {"engine": engine}}],
        "connections": [],
    });
    let manifest = Manifest::parse(manifest.to_string().as_bytes(), ManifestFormat::Json).unwrap();
    let plan = host.plan(&manifest).unwrap();
    let options = PipelineOptions { taps: vec![(0, Port(1))], ..PipelineOptions::default() };
    let mut pipeline = host.start(&plan, options).unwrap();
    let chunk = SAMPLE_RATE_HZ as usize / 50;
    let packets = recording.samples.chunks(chunk).enumerate().map(|(number, samples)| {
        let audio = AudioBuffer::from_i16(SAMPLE_RATE_HZ, 1, samples.to_vec()).unwrap();
        ("vad", Packet::new(number as i64 * 20_000_000, audio))
    });
    let outputs = pipeline.run(packets.collect::<Vec<_>>()).unwrap();
    let mut detection = Detection { segments: Vec::new(), probabilities: Vec::new() };
    for output in outputs {
        let Payload::Json(value) = &output.packet.payload else { panic!("{:?}", output.packet) };
        let ns = |name: &str| value[name].as_i64().unwrap();
        if output.port == Port(0) {
            detection.segments.push((ns("start_ns"), ns("end_ns")));
        } else {
            let probability = value["probability"].as_f64().unwrap() as f32;
            detection.probabilities.push((ns("pts_ns") + HALF_FRAME_NS, probability));
        }
    }
    detection
}

/// The interpreter of the repository's `.venv`, which has numpy.
fn python() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../.venv/bin/python3")
}

#[test]
fn both_engines_keep_their_promises_on_the_labelled_set() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("vad_set_{SEED}"));
    recordings::make(&python(), &folder, SEED);
    let set = recordings::read(&folder);
    assert_eq!(set.len(), 25);
    let host = Host::new(Config::default());
    for (engine, least_f1) in [("energy", 0.83), ("earshot", 0.89)] {
        let mut scores = Scores::default();
        for recording in &set {
            scores.add(recording, &detect(&host, engine, recording));
        }
        let table = scores.table(&format!("engine {engine}, seed {SEED}"));
        println!("{table}");
        assert!(scores.f1(|_, snr_db| snr_db == 20) >= 0.95, "{table}");
        assert!(scores.f1(|_, _| true) >= least_f1, "{table}");
        assert!(scores.median_onset_ms() <= 60.0, "{table}");
        assert!(scores.median_offset_ms() <= 120.0, "{table}");
    }
}

#[test]
fn the_set_is_the_same_every_time_it_is_made() {
    let folders =
        ["a", "b"].map(|name| Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("vad_same_{name}")));
    for folder in &folders {
        recordings::make(&python(), folder, 7);
    }
    let index = |folder: &Path| -> Value {
        serde_json::from_slice(&std::fs::read(folder.join("set.json")).unwrap()).unwrap()
    };
    assert_eq!(index(&folders[0]), index(&folders[1]));
    let (first, second) = (recordings::read(&folders[0]), recordings::read(&folders[1]));
    assert!(first.iter().zip(&second).all(|(a, b)| a.samples == b.samples));
}
