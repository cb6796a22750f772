//! What the nodes of one tenant use together, and how many nodes run: counted when a node starts and grows, given
//! back when its store is dropped, however it ended.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use remotemedia_core::policy::SandboxPolicy;
use remotemedia_core::{ErrorKind, NodeError};

use crate::files::{OpenFiles, Quota};
use crate::limits::mebibytes;

/// Everybody who runs nodes in this runtime.
#[derive(Debug)]
pub(crate) struct Tenants {
    policy: Arc<SandboxPolicy>,
    running: Arc<AtomicU32>,
    by_name: Mutex<HashMap<Box<str>, Arc<Tenant>>>,
}

/// One of them. It is forgotten when its last node ended, unless they wrote files.
#[derive(Debug)]
pub(crate) struct Tenant {
    name: Box<str>,
    nodes: AtomicU32,
    most_nodes: u32,
    memory_bytes: AtomicUsize,
    most_memory_bytes: usize,
    /// What its nodes wrote, also those that have ended.
    pub disk: Quota,
    /// What its nodes hold open.
    pub open_files: OpenFiles,
    /// Of all tenants.
    all_running: Arc<AtomicU32>,
    most_running: u32,
}

/// The place of one running node, and the memory that it holds.
#[derive(Debug)]
pub(crate) struct Seat {
    tenant: Arc<Tenant>,
    memory_bytes: usize,
}

impl Tenants {
    pub fn new(policy: Arc<SandboxPolicy>) -> Self {
        Self { policy, running: Arc::default(), by_name: Mutex::default() }
    }

    /// The tenant called `name`; the process's own has no name.
    pub fn get(&self, name: Option<&str>) -> Arc<Tenant> {
        let name = name.unwrap_or_default();
        let mut by_name = self.by_name.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tenant) = by_name.get(name) {
            return Arc::clone(tenant);
        }
        // Nobody else can take hold of one that only this map holds.
        by_name.retain(|_, tenant| Arc::strong_count(tenant) > 1 || !tenant.disk.is_whole());
        let tenant = Arc::new(Tenant {
            name: name.into(),
            nodes: AtomicU32::new(0),
            most_nodes: self.policy.tenant.running_nodes,
            memory_bytes: AtomicUsize::new(0),
            most_memory_bytes: mebibytes(self.policy.tenant.memory_mb.into()),
            disk: Quota::of_tenant(&self.policy.tenant),
            open_files: OpenFiles::new(self.policy.tenant.open_files),
            all_running: Arc::clone(&self.running),
            most_running: self.policy.limits.running_nodes,
        });
        by_name.insert(name.into(), Arc::clone(&tenant));
        tenant
    }
}

impl Tenant {
    /// A place for one more node.
    ///
    /// # Errors
    /// `LimitExceeded` when there is none, in the tenant or in the process.
    pub fn seat(self: &Arc<Self>) -> Result<Seat, NodeError> {
        let full = |whose: &str, most: u32, key: &str| {
            let message = format!(
                "{whose} runs at most {most} wasm nodes at once: end others first, or have the operator raise `{key}` \
                 of the policy"
            );
            NodeError::new(ErrorKind::LimitExceeded, message)
        };
        if !count_up(&self.nodes, self.most_nodes) {
            return Err(full(&self.to_string(), self.most_nodes, "tenant.running_nodes"));
        }
        if !count_up(&self.all_running, self.most_running) {
            self.nodes.fetch_sub(1, Ordering::AcqRel);
            return Err(full("this host", self.most_running, "limits.running_nodes"));
        }
        Ok(Seat { tenant: Arc::clone(self), memory_bytes: 0 })
    }
}

impl std::fmt::Display for Tenant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &*self.name {
            "" => f.write_str("this process's tenant"),
            name => write!(f, "the tenant `{name}`"),
        }
    }
}

