//! The node that is checked: how to make one, what it takes, and how much effort the checks may make.

use bytes::Bytes;
use remotemedia_core::manifest::Limits;
use remotemedia_core::{
    AudioBuffer, AudioSpec, DType, ErrorKind, NodeDescriptor, NodeError, NodeManifest, Operation, Packet,
    Payload, PayloadKind, Port, Runtime, RuntimeKind, SampleFormat, Tensor,
};
use serde_json::{Map, Value, json};

use super::declared::Declared;
use super::recording::Recording;
use super::running::{Fault, Feed, Running, guarded};
use super::stream::{BLOCK, Cut, Recipe, cut, merged, signal};
use super::{Options, params};

/// How much the checks do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Effort {
    /// Frames of a stream; more than the largest block.
    pub frames: usize,
    /// Most calls of one run: small blocks are tried on the beginning of the stream.
    pub calls: usize,
    pub block_sizes: &'static [usize],
    pub random_cuts: u64,
    pub param_sets: usize,
    pub memory_seconds: u64,
    pub latency_blocks: usize,
}

const QUICK: Effort = Effort {
    frames: 66_000,
    calls: 1_000,
    block_sizes: &[1, 7, 64, 1_000, 4_096, 65_536],
    random_cuts: 2,
    param_sets: 40,
    memory_seconds: 20,
    latency_blocks: 100,
};

const FULL: Effort = Effort {
    frames: 200_000,
    calls: 20_000,
    block_sizes: &[
        1, 2, 3, 5, 7, 13, 16, 31, 64, 100, 127, 128, 160, 256, 441, 512, 960, 1_000, 1_024, 2_048, 4_096,
        10_000, 16_384, 65_535, 65_536,
    ],
    random_cuts: 12,
    param_sets: 400,
    memory_seconds: 3_600,
    latency_blocks: 6_000,
};

/// A node type with params that make a node.
pub(super) struct Subject<'a> {
    runtime: &'a dyn Runtime,
    pub node: NodeManifest,
    /// The limits that a pipeline would set.
    usual_limits: Option<Limits>,
    pub descriptor: NodeDescriptor,
    pub declared: &'a Declared,
    pub options: Options,
    pub effort: Effort,
    /// The caps that are fed where the check does not say others; `None` when no input takes audio.
    pub spec: Option<AudioSpec>,
    /// By input port: the values that it takes, when it does not take audio.
    samples: Vec<Vec<Payload>>,
}

impl<'a> Subject<'a> {
    /// Finds out what the node takes.
    ///
    /// # Errors
    /// When the type is unknown or cannot be made.
    pub fn new(
        runtime: &'a dyn Runtime,
        node: &NodeManifest,
        declared: &'a Declared,
        options: Options,
    ) -> Result<Self, NodeError> {
        let descriptor = runtime.describe(node)?.ok_or_else(|| {
            let message = format!("the {} runtime knows no node type `{}`", runtime.kind(), node.node_type);
            NodeError::new(ErrorKind::Unavailable, message)
        })?;
        let mut patient = node.clone();
        if let (true, Some(ms)) = (runtime.kind().is_sandboxed(), options.call_timeout_ms) {
            patient.limits.get_or_insert_default().call_timeout_ms.get_or_insert(ms);
        }
        let mut subject = Self {
            runtime,
            node: patient,
            usual_limits: node.limits.clone(),
            samples: vec![Vec::new(); descriptor.inputs.len()],
            descriptor,
            declared,
            options,
            effort: if options.quick { QUICK } else { FULL },
            spec: None,
        };
        subject.node.params = subject.working_params()?;
        subject.spec = subject.accepted_spec();
        for port in 0..subject.samples.len() {
            if !subject.takes_audio(port) {
                subject.samples[port] = subject.accepted_samples(port);
            }
        }
        Ok(subject)
    }

    pub fn runtime_kind(&self) -> RuntimeKind {
        self.runtime.kind()
    }

    /// Asks the runtime anew.
    pub fn describe(&self) -> Result<Option<NodeDescriptor>, Fault> {
        guarded(Operation::Describe, || self.runtime.describe(&self.node))
    }

