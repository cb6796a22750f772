//! `--set node.param=value`: changes params before anything is planned.

use remotemedia_core::Manifest;
use remotemedia_core::manifest::nearest_name;
use serde_json::Value;

use crate::cli::failure::Failure;

/// Applies every `NODE.PARAM=VALUE`; later ones win. Whether the param exists is for the schema to say.
pub fn apply(manifest: &mut Manifest, sets: &[String]) -> Result<(), Failure> {
    for set in sets {
        let parts = set.split_once('=').and_then(|(name, value)| Some((name.split_once('.')?, value)));
        let Some(((id, param), value)) = parts.filter(|((id, param), _)| !id.is_empty() && !param.is_empty())
        else {
            return Err(Failure::usage(format!(
                "--set takes NODE.PARAM=VALUE, for example vad.threshold=0.6; got `{set}`"
            )));
        };
        let Some(node) = manifest.nodes.iter().position(|node| node.id == id) else {
            let ids = manifest.nodes.iter().map(|node| node.id.as_str());
            return Err(Failure::usage(format!(
                "--set {set}: no node is called `{id}`{}",
                suggestion(id, ids)
            )));
        };
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.into()));
        manifest.nodes[node].params.insert(param.into(), value);
    }
    Ok(())
}

/// `; did you mean …?` or the names there are.
pub fn suggestion<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    match nearest_name(name, known.clone()) {
        Some(nearest) => format!("; did you mean `{nearest}`?"),
        None => {
            let names: Vec<String> = known.take(20).map(|name| format!("`{name}`")).collect();
            format!("; there is: {}", names.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use remotemedia_core::ManifestFormat;
    use serde_json::json;

    use super::*;

    fn manifest() -> Manifest {
        let text = br#"{"version": "v1", "metadata": {"name": "x"}, "connections": [],
                        "nodes": [{"id": "vad", "node_type": "VAD", "params": {"threshold": 0.5}}]}"#;
        Manifest::parse(text, ManifestFormat::Json).unwrap()
    }

    #[test]
    fn values_are_json_where_they_can_be_and_text_otherwise() {
        let mut manifest = manifest();
        let sets =
            ["vad.threshold=0.25", "vad.engine=earshot", "vad.list=[1,2]", "vad.text=\"5\"", "vad.eq=a=b"];
        apply(&mut manifest, &sets.map(String::from)).unwrap();
        let expected =
            json!({"threshold": 0.25, "engine": "earshot", "list": [1, 2], "text": "5", "eq": "a=b"});
        assert_eq!(Value::Object(manifest.nodes[0].params.clone()), expected);
    }

    #[test]
    fn a_wrong_node_or_form_is_refused() {
        for set in ["vda.threshold=1", "threshold=1", "vad.threshold", ".x=1", "vad.=1"] {
            assert!(apply(&mut manifest(), &[set.to_owned()]).is_err(), "{set}");
        }
    }
}
