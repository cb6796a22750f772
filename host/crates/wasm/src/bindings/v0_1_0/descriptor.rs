//! What a component says about itself, checked before anybody shows or uses it.

use std::collections::HashSet;

use remotemedia_core::policy::SandboxLimits;
use remotemedia_core::{ErrorKind, NodeDescriptor, NodeError, PayloadKind, PortSpec};

use super::{params_schema, wit};
use crate::guest_log::{cut, printable};

const NAME_BYTES: usize = 128;
const PORTS: usize = 64;

/// The descriptor in core's terms.
///
/// # Errors
/// `Trap`, naming the field that is not what the WIT says.
pub(super) fn checked(said: wit::Descriptor, limits: &SandboxLimits) -> Result<NodeDescriptor, NodeError> {
    if !is_name(&said.node_type) {
        return Err(broken(format!("node-type `{}` is not a name", shown(&said.node_type))));
    }
    let params_schema =
        params_schema::parse(&said.params_schema).map_err(|why| broken(format!("params-schema {why}")))?;
    Ok(NodeDescriptor {
        node_type: said.node_type,
        version: shown(&said.version),
        summary: printable(cut(&said.summary, limits.message_bytes)),
        inputs: ports("inputs", said.inputs)?,
        outputs: ports("outputs", said.outputs)?,
        params_schema,
        stateless: said.stateless,
        heavy: false,
    })
}

fn ports(field: &str, said: Vec<wit::Port>) -> Result<Vec<PortSpec>, NodeError> {
    if said.len() > PORTS {
        return Err(broken(format!("{field} has {} ports, and the limit is {PORTS}", said.len())));
    }
    let mut seen = HashSet::new();
    said.into_iter()
        .map(|port| {
            if !is_name(&port.name) || !seen.insert(port.name.clone()) {
                return Err(broken(format!(
                    "{field} has a port `{}`, which is not a name or not unique",
                    shown(&port.name)
                )));
            }
            Ok(PortSpec::new(port.name, kind(port.kind)))
        })
        .collect()
}

fn kind(kind: wit::PayloadKind) -> PayloadKind {
    match kind {
        wit::PayloadKind::Audio => PayloadKind::Audio,
        wit::PayloadKind::Text => PayloadKind::Text,
        wit::PayloadKind::Json => PayloadKind::Json,
        wit::PayloadKind::Tensor => PayloadKind::Tensor,
        wit::PayloadKind::Bytes => PayloadKind::Bytes,
        wit::PayloadKind::Any => PayloadKind::Any,
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= NAME_BYTES
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

fn shown(text: &str) -> String {
    printable(cut(text, NAME_BYTES))
}

fn broken(what: impl std::fmt::Display) -> NodeError {
    NodeError::new(ErrorKind::Trap, format!("the component's descriptor is wrong: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said() -> wit::Descriptor {
        let port = |name: &str| wit::Port { name: name.into(), kind: wit::PayloadKind::Audio };
        wit::Descriptor {
            node_type: "gain".into(),
            version: "1.0\u{1b}[31m".into(),
            summary: "Scales.".into(),
            inputs: vec![port("in")],
            outputs: vec![port("out"), port("side")],
            params_schema: r#"{"type": "object"}"#.into(),
            stateless: true,
        }
    }

    fn error_of(change: impl FnOnce(&mut wit::Descriptor)) -> String {
        let mut said = said();
        change(&mut said);
        let error = checked(said, &SandboxLimits::default()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Trap);
        error.message.into()
    }

    #[test]
    fn a_sound_descriptor_becomes_cores() {
        let descriptor = checked(said(), &SandboxLimits::default()).unwrap();
        assert_eq!(descriptor.node_type, "gain");
        assert_eq!(descriptor.version, "1.0\\u{1b}[31m");
        assert_eq!(descriptor.outputs[1], PortSpec::new("side", PayloadKind::Audio));
        assert!(descriptor.stateless);
    }

    #[test]
    fn an_unsound_descriptor_is_refused_by_field() {
        assert!(error_of(|said| said.node_type = String::new()).contains("node-type"));
        assert!(error_of(|said| said.node_type = "a b".into()).contains("node-type `a b`"));
        assert!(error_of(|said| said.params_schema = "{".into()).contains("params-schema is not JSON"));
        assert!(error_of(|said| said.params_schema = "[]".into()).contains("params-schema"));
        assert!(error_of(|said| said.outputs[1].name = "out".into()).contains("outputs has a port `out`"));
        assert!(
            error_of(|said| said.inputs[0].name = "in.put".into()).contains("inputs has a port `in.put`")
        );
        let many = |said: &mut wit::Descriptor| {
            said.inputs =
                (0..65).map(|n| wit::Port { name: format!("p{n}"), kind: wit::PayloadKind::Any }).collect();
        };
        assert!(error_of(many).contains("65 ports"));
    }
}
