//! What the calls of one Python node allocated and did not free, as `tracemalloc` counts it. It only looks: who wants
//! these numbers starts `tracemalloc`, which makes every allocation slower.

use pyo3::prelude::*;

/// The memory of one node.
pub(crate) struct TracedMemory {
    /// `get_traced_memory` of the C module, which gives (bytes now, most bytes).
    ask: Py<PyAny>,
    held_bytes: i64,
}

impl TracedMemory {
    /// Begins to count; `None` unless `tracemalloc` runs.
    pub(crate) fn begin(py: Python<'_>) -> PyResult<Option<Self>> {
        let module = py.import("_tracemalloc")?;
        if !module.call_method0("is_tracing")?.is_truthy()? {
            return Ok(None);
        }
        Ok(Some(Self { ask: module.getattr("get_traced_memory")?.unbind(), held_bytes: 0 }))
    }

    /// What the whole interpreter holds now, in bytes; 0 when somebody stopped `tracemalloc`.
    pub(crate) fn held_bytes(&self, py: Python<'_>) -> i64 {
        let now = self.ask.bind(py).call0().and_then(|told| told.extract::<(i64, i64)>());
        now.map_or(0, |(bytes, _)| bytes)
    }

    /// A call began when the interpreter held `before` bytes, and has ended: what the node holds now.
    pub(crate) fn add(&mut self, py: Python<'_>, before: i64) -> u64 {
        self.held_bytes += self.held_bytes(py) - before;
        // Less than nothing: the node freed what others had allocated.
        u64::try_from(self.held_bytes).unwrap_or(0)
    }
}
