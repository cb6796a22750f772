//! Frozen guests of every released WIT version run on today's host and give what their formulas say.
//!
//! They are never rebuilt: a host that asks more of a component than it did when they were made, by a new import or
//! export, or that reads the boundary differently, fails here. `compat/<version>/RECIPE.md` tells how they were made.

use std::f64::consts::TAU;
use std::path::{Path, PathBuf};
use std::process::Command;

use remotemedia_core::{
    AudioBuffer, ErrorKind, Node, NodeDescriptor, NodeError, NodeManifest, Outputs, Packet, Payload,
    PayloadKind, Port, Runtime, RuntimeKind,
};
use remotemedia_host::{Config, Host};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::binary::repository;

const MOST_BYTES: usize = 2 << 20;

fn compat() -> PathBuf {
    repository().join("tests/compat")
}

/// The folders of released versions, as `v0.1.0`.
fn versions() -> Vec<String> {
    crate::binary::names(&compat())
}

/// The guest in that file, whose name is its node type, or begins with it and a language.
fn frozen(version: &str, file: &str, params: Value) -> NodeManifest {
    let node_type = file.trim_end_matches("-c");
    let mut node = NodeManifest::new("frozen", node_type).with_params(params);
    node.component = Some(compat().join(version).join(file).with_extension("wasm").into());
    node
}

fn host() -> Host {
    Host::new(Config { current_dir: Some(repository().to_path_buf()), ..Config::default() })
}

fn wasm(host: &Host) -> &dyn Runtime {
    host.runtimes().get(RuntimeKind::Wasm).unwrap().as_ref()
}

/// An initialized node.
fn start(host: &Host, node: &NodeManifest) -> Result<Box<dyn Node>, NodeError> {
    let mut running = wasm(host).create(node)?;
    running.initialize()?;
    Ok(running)
}

fn described(host: &Host, node: &NodeManifest) -> NodeDescriptor {
    wasm(host).describe(node).unwrap().unwrap()
}

fn process(node: &mut dyn Node, packet: Packet) -> Result<Vec<(Port, Packet)>, NodeError> {
    let mut out = Outputs::new();
    node.process(Port::FIRST, packet, &mut out)?;
    Ok(out.drain().collect())
}

fn samples(outputs: &[(Port, Packet)]) -> Vec<f32> {
    let [(Port::FIRST, Packet { payload: Payload::Audio(audio), .. })] = outputs else {
        panic!("wanted one packet of audio, got {outputs:?}");
    };
    audio.as_f32().unwrap().to_vec()
}

fn ports(list: &[remotemedia_core::PortSpec]) -> Vec<(&str, PayloadKind)> {
    list.iter().map(|port| (port.name.as_str(), port.kind)).collect()
}

#[test]
fn every_released_wit_has_frozen_guests_that_nobody_touched() {
    assert_eq!(
        versions(),
        crate::binary::names(&repository().join("wit"))
            .into_iter()
            .filter(|name| name.starts_with('v'))
            .collect::<Vec<_>>()
    );
    let mut bytes = 0;
    for version in versions() {
        let folder = compat().join(&version);
        let recipe = std::fs::read_to_string(folder.join("RECIPE.md")).unwrap();
        let sums = std::fs::read_to_string(folder.join("SHA256SUMS")).unwrap();
        let files: Vec<String> =
            crate::binary::names(&folder).into_iter().filter(|name| name.ends_with(".wasm")).collect();
        let listed: Vec<(&str, &str)> = sums.lines().map(|line| line.split_once("  ").unwrap()).collect();
        assert_eq!(files, listed.iter().map(|(_, file)| *file).collect::<Vec<_>>(), "{version}/SHA256SUMS");
        for (sum, file) in listed {
            let content = std::fs::read(folder.join(file)).unwrap();
            bytes += content.len();
            let actual: String = Sha256::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(actual, sum, "the frozen guest {version}/{file} was changed: restore it");
            let name = file.trim_end_matches(".wasm");
            assert!(recipe.contains(&format!("`{name}`")), "{version}/RECIPE.md says nothing about {name}");
        }
    }
    assert!(bytes < MOST_BYTES, "the frozen guests take {bytes} bytes");
}