    /// A node that is ready.
    pub fn start(&self) -> Result<Running<'_>, Fault> {
        self.start_with(self.node.params.clone())
    }

    /// A node that is ready, under the limits of a pipeline.
    pub fn start_as_usual(&self) -> Result<Running<'_>, Fault> {
        self.start_node(NodeManifest { limits: self.usual_limits.clone(), ..self.node.clone() })
    }

    /// A node of other params.
    pub fn start_with(&self, params: Map<String, Value>) -> Result<Running<'_>, Fault> {
        self.start_node(NodeManifest { params, ..self.node.clone() })
    }

    fn start_node(&self, node: NodeManifest) -> Result<Running<'_>, Fault> {
        let made = guarded(Operation::Create, || self.runtime.create(&node))?;
        Running::start(made, &self.descriptor)
    }

    /// What a fresh node makes of `stream`, its end included.
    pub fn run(&self, stream: Vec<Feed>) -> Result<Recording, Fault> {
        let mut running = self.start()?;
        let mut recording = Recording::default();
        for feed in stream {
            running.feed(feed, &mut recording)?;
        }
        running.flush(&mut recording)?;
        Ok(recording)
    }

    /// What a check feeds when it has no wishes.
    pub fn recipe(&self, frames: usize) -> Recipe {
        let spec = self.spec.unwrap_or(FIRST_SPEC);
        Recipe { spec, frames, cut: Cut::Every(BLOCK), start_ns: 0, seed: 1 }
    }

    /// Packets for all inputs as `recipe` says.
    pub fn stream(&self, recipe: &Recipe) -> Result<Vec<Feed>, Fault> {
        self.stream_of(recipe, |port| {
            let seed = recipe.seed + u64::from(port);
            signal(recipe.spec, recipe.frames, seed)
                .map_err(|error| Fault::Broken(format!("no signal: {error}")))
        })
    }

    /// Packets for all inputs, where `audio` makes the audio of a port.
    pub fn stream_of(
        &self,
        recipe: &Recipe,
        audio: impl Fn(u16) -> Result<AudioBuffer, Fault>,
    ) -> Result<Vec<Feed>, Fault> {
        let mut ports = Vec::new();
        for port in 0..self.descriptor.inputs.len() as u16 {
            ports.push(if self.takes_audio(usize::from(port)) {
                cut(recipe, port, &audio(port)?)
            } else {
                self.events(recipe, port)
            });
        }
        Ok(merged(ports))
    }

    /// The accepted values of `port` in turn, one per 10 ms.
    fn events(&self, recipe: &Recipe, port: u16) -> Vec<Feed> {
        let samples = &self.samples[usize::from(port)];
        let event = |(index, payload): (usize, &Payload)| {
            let packet =
                Packet { pts_ns: recipe.start_ns + index as i64 * 10_000_000, payload: payload.clone() };
            (Port(port), packet)
        };
        samples
            .iter()
            .cycle()
            .take(recipe.frames.div_ceil(BLOCK).min(samples.len() * 500))
            .enumerate()
            .map(event)
            .collect()
    }

    /// True when the input is fed audio.
    pub fn takes_audio(&self, port: usize) -> bool {
        let kind = self.descriptor.inputs.get(port).map(|input| input.kind);
        self.spec.is_some() && matches!(kind, Some(PayloadKind::Audio | PayloadKind::Any))
    }

    /// True when there is something to feed.
    pub fn takes_anything(&self) -> bool {
        self.spec.is_some() || self.samples.iter().any(|samples| !samples.is_empty())
    }

    /// One packet that the input takes.
    pub fn packet(&self, port: u16) -> Result<Option<Packet>, Fault> {
        let stream = self.stream(&self.recipe(BLOCK))?;
        Ok(stream.into_iter().find(|(to, _)| to.0 == port).map(|(_, packet)| packet))
    }

    /// The params of the manifest; when it gives none and some are required, the first that make a node.
    fn working_params(&self) -> Result<Map<String, Value>, NodeError> {
        let refused = match self.start() {
            Ok(_) => return Ok(self.node.params.clone()),
            Err(Fault::Error(error)) if error.kind != ErrorKind::InvalidParams => return Err(error),
            Err(Fault::Error(error)) => error,
            Err(fault) => return Err(NodeError::internal(fault.to_string())),
        };
        if !self.node.params.is_empty() {
            return Err(refused);
        }
        let sets = params::some_valid(&self.descriptor.params_schema, 50);
        let works = |set: &Map<String, Value>| self.start_with(set.clone()).is_ok();
        sets.into_iter().find(works).ok_or(refused)
    }

    /// The first caps that every audio input takes.
    fn accepted_spec(&self) -> Option<AudioSpec> {
        let ports: Vec<u16> = (0..self.descriptor.inputs.len() as u16)
            .filter(|port| {
                let kind = self.descriptor.inputs[usize::from(*port)].kind;
                matches!(kind, PayloadKind::Audio | PayloadKind::Any)
            })
            .collect();
        let takes = |spec: &AudioSpec| {
            let Ok(mut running) = self.start() else { return false };
            ports.iter().all(|port| {
                let block = signal(*spec, BLOCK, 1);
                block.is_ok_and(|block| running.pass((Port(*port), Packet::new(0, block))).is_ok())
            })
        };
        let mut specs = SPECS.iter().map(|&(sample_rate_hz, channels, format)| AudioSpec {
            sample_rate_hz,
            channels,
            format,
        });
        if ports.is_empty() { None } else { specs.find(takes) }
    }

    /// Of the values that an input of its kind might take, those that it does.
    fn accepted_samples(&self, port: usize) -> Vec<Payload> {
        let input = &self.descriptor.inputs[port];
        let declared = self.declared.samples.get(&input.name).into_iter().flatten();
        let declared: Vec<Payload> = declared
            .map(|value| match value {
                Value::String(text) if input.kind == PayloadKind::Text => Payload::from(text.as_str()),
                value => Payload::from(value.clone()),
            })
            .collect();
        let candidates = if declared.is_empty() { usual_samples(input.kind) } else { declared };
        let mut running = None;
        let mut accepted = Vec::new();
        for payload in candidates {
            let Some(node) = running.take().or_else(|| self.start().ok()) else { break };
            let mut node: Running<'_> = node;
            let feed = (Port(port as u16), Packet { pts_ns: 0, payload: payload.clone() });
            match node.pass(feed) {
                Ok(()) => {
                    accepted.push(payload);
                    running = Some(node);
                }
                Err(fault) if fault.is_refused_input() => running = Some(node),
                // It may not be callable any more.
                Err(_) => {}
            }
        }
        accepted
    }
}