/// Adds one, unless that were more than `most`.
fn count_up(counter: &AtomicU32, most: u32) -> bool {
    counter
        .fetch_update(Ordering::AcqRel, Ordering::Acquire, |count| (count < most).then(|| count + 1))
        .is_ok()
}

impl Seat {
    /// Takes so much memory of the tenant's.
    ///
    /// # Errors
    /// What was refused, in words that follow "the component".
    pub fn grow(&mut self, bytes: usize) -> Result<(), String> {
        let Tenant { memory_bytes, most_memory_bytes, .. } = &*self.tenant;
        let taken = memory_bytes.fetch_update(Ordering::AcqRel, Ordering::Acquire, |held| {
            held.checked_add(bytes).filter(|total| total <= most_memory_bytes)
        });
        match taken {
            Ok(_) => {
                self.memory_bytes += bytes;
                Ok(())
            }
            Err(held) => Err(format!(
                "wanted {:.1} MiB more memory, and {} has {:.1} of {} MiB left (tenant.memory_mb)",
                bytes as f64 / 1_048_576.0,
                self.tenant,
                most_memory_bytes.saturating_sub(held) as f64 / 1_048_576.0,
                most_memory_bytes >> 20
            )),
        }
    }

    /// Gives so much back.
    pub fn shrink(&mut self, bytes: usize) {
        let bytes = bytes.min(self.memory_bytes);
        self.memory_bytes -= bytes;
        self.tenant.memory_bytes.fetch_sub(bytes, Ordering::AcqRel);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.shrink(self.memory_bytes);
        self.tenant.nodes.fetch_sub(1, Ordering::AcqRel);
        self.tenant.all_running.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenants(change: impl FnOnce(&mut SandboxPolicy)) -> Tenants {
        let mut policy = SandboxPolicy::default();
        change(&mut policy);
        Tenants::new(policy.into())
    }

    #[test]
    fn a_tenant_s_memory_is_one_sum_that_ends_with_its_nodes() {
        let tenants = tenants(|policy| policy.tenant.memory_mb = 10);
        let (a, b) = (tenants.get(Some("a")), tenants.get(Some("b")));
        let (mut one, mut two) = (a.seat().unwrap(), tenants.get(Some("a")).seat().unwrap());
        one.grow(6 << 20).unwrap();
        let refusal = two.grow(5 << 20).unwrap_err();
        assert_eq!(
            refusal,
            "wanted 5.0 MiB more memory, and the tenant `a` has 4.0 of 10 MiB left (tenant.memory_mb)"
        );
        two.grow(4 << 20).unwrap();
        b.seat().unwrap().grow(10 << 20).unwrap();
        drop(one);
        two.grow(6 << 20).unwrap();
        two.shrink(usize::MAX);
        two.grow(10 << 20).unwrap();
        assert!(two.grow(usize::MAX).is_err());
    }

    #[test]
    fn seats_are_counted_per_tenant_and_over_all() {
        let tenants = tenants(|policy| {
            policy.tenant.running_nodes = 2;
            policy.limits.running_nodes = 3;
        });
        let (a, b) = (tenants.get(Some("a")), tenants.get(None));
        let first = a.seat().unwrap();
        let _second = a.seat().unwrap();
        let error = a.seat().unwrap_err();
        assert_eq!(error.kind, ErrorKind::LimitExceeded);
        assert!(
            error.message.contains("the tenant `a` runs at most 2")
                && error.message.contains("tenant.running_nodes")
        );
        let _third = b.seat().unwrap();
        let error = b.seat().unwrap_err();
        assert!(error.message.contains("this host runs at most 3 wasm nodes"), "{error}");
        drop(first);
        assert!(b.seat().is_ok());
        assert!(a.seat().is_ok());
    }

    #[test]
    fn a_tenant_without_nodes_is_forgotten() {
        let tenants = tenants(|_| {});
        for n in 0..1_000 {
            drop(tenants.get(Some(&n.to_string())).seat().unwrap());
        }
        assert!(tenants.by_name.lock().unwrap().len() <= 2);
    }
}
