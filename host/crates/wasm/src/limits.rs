//! The limits of one node: the policy's, changed by what its manifest asks for. Enforcing them is the business of
//! the modules that count.

use remotemedia_core::policy::SandboxPolicy;
use remotemedia_core::{ManifestError, NodeManifest};

use crate::deadline::Terms;

/// The limits that a manifest may change, as they hold for one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NodeLimits {
    pub memory_bytes: usize,
    pub terms: Terms,
}

impl NodeLimits {
    /// What holds for a node whose manifest says nothing.
    pub fn new(policy: &SandboxPolicy) -> Self {
        Self { memory_bytes: mebibytes(policy.limits.memory_mb.into()), terms: Terms::new(policy, None) }
    }

    /// What holds for `node`.
    ///
    /// # Errors
    /// Everything that its manifest asks for beyond the policy's maximum; paths are relative to the node.
    pub fn of(node: &NodeManifest, policy: &SandboxPolicy) -> Result<Self, Vec<ManifestError>> {
        let mut limits = Self::new(policy);
        let mut faults = Vec::new();
        let asked = node.limits.clone().unwrap_or_default();
        if let Some(memory_mb) = asked.memory_mb {
            let most = policy.maximum.memory_mb.into();
            faults.extend(above("limits.memory_mb", memory_mb, "memory_mb", most, policy));
            limits.memory_bytes = mebibytes(memory_mb);
        }
        let timeouts = [("limits.call_timeout_ms", asked.call_timeout_ms), ("timeout_ms", node.timeout_ms)];
        for (name, timeout_ms) in timeouts {
            let most = policy.maximum.call_timeout_ms;
            faults.extend(
                timeout_ms.and_then(|asked_ms| above(name, asked_ms, "call_timeout_ms", most, policy)),
            );
        }
        limits.terms = Terms::new(policy, Some(node));
        if faults.is_empty() { Ok(limits) } else { Err(faults) }
    }
}

/// So many MiB, in bytes.
pub(crate) fn mebibytes(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX).saturating_mul(1 << 20)
}

fn above(path: &str, asked: u64, key: &str, most: u64, policy: &SandboxPolicy) -> Option<ManifestError> {
    (asked > most).then(|| {
        let place = policy.place();
        ManifestError::new(
            path,
            format!("it asks for {asked}, and the operator's policy allows at most {most}"),
        )
        .suggest(format!("lower it; the operator can change `maximum.{key}` in {place}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use remotemedia_core::manifest::Limits;

    fn node(memory_mb: Option<u64>, call_timeout_ms: Option<u64>, timeout_ms: Option<u64>) -> NodeManifest {
        let mut node = NodeManifest::new("n", "t");
        node.limits = Some(Limits { memory_mb, call_timeout_ms });
        node.timeout_ms = timeout_ms;
        node
    }

    #[test]
    fn a_manifest_may_change_limits_up_to_the_maximum() {
        let policy = SandboxPolicy::default();
        assert_eq!(NodeLimits::of(&NodeManifest::new("n", "t"), &policy), Ok(NodeLimits::new(&policy)));
        let limits = NodeLimits::of(&node(Some(2), Some(300), Some(200)), &policy).unwrap();
        assert_eq!(limits.memory_bytes, 2 * 1024 * 1024);
        let limits = NodeLimits::of(&node(Some(256), Some(5_000), None), &policy).unwrap();
        assert_eq!(limits.memory_bytes, 256 * 1024 * 1024);
    }

    #[test]
    fn a_manifest_may_not_ask_beyond_the_maximum() {
        let policy = SandboxPolicy::default();
        for (asks, path, key) in [
            (node(Some(257), None, None), "limits.memory_mb", "maximum.memory_mb"),
            (node(None, Some(5_001), None), "limits.call_timeout_ms", "maximum.call_timeout_ms"),
            (node(None, None, Some(u64::MAX)), "timeout_ms", "maximum.call_timeout_ms"),
        ] {
            let faults = NodeLimits::of(&asks, &policy).unwrap_err();
            assert_eq!((faults.len(), faults[0].path.as_str()), (1, path));
            assert!(faults[0].to_string().contains(key), "{}", faults[0]);
        }
    }
}