const FIRST_SPEC: AudioSpec = AudioSpec { sample_rate_hz: 48_000, channels: 1, format: SampleFormat::F32 };

/// The caps that a node is offered, the usual ones first.
const SPECS: [(u32, u16, SampleFormat); 9] = [
    (48_000, 1, SampleFormat::F32),
    (16_000, 1, SampleFormat::F32),
    (48_000, 2, SampleFormat::F32),
    (44_100, 2, SampleFormat::F32),
    (16_000, 2, SampleFormat::F32),
    (8_000, 1, SampleFormat::F32),
    (48_000, 6, SampleFormat::F32),
    (16_000, 1, SampleFormat::S16),
    (48_000, 2, SampleFormat::S16),
];

/// Values that nodes which take such payloads usually take.
fn usual_samples(kind: PayloadKind) -> Vec<Payload> {
    let texts = || ["The quick brown fox.", "grüße, 世界", "first line\nsecond line"].map(Payload::from);
    let values = || {
        [json!(0.5), json!(3), json!([1, 2.5, -3]), json!("a text"), json!({"text": "a", "value": 1.5})]
            .map(Payload::from)
    };
    let bytes = || [Bytes::from_iter(0..=255_u8), Bytes::from_static(b"bytes")].map(Payload::from);
    let tensors = || {
        [(DType::Float32, vec![4]), (DType::Float32, vec![2, 3]), (DType::Uint8, vec![3])]
            .into_iter()
            .filter_map(|(dtype, shape)| tensor(dtype, &shape, 1))
    };
    match kind {
        PayloadKind::Audio => Vec::new(),
        PayloadKind::Text => texts().into(),
        PayloadKind::Json => values().into(),
        PayloadKind::Bytes => bytes().into(),
        PayloadKind::Tensor => tensors().collect(),
        PayloadKind::Any => texts().into_iter().chain(values()).chain(bytes()).chain(tensors()).collect(),
    }
}

/// A tensor whose bytes are all `byte`.
pub(super) fn tensor(dtype: DType, shape: &[usize], byte: u8) -> Option<Payload> {
    let bytes = shape.iter().product::<usize>() * dtype.bytes_per_element();
    Tensor::new(dtype, shape, Bytes::from(vec![byte; bytes])).ok().map(Payload::from)
}
