//! What a node may take of the files of the host: so many open at once, over its tenant. And what it may put on the disk: so many bytes written and so many names made, counted over the node and over its
//! tenant. Both counts only grow, because what was written stays there when its node has ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use remotemedia_core::policy::{SandboxLimits, TenantLimits};

use super::open_files::Opening;
use crate::failure::LimitReached;
use crate::limits::mebibytes;
use crate::tenant::Tenant;

/// What was used of it, by a node or by a tenant.
#[derive(Debug)]
pub(crate) struct Quota {
    bytes: Count,
    names: Count,
}

impl Quota {
    /// That of a node which has written nothing.
    pub fn of_node(limits: &SandboxLimits) -> Self {
        Self::new(limits.written_mb, limits.created_files)
    }

    /// That of a tenant which has written nothing.
    pub fn of_tenant(limits: &TenantLimits) -> Self {
        Self::new(limits.written_mb, limits.created_files)
    }

    fn new(written_mb: u32, created_files: u32) -> Self {
        let most_bytes = mebibytes(written_mb.into()) as u64;
        Self { bytes: Count::to(most_bytes), names: Count::to(created_files.into()) }
    }

    /// Whether nothing was ever used of it.
    pub fn is_whole(&self) -> bool {
        self.bytes.used() == 0 && self.names.used() == 0
    }
}

#[derive(Debug)]
struct Count {
    used: AtomicU64,
    most: u64,
}

impl Count {
    fn to(most: u64) -> Self {
        Self { used: AtomicU64::new(0), most }
    }

    fn used(&self) -> u64 {
        self.used.load(Ordering::Acquire)
    }

    fn left(&self) -> u64 {
        self.most.saturating_sub(self.used())
    }

    /// Uses so much more, unless that were too much.
    fn take(&self, more: u64) -> bool {
        let total = |used: u64| used.checked_add(more).filter(|total| *total <= self.most);
        self.used.fetch_update(Ordering::AcqRel, Ordering::Acquire, total).is_ok()
    }

    fn give_back(&self, less: u64) {
        self.used.fetch_sub(less, Ordering::AcqRel);
    }
}

/// A node's quota, and its tenant's. A node that is made anew goes on with the same.
#[derive(Debug)]
pub(crate) struct Disk {
    node: Quota,
    tenant: Arc<Tenant>,
}

impl Disk {
    /// That of a node which has written nothing yet.
    pub fn new(limits: &SandboxLimits, tenant: Arc<Tenant>) -> Self {
        Self { node: Quota::of_node(limits), tenant }
    }

    /// So many bytes are about to be written.
    ///
    /// # Errors
    /// When they are more than are left.
    pub fn write(&self, bytes: u64) -> Result<(), LimitReached> {
        let (own, shared) = (&self.node.bytes, &self.tenant.disk.bytes);
        let refused = |whose: &str, count: &Count, key: &str| {
            let mib = |bytes: u64| bytes as f64 / 1_048_576.0;
            let (wanted, left, most) = (mib(bytes), mib(count.left()), count.most >> 20);
            LimitReached(format!(
                "wanted to write {wanted:.1} MiB more, and {whose} has {left:.1} of {most} MiB left ({key})"
            ))
        };
        if !own.take(bytes) {
            return Err(refused("it", own, "limits.written_mb"));
        }
        if !shared.take(bytes) {
            own.give_back(bytes);
            return Err(refused(&self.tenant.to_string(), shared, "tenant.written_mb"));
        }
        Ok(())
    }

    /// A file, directory or link is about to be made.
    ///
    /// # Errors
    /// When it would be one too many.
    pub fn create(&self) -> Result<(), LimitReached> {
        let (own, shared) = (&self.node.names, &self.tenant.disk.names);
        let refused = |whose: &str, count: &Count, key: &str| {
            let most = count.most;
            LimitReached(format!(
                "wanted to create another file, directory or link, and {whose} may create {most} ({key})"
            ))
        };
        if !own.take(1) {
            return Err(refused("it", own, "limits.created_files"));
        }
        if !shared.take(1) {
            own.give_back(1);
            return Err(refused(&self.tenant.to_string(), shared, "tenant.created_files"));
        }
        Ok(())
    }

    /// A file or directory is about to be opened.
    ///
    /// # Errors
    /// When the tenant has as many open as it may.
    pub fn opening(&self) -> Result<Opening<'_>, LimitReached> {
        let (tenant, files) = (&self.tenant, &self.tenant.open_files);
        files.room().ok_or_else(|| {
            let most = files.most();
            LimitReached(format!(
                "wanted to open another file or directory, and {tenant} may have {most} open (tenant.open_files)"
            ))
        })
    }

    /// The last [`Disk::create`] came to nothing.
    pub fn not_created(&self) {
        self.node.names.give_back(1);
        self.tenant.disk.names.give_back(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tenant::Tenants;
    use remotemedia_core::SandboxPolicy;

    fn policy() -> SandboxPolicy {
        let mut policy = SandboxPolicy::default();
        (policy.limits.written_mb, policy.limits.created_files) = (2, 3);
        (policy.tenant.written_mb, policy.tenant.created_files) = (3, 4);
        policy
    }

    fn told<T>(result: Result<T, LimitReached>) -> String {
        result.err().map(|reached| reached.to_string()).unwrap_or_default()
    }

    #[test]
    fn what_a_node_writes_counts_for_it_and_for_its_tenant() {
        let tenants = Tenants::new(policy().into());
        let node = |tenant| Disk::new(&policy().limits, tenants.get(Some(tenant)));
        let (first, second) = (node("a"), node("a"));
        first.write(2 << 20).unwrap();
        assert_eq!(
            told(first.write(1)),
            "the component wanted to write 0.0 MiB more, and it has 0.0 of 2 MiB left (limits.written_mb)"
        );
        assert_eq!(
            told(second.write(3 << 19)),
            "the component wanted to write 1.5 MiB more, and the tenant `a` has 1.0 of 3 MiB left \
             (tenant.written_mb)"
        );
        second.write(1 << 20).unwrap();
        node("b").write(2 << 20).unwrap();
        assert!(node("b").write(u64::MAX).is_err());
    }

    #[test]
    fn what_a_node_creates_counts_for_it_and_for_its_tenant() {
        let tenants = Tenants::new(policy().into());
        let node = || Disk::new(&policy().limits, tenants.get(None));
        let (first, second) = (node(), node());
        for _ in 0..3 {
            first.create().unwrap();
        }
        assert_eq!(
            told(first.create()),
            "the component wanted to create another file, directory or link, and it may create 3 \
             (limits.created_files)"
        );
        second.create().unwrap();
        assert!(
            told(second.create()).contains("and this process's tenant may create 4 (tenant.created_files)")
        );
        first.not_created();
        second.create().unwrap();
    }

    #[test]
    fn a_tenant_whose_nodes_have_all_ended_does_not_begin_anew() {
        let tenants = Tenants::new(policy().into());
        Disk::new(&policy().limits, tenants.get(Some("a"))).write(2 << 20).unwrap();
        for n in 0..1_000 {
            tenants.get(Some(&n.to_string()));
        }
        assert!(
            told(Disk::new(&policy().limits, tenants.get(Some("a"))).write(2 << 20))
                .contains("tenant.written_mb")
        );
    }
}
