//! Objects of a running program as nodes.

use std::ffi::CString;

use pyo3::prelude::*;
use remotemedia_core::{Node, NodeManifest, Outputs, Packet, Port, Runtime};
use remotemedia_python::{CpythonConfig, CpythonRuntime, LiveNode, LiveNodes, marshal};

const SOURCE: &str = "
class Twice:
    def __init__(self): self.last = None
    def process(self, value, port=None):
        self.last = (port, value)
        yield self.last
        yield value
    def flush(self): return self.last
";

fn object(name: &str) -> Py<PyAny> {
    Python::attach(|py| {
        let source = CString::new(SOURCE).unwrap();
        let module = PyModule::from_code(py, &source, c"live_test.py", c"live_test").unwrap();
        module.getattr(name).unwrap().call0().unwrap().unbind()
    })
}

fn packet(text: &str) -> Packet {
    Python::attach(|py| {
        let value = text.into_pyobject(py).unwrap().into_any();
        Packet { pts_ns: 7, payload: marshal::hold_as_it_is(&value) }
    })
}

fn shown(out: &mut Outputs) -> Vec<String> {
    Python::attach(|py| {
        let packets = out.drain();
        packets
            .map(|(_, packet)| marshal::payload_to_python(py, packet.payload).unwrap().to_string())
            .collect()
    })
}

fn running(inputs: &[&str], opaque: bool) -> (CpythonRuntime, Box<dyn Node>) {
    crate::project::runtime().info(std::path::Path::new("/")).unwrap();
    let inputs = inputs.iter().map(|&name| name.to_owned()).collect();
    let live = LiveNodes::from([("it".to_owned(), LiveNode { object: object("Twice"), inputs, opaque })]);
    let runtime = CpythonRuntime::with_live_nodes(CpythonConfig::default(), live.into());
    let node = runtime.create(&NodeManifest::new("it", "python:Object")).unwrap();
    (runtime, node)
}

#[test]
fn an_object_is_called_as_it_is_and_gives_the_very_values() {
    let (_, mut node) = running(&["in"], true);
    let mut out = Outputs::default();
    node.initialize().unwrap();
    node.process(Port::FIRST, packet("a"), &mut out).unwrap();
    node.flush(&mut out).unwrap();
    node.cleanup();
    assert_eq!(shown(&mut out), ["(None, 'a')", "a", "(None, 'a')"]);
}

#[test]
fn an_object_with_several_inputs_is_told_which() {
    let (runtime, mut node) = running(&["left", "right"], false);
    let descriptor = runtime.describe(&NodeManifest::new("it", "python:Object")).unwrap().unwrap();
    assert_eq!(descriptor.inputs.len(), 2);
    let mut out = Outputs::default();
    node.process(Port(1), packet("b"), &mut out).unwrap();
    assert_eq!(shown(&mut out), ["('right', 'b')", "b"]);
    assert!(node.process(Port(2), packet("c"), &mut out).unwrap_err().message.contains("no port 2"));
}

#[test]
fn its_nodes_need_no_thread_and_other_ids_are_classes_as_ever() {
    let (runtime, _) = running(&["in"], true);
    assert!(!runtime.wants_own_thread());
    assert!(crate::project::runtime().wants_own_thread());
    let mut class = NodeManifest::new("other", "SpectralCentroid");
    class.base_dir = "/".into();
    assert!(runtime.describe(&class).unwrap().unwrap().summary.starts_with("The spectral centroid"));
}
