//! A policy is checked against the schema of its types, so that an error names the key, its range, and what was
//! probably meant.

use std::path::Component;
use std::sync::OnceLock;

use serde::Deserialize;
use serde_json::Value;

use super::SandboxPolicy;
use crate::manifest::ManifestError;
use crate::manifest::schema::Schema;

/// One value of a policy, as its type describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicyKey {
    /// Section and key, for example `limits.memory_mb` or `grants."fs.read"`.
    pub path: String,
    /// What it means, with its unit.
    pub meaning: String,
    /// The least and the most it may be, for numbers.
    pub range: Option<(u64, u64)>,
    /// What holds when the file says nothing; null when that follows from something else.
    pub default: Value,
}

impl SandboxPolicy {
    /// Reads a policy. What the value leaves out has its default.
    ///
    /// # Errors
    /// Everything that is wrong, each with its path such as `limits.memory_mb`.
    pub fn from_value(value: &Value) -> Result<Self, Vec<ManifestError>> {
        let faults = schema_faults(value);
        if !faults.is_empty() {
            return Err(faults);
        }
        let policy =
            Self::deserialize(value).map_err(|error| vec![ManifestError::new("", error.to_string())])?;
        let faults = policy.contradictions();
        if faults.is_empty() { Ok(policy) } else { Err(faults) }
    }

    /// Everything that is wrong with a policy that was put together in a program; empty when it is sound.
    #[must_use]
    pub fn faults(&self) -> Vec<ManifestError> {
        match serde_json::to_value(self) {
            Ok(value) => Self::from_value(&value).err().unwrap_or_default(),
            Err(error) => vec![ManifestError::new("", error.to_string())],
        }
    }

    /// Values that are in their ranges but make no sense together.
    fn contradictions(&self) -> Vec<ManifestError> {
        let Self { limits, maximum, grants, .. } = self;
        let mut faults = Vec::new();
        if maximum.memory_mb < limits.memory_mb {
            faults.push(below("memory_mb", maximum.memory_mb.into(), limits.memory_mb.into()));
        }
        match limits.call_timeout_ms {
            Some(call_timeout_ms) if maximum.call_timeout_ms < call_timeout_ms => {
                faults.push(below("call_timeout_ms", maximum.call_timeout_ms, call_timeout_ms));
            }
            _ => {}
        }
        if !grants.net_http.is_empty() {
            let fault = ManifestError::new("grants.\"net.http\"", "this version gives no node a network");
            faults.push(fault.suggest("leave it empty"));
        }
        for (name, dirs) in [("fs.read", &grants.fs_read), ("fs.write", &grants.fs_write)] {
            if let Some(dir) =
                dirs.iter().find(|dir| dir.components().any(|part| part == Component::ParentDir))
            {
                let fault = format!("`{}` has a `..`", dir.display());
                let fault = ManifestError::new(format!("grants.\"{name}\""), fault);
                faults.push(fault.suggest("write the directory without it"));
            }
        }
        faults
    }
}

fn below(key: &str, maximum: u64, limit: u64) -> ManifestError {
    ManifestError::new(
        format!("maximum.{key}"),
        format!("{maximum} is less than the {limit} of limits.{key}, which every node gets"),
    )
    .suggest(format!("set maximum.{key} to {limit} or more"))
}

/// Every key of a policy, in the order of the file.
#[must_use]
pub fn keys() -> Vec<PolicyKey> {
    let schema = json_schema();
    let defaults = serde_json::to_value(SandboxPolicy::default()).unwrap_or_default();
    let sections = properties(&schema).map(|(name, section)| (name, resolve(&schema, section)));
    sections
        .flat_map(|(section, of_section)| {
            let defaults = &defaults[section];
            properties(of_section).map(move |(key, property)| PolicyKey {
                path: join(section, key),
                meaning: description(property),
                range: range(property),
                default: defaults[key].clone(),
            })
        })
        .collect()
}

/// What a section is for.
pub(super) fn description(property: &Value) -> String {
    property.get("description").and_then(Value::as_str).unwrap_or_default().replace('\n', " ")
}

fn json_schema() -> Value {
    schemars::schema_for!(SandboxPolicy).to_value()
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema.get("properties").and_then(Value::as_object).into_iter().flatten()
}

fn resolve<'a>(schema: &'a Value, property: &'a Value) -> &'a Value {
    let reference = property.get("$ref").and_then(Value::as_str);
    reference.and_then(|reference| schema.pointer(reference.trim_start_matches('#'))).unwrap_or(property)
}

fn range(property: &Value) -> Option<(u64, u64)> {
    Some((property.get("minimum")?.as_u64()?, property.get("maximum")?.as_u64()?))
}

