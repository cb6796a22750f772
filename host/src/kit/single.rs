//! A pipeline of one component: what `node run`, golden cases and benches put a node into.

use std::path::Path;

use remotemedia_core::ManifestErrors;

use remotemedia_core::manifest::{Manifest, Metadata, Version};
use remotemedia_core::{NodeManifest, RuntimeHint};
use remotemedia_engine::Plan;
use serde_json::{Map, Value};

use super::KitError;
use crate::Host;

/// The plan of a pipeline that is `component` and nothing else. The node's id is its type.
///
/// # Errors
/// When the file is no node that this host takes, or the params are not the node's.
pub fn single_plan(host: &Host, component: &Path, params: Map<String, Value>) -> Result<Plan, KitError> {
    let manifest = manifest(host, component, params)?;
    host.plan(&manifest)
        .map_err(|errors| KitError::Plan { file: component.into(), errors: of_the_node(errors) })
}

/// The faults without the way to them through a manifest that nobody wrote.
fn of_the_node(mut errors: ManifestErrors) -> ManifestErrors {
    for error in &mut errors.0 {
        if let Some(path) = error.path.strip_prefix("$.nodes[0].") {
            error.path = path.to_owned();
        }
    }
    errors
}

fn manifest(host: &Host, component: &Path, params: Map<String, Value>) -> Result<Manifest, KitError> {
    let descriptor = host.describe_component(component)?;
    let mut node = NodeManifest::new(&*descriptor.node_type, &*descriptor.node_type);
    node.params = params;
    node.component = Some(component.into());
    node.base_dir = ".".into();
    // Whatever the operator prefers elsewhere, here the component itself is meant.
    node.runtime_hint = RuntimeHint::Wasm;
    Ok(Manifest {
        version: Version::V1,
        metadata: Metadata { name: descriptor.node_type, ..Metadata::default() },
        nodes: vec![node],
        connections: Vec::new(),
    })
}

/// Params of `NAME=VALUE` texts; later ones win. A value is JSON where it can be, text otherwise.
///
/// # Errors
/// When one has another form.
pub fn params_of(texts: &[String]) -> Result<Map<String, Value>, KitError> {
    texts
        .iter()
        .map(|text| match text.split_once('=') {
            Some((name, value)) if !name.is_empty() => {
                let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.into()));
                Ok((name.to_owned(), value))
            }
            _ => Err(KitError::Usage(format!(
                "--param takes NAME=VALUE, for example gain_db=-6; got `{text}`"
            ))),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_json_where_they_can_be() {
        let texts = ["a=1", "b=x", "c=[true]", "a=2", "d=", "e=f=g"].map(String::from);
        let expected = json!({"a": 2, "b": "x", "c": [true], "d": "", "e": "f=g"});
        assert_eq!(Value::Object(params_of(&texts).unwrap()), expected);
        for wrong in ["gain_db", "=1"] {
            assert!(params_of(&[wrong.to_owned()]).is_err(), "{wrong}");
        }
    }
}
