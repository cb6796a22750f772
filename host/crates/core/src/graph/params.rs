//! Params against the schema that the node's type declares. Nodes of one type share the compiled schema.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use crate::descriptor::NodeDescriptor;
use crate::manifest::schema::Schema;
use crate::manifest::{Manifest, ManifestError};

/// The schemas that nodes of one type declare, compiled, or as they are with the reason why they are none. Mostly
/// one: only components can declare different ones under one name.
type OfType<'a> = Vec<Result<Schema, (&'a Value, String)>>;

/// Every fault of every node's params, and every schema that is none.
pub(super) fn check(
    manifest: &Manifest,
    descriptors: &[Option<Arc<NodeDescriptor>>],
    faults: &mut Vec<ManifestError>,
) {
    let mut compiled: HashMap<&str, OfType<'_>> = HashMap::new();
    for (index, (node, descriptor)) in manifest.nodes.iter().zip(descriptors).enumerate() {
        let Some(descriptor) = descriptor else { continue };
        let declared = &descriptor.params_schema;
        let of_type = compiled.entry(descriptor.node_type.as_str()).or_default();
        let known = of_type.iter().position(|entry| match entry {
            Ok(schema) => schema.is_of(declared),
            Err((schema, _)) => *schema == declared,
        });
        let position = known.unwrap_or_else(|| {
            of_type.push(Schema::compile(declared.clone()).map_err(|reason| (declared, reason)));
            of_type.len() - 1
        });
        match &of_type[position] {
            Ok(schema) => {
                let params = Value::Object(node.params.clone());
                faults.extend(schema.check(&params, &format!("$.nodes[{index}].params")));
            }
            Err((_, reason)) => faults.push(ManifestError::new(
                format!("$.nodes[{index}].node_type"),
                format!(
                    "the params schema that `{}` declares is not a JSON Schema: {reason}",
                    node.node_type
                ),
            )),
        }
    }
}
