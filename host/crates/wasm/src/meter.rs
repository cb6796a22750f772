//! Counts a node's memory and tables over all its linear memories, and refuses growth beyond its own limit and its
//! tenant's. wasmtime's own limiter checks each memory by itself, and a component may have many.

use remotemedia_core::policy::SandboxLimits;
use wasmtime::ResourceLimiter;

use crate::limits::NodeLimits;
use crate::tenant::Seat;

/// What was refused, in words for an error message.
pub(crate) type Refusal = String;

#[derive(Debug)]
pub(crate) struct ResourceMeter {
    memory_limit_bytes: usize,
    memory_bytes: usize,
    table_limit: usize,
    table_elements: usize,
    /// What the last permitted growth added; taken back when it fails after all.
    last_grant: usize,
    refusal: Option<Refusal>,
    seat: Seat,
    instances: usize,
    tables: usize,
    memories: usize,
}

impl ResourceMeter {
    pub fn new(limits: &SandboxLimits, node: &NodeLimits, seat: Seat) -> Self {
        Self {
            memory_limit_bytes: node.memory_bytes,
            memory_bytes: 0,
            table_limit: limits.table_elements,
            table_elements: 0,
            last_grant: 0,
            refusal: None,
            seat,
            instances: limits.instances,
            tables: limits.tables,
            memories: limits.memories,
        }
    }

    /// Forgets what was refused in earlier calls: a guest that coped with a refusal did nothing wrong.
    pub fn begin_call(&mut self) {
        if self.refusal.is_some() {
            self.refusal = None;
        }
    }

    /// All linear memories together, in bytes.
    pub fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    /// What was refused in this call.
    pub fn refusal(&self) -> Option<&str> {
        self.refusal.as_deref()
    }
}

impl ResourceLimiter for ResourceMeter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let growth = desired.saturating_sub(current);
        let total = self.memory_bytes.saturating_add(growth);
        if total > self.memory_limit_bytes {
            self.refusal = Some(format!(
                "wanted {:.1} MiB of memory, and its limit is {:.1} MiB",
                total as f64 / 1_048_576.0,
                self.memory_limit_bytes as f64 / 1_048_576.0
            ));
            return Ok(false);
        }
        if let Err(refusal) = self.seat.grow(growth) {
            self.refusal = Some(refusal);
            return Ok(false);
        }
        self.last_grant = growth;
        self.memory_bytes = total;
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        let growth = std::mem::take(&mut self.last_grant).min(self.memory_bytes);
        self.memory_bytes -= growth;
        self.seat.shrink(growth);
        Ok(())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let growth = desired.saturating_sub(current);
        let total = self.table_elements.saturating_add(growth);
        if total > self.table_limit {
            self.refusal =
                Some(format!("wanted {total} table elements, and the limit is {}", self.table_limit));
            return Ok(false);
        }
        self.last_grant = growth;
        self.table_elements = total;
        Ok(true)
    }

    fn table_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.table_elements -= std::mem::take(&mut self.last_grant).min(self.table_elements);
        Ok(())
    }

    fn instances(&self) -> usize {
        self.instances
    }

    fn tables(&self) -> usize {
        self.tables
    }

    fn memories(&self) -> usize {
        self.memories
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tenant::Tenants;
    use remotemedia_core::SandboxPolicy;

    fn meter(memory_bytes: usize) -> ResourceMeter {
        let limits = SandboxLimits { table_elements: 100, ..SandboxLimits::default() };
        let policy = SandboxPolicy { limits, ..SandboxPolicy::default() };
        let node = NodeLimits { memory_bytes, ..NodeLimits::new(&policy) };
        let seat = Tenants::new(policy.clone().into()).get(None).seat().unwrap();
        ResourceMeter::new(&policy.limits, &node, seat)
    }

    #[test]
    fn memories_are_summed() {
        let mut meter = meter(10 << 20);
        assert!(meter.memory_growing(0, 6 << 20, None).unwrap());
        assert!(meter.memory_growing(0, 4 << 20, None).unwrap(), "a second memory, up to the limit");
        assert_eq!(meter.refusal(), None);
        assert!(!meter.memory_growing(6 << 20, (6 << 20) + 65_536, None).unwrap());
        assert_eq!(meter.refusal(), Some("wanted 10.1 MiB of memory, and its limit is 10.0 MiB"));
        meter.begin_call();
        assert_eq!(meter.refusal(), None);
    }

    #[test]
    fn growth_that_failed_after_all_is_not_counted() {
        let mut meter = meter(10 << 20);
        assert!(meter.memory_growing(0, 10 << 20, None).unwrap());
        meter.memory_grow_failed(wasmtime::Error::msg("no memory")).unwrap();
        assert!(meter.memory_growing(0, 10 << 20, None).unwrap());
    }

    #[test]
    fn tables_are_summed() {
        let mut meter = meter(0);
        assert!(meter.table_growing(0, 60, None).unwrap());
        assert!(!meter.table_growing(0, 41, None).unwrap());
        assert_eq!(meter.refusal(), Some("wanted 101 table elements, and the limit is 100"));
        assert!(meter.table_growing(60, 100, None).unwrap());
    }
}