#[test]
fn the_frozen_gains_scale_by_their_decibels_in_every_format() {
    for (version, file) in versions().iter().flat_map(|version| [(version, "gain"), (version, "gain-c")]) {
        let (host, node) = (host(), frozen(version, file, json!({"gain_db": 20})));
        let descriptor = described(&host, &node);
        assert_eq!((descriptor.node_type.as_str(), descriptor.stateless), ("gain", true), "{version} {file}");
        assert_eq!(ports(&descriptor.inputs), [("in", PayloadKind::Audio)]);
        assert_eq!(ports(&descriptor.outputs), [("out", PayloadKind::Audio)]);
        assert_eq!(descriptor.params_schema["properties"]["gain_db"]["maximum"].as_f64(), Some(150.0));
        let mut running = start(&host, &node).unwrap();
        let block = AudioBuffer::from_f32(44_100, 2, vec![0.25, -0.5, 0.0, 0.125]).unwrap();
        let outputs = process(running.as_mut(), Packet::new(-7, block)).unwrap();
        assert_eq!(outputs[0].1.pts_ns, -7);
        // Twenty decibels are a factor of ten, which f32 holds exactly; so are the products.
        assert_eq!(samples(&outputs), [2.5, -5.0, 0.0, 1.25]);
        let block = AudioBuffer::from_i16(8_000, 1, vec![1, -7, 4_000]).unwrap();
        let outputs = process(running.as_mut(), Packet::new(0, block)).unwrap();
        let Payload::Audio(audio) = &outputs[0].1.payload else { panic!("no audio") };
        assert_eq!(audio.as_i16().unwrap(), [10, -70, 32_767], "{version} {file}: integers saturate");
        let mut rest = Outputs::new();
        running.flush(&mut rest).unwrap();
        assert!(rest.is_empty());
        running.cleanup();
        let refused = start(&host, &frozen(version, file, json!({"gain_db": 1_000}))).err().unwrap();
        assert_eq!(refused.kind, ErrorKind::InvalidParams, "{version} {file}: {refused}");
    }
}

#[test]
fn the_frozen_biquad_follows_its_difference_equation_over_packets() {
    for version in versions() {
        let (host, frequency_hz, q) = (host(), 1_000.0, 0.9);
        let params = json!({"kind": "lowpass", "frequency_hz": frequency_hz, "q": q});
        let mut running = start(&host, &frozen(&version, "biquad", params)).unwrap();
        // Bristow-Johnson's cookbook: a low-pass by bilinear transform.
        let w0 = TAU * frequency_hz / 48_000.0;
        let alpha = w0.sin() / (2.0 * q);
        let (b0, b1, a0) = ((1.0 - w0.cos()) / 2.0, 1.0 - w0.cos(), 1.0 + alpha);
        let (a1, a2) = (-2.0 * w0.cos(), 1.0 - alpha);
        let input: Vec<f32> = (0..960).map(|n| if n % 97 == 0 { 0.5 } else { 0.0 }).collect();
        let (mut x1, mut x2, mut y1, mut y2) = (0.0, 0.0, 0.0, 0.0);
        let mut got = Vec::new();
        for block in input.chunks(100) {
            let audio = AudioBuffer::from_f32(48_000, 1, block.to_vec()).unwrap();
            got.extend(samples(&process(running.as_mut(), Packet::new(0, audio)).unwrap()));
        }
        for (n, (&x, &y)) in input.iter().zip(&got).enumerate() {
            let x = f64::from(x);
            let expected = (b0 * x + b1 * x1 + b0 * x2 - a1 * y1 - a2 * y2) / a0;
            (x2, x1, y2, y1) = (x1, x, y1, expected);
            assert!((f64::from(y) - expected).abs() < 1e-7, "{version}, frame {n}: {y} for {expected}");
        }
        running.cleanup();
    }
}

