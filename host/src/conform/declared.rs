//! What a node's author declares where a promise has more than one right form. No defaults but the strict ones.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Deviations from the strict form of the promises. What is not declared must hold strictly.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Declared {
    /// Differently cut input may give samples that differ by this much, in dBFS (for transforms that round
    /// differently). Absent: the same bits.
    pub tolerance_db: Option<f64>,
    /// True when a result belongs to a packet, so that it depends on how the stream is cut.
    pub per_packet: bool,
    /// By name of an audio output: how much comes out. Absent: as much as goes in.
    pub lengths: BTreeMap<String, Length>,
    /// Outputs that emit events although the input is silent.
    pub events_on_silence: Vec<String>,
    /// Outputs whose events may belong to an earlier time than the event before: summaries.
    pub events_look_back: Vec<String>,
    /// The loudest sample that silence may become, in dBFS. Absent: exactly zero.
    pub silence_floor_db: Option<f64>,
    /// How long after NaN and infinite samples the output may stay so, in milliseconds. Absent: 1000.
    pub recovery_ms: Option<u32>,
    /// By name of an input of text or JSON: values that it takes, when it does not take the usual ones.
    pub samples: BTreeMap<String, Vec<Value>>,
}

/// How much audio comes out of a port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Length {
    /// As long as the first audio input; at another rate, within one frame.
    #[default]
    Same,
    /// That many frames more (or fewer, when negative): an uncompensated latency.
    Plus(i64),
    /// Parts of the input, or overlapping ones.
    Any,
}

impl Declared {
    /// What is declared for the output `port`.
    pub(super) fn length(&self, port: &str) -> Length {
        self.lengths.get(port).copied().unwrap_or_default()
    }

    /// The declared tolerance as a linear amplitude; `None` means the same bits.
    pub(super) fn tolerance(&self) -> Option<f64> {
        self.tolerance_db.map(amplitude)
    }

    /// The declared floor of silence as a linear amplitude.
    pub(super) fn silence_floor(&self) -> f64 {
        self.silence_floor_db.map_or(0.0, amplitude)
    }
}

fn amplitude(decibels: f64) -> f64 {
    10_f64.powf(decibels / 20.0)
}
