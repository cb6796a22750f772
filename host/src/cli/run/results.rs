//! What came out: values, in full where they are wanted later, and audio by its caps and length.

use crate::Host;
use remotemedia_core::{AudioSpec, Payload, Port};
use remotemedia_engine::{Output, Plan};
use serde_json::{Map, Value, json};

use super::outputs::Outlets;
use crate::cli::console;
use crate::cli::failure::Failure;

/// Everything that left the graph, by node.
pub struct Results {
    host: Host,
    nodes: Vec<NodeResults>,
    keep_values: bool,
    print_values: bool,
    several_sinks: bool,
}

struct NodeResults {
    id: String,
    items: Vec<Item>,
    value_count: u64,
}

/// One value, or one stretch of audio of the same caps.
pub enum Item {
    /// A value with its time.
    Value {
        /// When, in nanoseconds.
        pts_ns: i64,
        /// What.
        value: Value,
    },
    /// Audio of one port.
    Audio {
        /// Which port.
        port: Port,
        /// Its caps.
        spec: AudioSpec,
        /// How much.
        frames: u64,
    },
}

impl Results {
    /// Nothing yet. `keep_values`: they are asked for at the end. `print_values`: they are printed as they come.
    pub fn new(host: &Host, plan: &Plan, keep_values: bool, print_values: bool) -> Self {
        let nodes = plan.graph().nodes().iter().map(|node| NodeResults {
            id: node.manifest.id.clone(),
            items: Vec::new(),
            value_count: 0,
        });
        Self {
            host: host.clone(),
            nodes: nodes.collect(),
            keep_values,
            print_values,
            several_sinks: plan.graph().sinks().len() > 1,
        }
    }

    /// Notes `output`; `written` says that it also went into a file.
    pub fn take(&mut self, output: &Output, written: bool) -> Result<(), Failure> {
        if let Payload::Audio(audio) = &output.packet.payload {
            self.hear(output.node, output.port, audio.spec(), audio.frames() as u64);
            return Ok(());
        }
        let node = &mut self.nodes[output.node];
        node.value_count += 1;
        let prints = self.print_values && !written;
        if !self.keep_values && !prints {
            return Ok(());
        }
        let value = self.host.to_json(&output.packet.payload);
        if prints {
            let line = if self.several_sinks { json!({"node": node.id, "value": value}) } else { value };
            return console::write_json(&line);
        }
        node.items.push(Item::Value { pts_ns: output.packet.pts_ns, value });
        Ok(())
    }

    /// Notes so much audio.
    pub fn hear(&mut self, node: usize, port: Port, spec: AudioSpec, frames: u64) {
        self.nodes[node].add_audio(port, spec, frames);
    }

    /// The items of every node that put something out, in the manifest's order.
    pub fn items(&self) -> impl Iterator<Item = (&str, &[Item])> {
        self.nodes
            .iter()
            .filter(|node| !node.items.is_empty())
            .map(|node| (node.id.as_str(), node.items.as_slice()))
    }

    /// `{"<node>": [values and audio]}`.
    pub fn to_json(&self, outlets: &Outlets) -> Value {
        let mut outputs = Map::new();
        for (index, node) in self.nodes.iter().enumerate() {
            let items: Vec<Value> = node
                .items
                .iter()
                .map(|item| match item {
                    Item::Value { value, .. } => value.clone(),
                    Item::Audio { port, spec, frames } => json!({
                        "sample_rate_hz": spec.sample_rate_hz,
                        "channels": spec.channels,
                        "frames": frames,
                        "path": outlets.path_of(index, *port),
                    }),
                })
                .collect();
            if !items.is_empty() {
                outputs.insert(node.id.clone(), items.into());
            }
        }
        outputs.into()
    }

    /// A line per output and one about the time, on standard error: standard output is for the values.
    pub fn print_summary(&self, outlets: &Outlets, audio_seconds: f64, wall_seconds: f64) {
        for (index, node) in self.nodes.iter().enumerate() {
            for item in &node.items {
                let Item::Audio { port, spec, frames } = item else { continue };
                let seconds = *frames as f64 / f64::from(spec.sample_rate_hz);
                let place = match outlets.path_of(index, *port) {
                    Some(path) => format!("→ {}", path.display()),
                    None if self.nodes.len() == 1 => "not written; -o FILE.wav keeps it".into(),
                    None => format!("not written; -o {}=FILE.wav keeps it", node.id),
                };
                console::tell(&format!("{}: {seconds:.3} s of audio ({spec}) {place}", node.id));
            }
            if node.value_count > 0 {
                let values = if node.value_count == 1 { "value" } else { "values" };
                console::tell(&format!("{}: {} {values}", node.id, node.value_count));
            }
        }
        if audio_seconds > 0.0 {
            let speed = audio_seconds / wall_seconds.max(1e-9);
            console::tell(&format!(
                "{audio_seconds:.2} s of audio in {wall_seconds:.3} s: {speed:.0}× real time"
            ));
        }
    }
}

impl NodeResults {
    fn add_audio(&mut self, port: Port, spec: AudioSpec, more: u64) {
        let last = self.items.iter_mut().rev().find_map(|item| match item {
            Item::Audio { port: its_port, spec: its_spec, frames } if *its_port == port => {
                Some((its_spec, frames))
            }
            _ => None,
        });
        match last {
            Some((its_spec, frames)) if *its_spec == spec => *frames += more,
            _ => self.items.push(Item::Audio { port, spec, frames: more }),
        }
    }
}