#[test]
fn the_frozen_shout_uses_text_json_two_ports_flush_and_refuses_what_it_must() {
    for version in versions() {
        let (host, node) = (host(), frozen(&version, "shout", json!({"ending": "!"})));
        let descriptor = described(&host, &node);
        assert_eq!(ports(&descriptor.inputs), [("in", PayloadKind::Text)], "{version}");
        assert_eq!(ports(&descriptor.outputs), [("out", PayloadKind::Text), ("count", PayloadKind::Json)]);
        let mut running = start(&host, &node).unwrap();
        for (text, shouted) in [("grüße", "GRÜSSE!"), ("one, two", "ONE, TWO!")] {
            let outputs = process(running.as_mut(), Packet::new(5, text)).unwrap();
            let [(Port(0), Packet { pts_ns: 5, payload: Payload::Text(got) })] = outputs.as_slice() else {
                panic!("{outputs:?}");
            };
            assert_eq!(&**got, shouted);
        }
        let refused = process(running.as_mut(), Packet::new(6, "")).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::InvalidInput);
        assert!(refused.message.contains("nothing to shout"), "{refused}");
        let mut rest = Outputs::new();
        running.flush(&mut rest).unwrap();
        let rest: Vec<_> = rest.drain().collect();
        let [(Port(1), Packet { pts_ns: 5, payload: Payload::Json(count) })] = rest.as_slice() else {
            panic!("{rest:?}");
        };
        assert_eq!(**count, json!({"texts": 2}));
        running.cleanup();
        let refused = start(&host, &frozen(&version, "shout", json!({"ending": "!!!!!!!!!"}))).err().unwrap();
        assert_eq!(refused.kind, ErrorKind::InvalidParams);
    }
}

#[test]
fn no_component_is_committed_but_the_frozen_ones() {
    let listed = Command::new("git").args(["ls-files", "-z"]).current_dir(repository()).output();
    let listed = listed.expect("git is needed to list the files of the repository");
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let listed = String::from_utf8(listed.stdout).unwrap();
    let is_binary = |path: &&str| {
        ["wasm", "cwasm"]
            .iter()
            .any(|kind| Path::new(path).extension().is_some_and(|extension| extension == *kind))
    };
    for path in listed.split('\0').filter(is_binary) {
        assert!(path.starts_with("tests/compat/"), "{path}: guests are built, not committed");
    }
}

/// `remotemedia:node@0.1.0` in a component, made the version of another world: all have five characters.
fn of_version(version: &str) -> Vec<u8> {
    let mut bytes = std::fs::read(compat().join("v0.1.0/gain.wasm")).unwrap();
    let (name, from) = (b"remotemedia:node/", b"@0.1.0");
    let mut renamed = 0;
    for at in 0..bytes.len() - 40 {
        if bytes[at..].starts_with(name) {
            let rest = &mut bytes[at + name.len()..at + 40];
            let end = rest.windows(from.len()).position(|window| window == from).unwrap();
            rest[end + 1..end + from.len()].copy_from_slice(version.as_bytes());
            renamed += 1;
        }
    }
    assert!(renamed >= 2, "{renamed} names of interfaces");
    bytes
}

#[test]
fn a_component_of_a_version_to_come_is_refused_with_both_versions_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gain.wasm");
    for version in ["0.2.0", "1.0.0"] {
        std::fs::write(&file, of_version(version)).unwrap();
        let mut node = NodeManifest::new("n", "gain");
        node.component = Some(file.clone().into());
        let error = wasm(&host()).describe(&node).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidParams, "{error}");
        assert!(error.message.contains(&format!("remotemedia:node@{version}")), "{error}");
        assert!(error.message.contains("remotemedia:node@0.1.0"), "{error}");
        assert!(error.message.contains("gain.wasm"), "{error}");
    }
}