/// The key as TOML writes it.
fn join(section: &str, key: &str) -> String {
    if key.contains('.') { format!("{section}.\"{key}\"") } else { format!("{section}.{key}") }
}

fn schema_faults(value: &Value) -> Vec<ManifestError> {
    static SCHEMA: OnceLock<Result<Schema, String>> = OnceLock::new();
    match SCHEMA.get_or_init(|| Schema::compile(json_schema())) {
        Ok(schema) => schema.check(value, "").into_iter().map(told_in_toml).collect(),
        Err(reason) => vec![ManifestError::new("", format!("the policy's own schema is broken: {reason}"))],
    }
}

/// The fault with its path as TOML writes it, and with the range of the key.
fn told_in_toml(fault: ManifestError) -> ManifestError {
    let path = fault.path.trim_start_matches('.').replace("[\"", ".\"").replace("\"]", "\"");
    let range = keys().into_iter().find(|key| key.path == path).and_then(|key| key.range);
    let fault = ManifestError { path, ..fault };
    match range {
        Some((least, most)) if fault.suggestion.is_none() => {
            let suggestion = format!("`{}` may be {least} to {most}", fault.path);
            fault.suggest(suggestion)
        }
        _ => fault,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::policy::Clock;

    fn fault(value: Value) -> String {
        let faults = SandboxPolicy::from_value(&value).unwrap_err();
        assert_eq!(faults.len(), 1, "{faults:?}");
        faults[0].to_string()
    }

    #[test]
    fn an_empty_policy_is_the_safe_default_and_sound() {
        assert_eq!(SandboxPolicy::from_value(&json!({})), Ok(SandboxPolicy::default()));
        assert_eq!(SandboxPolicy::default().faults(), []);
        let defaults = SandboxPolicy::default();
        assert!(defaults.grants.fs_read.is_empty() && defaults.grants.fs_write.is_empty());
        assert!(defaults.grants.env.is_empty() && defaults.grants.clock == Clock::Coarse);
        assert_eq!(defaults.restart.attempts, 0);
    }

    #[test]
    fn every_number_has_a_range_and_every_key_a_meaning() {
        let keys = keys();
        assert!(keys.len() > 30, "{}", keys.len());
        for key in keys {
            assert!(!key.meaning.is_empty(), "{}", key.path);
            if key.default.is_u64() {
                let (least, most) = key.range.unwrap_or_else(|| panic!("{} has no range", key.path));
                let default = key.default.as_u64().unwrap();
                assert!((least..=most).contains(&default), "{}", key.path);
                // Nothing is unlimited, and nothing wraps around when megabytes become bytes.
                assert!(most < 1 << 53, "{}", key.path);
            }
        }
    }

    #[test]
    fn a_fault_names_the_key_its_range_and_the_nearest_name() {
        assert_eq!(
            fault(json!({"limits": {"memory_mb": 0}})),
            "limits.memory_mb: 0 is too small: 1 is the least (`limits.memory_mb` may be 1 to 4096)"
        );
        assert_eq!(
            fault(json!({"tenant": {"memory_mb": 99_999_999}})),
            "tenant.memory_mb: 99999999 is too large: 1048576 is the most (`tenant.memory_mb` may be 1 to 1048576)"
        );
        assert!(fault(json!({"limit": {}})).contains("did you mean `limits`?"));
        assert!(fault(json!({"limits": {"memory": 1}})).contains("did you mean `memory_mb`?"));
        assert!(fault(json!({"grants": {"clock": "exact"}})).contains("`coarse` and `fine`"));
        assert!(
            fault(json!({"grants": {"fs.read": "/data"}}))
                .starts_with("grants.\"fs.read\": it must be an array")
        );
        assert!(fault(json!({"limits": {"memory_mb": "64"}})).contains("may be 1 to 4096"));
    }

    #[test]
    fn a_maximum_below_what_every_node_gets_is_a_contradiction() {
        let text = fault(json!({"limits": {"memory_mb": 512}}));
        assert!(text.starts_with("maximum.memory_mb: 256 is less than the 512"), "{text}");
        let text = fault(json!({"limits": {"call_timeout_ms": 10_000}}));
        assert!(text.starts_with("maximum.call_timeout_ms: 5000 is less"), "{text}");
    }

    #[test]
    fn grants_that_mean_nothing_safe_are_refused() {
        let text = fault(json!({"grants": {"net.http": ["example.org"]}}));
        assert!(text.starts_with("grants.\"net.http\": this version gives no node a network"), "{text}");
        let text = fault(json!({"grants": {"fs.write": ["/data/../etc"]}}));
        assert!(text.starts_with("grants.\"fs.write\": `/data/../etc` has a `..`"), "{text}");
    }
}
