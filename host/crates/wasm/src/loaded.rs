//! The components that are in memory: one slot per content, so that two nodes of one new component compile it once.
//! A component that no node runs any more stays for the next one, as long as there are not too many of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use remotemedia_core::NodeDescriptor;

use crate::bindings::Prepared;
use crate::cache::Digest;
use crate::trust::{self, Sha256};

/// A component that is ready to be instantiated.
pub(crate) struct Loaded {
    pub prepared: Prepared,
    pub descriptor: NodeDescriptor,
    /// Of the whole file, signature included.
    sha256: OnceLock<Sha256>,
}

impl Loaded {
    pub fn new(prepared: Prepared, descriptor: NodeDescriptor, sha256: Option<Sha256>) -> Self {
        Self { prepared, descriptor, sha256: sha256.map(Into::into).unwrap_or_default() }
    }

    /// The same component, which described itself differently in other surroundings.
    pub fn with_descriptor(&self, descriptor: NodeDescriptor) -> Self {
        Self { prepared: self.prepared.clone(), descriptor, sha256: self.sha256.clone() }
    }

    /// The digest of `file`, which it was loaded from.
    pub fn sha256(&self, file: &[u8]) -> Sha256 {
        *self.sha256.get_or_init(|| trust::sha256(file))
    }

    /// The digest of its file, if anybody asked for it before.
    pub fn known_sha256(&self) -> Option<Sha256> {
        self.sha256.get().copied()
    }
}

/// Holds the component of one content once it is loaded. Locked while somebody loads it.
pub(crate) type Slot = Arc<Mutex<Option<Arc<Loaded>>>>;

/// All of them.
pub(crate) struct LoadedComponents {
    known: Mutex<Known>,
    most_unused_bytes: usize,
}

#[derive(Default)]
struct Known {
    /// With the number of the request that last asked for it.
    slots: HashMap<Digest, (Slot, u64)>,
    requests: u64,
}

impl LoadedComponents {
    /// None yet. The machine code of those that no node uses is kept up to `most_unused_bytes` together.
    pub fn new(most_unused_bytes: usize) -> Self {
        Self { known: Mutex::default(), most_unused_bytes }
    }

    /// The slot for the content with that digest.
    pub fn slot(&self, digest: Digest) -> Slot {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.requests += 1;
        let now = known.requests;
        if let Some((slot, asked)) = known.slots.get_mut(&digest) {
            *asked = now;
            return Arc::clone(slot);
        }
        // Only new content makes the map larger.
        known.drop_unused(self.most_unused_bytes);
        let slot = Slot::default();
        known.slots.insert(digest, (Arc::clone(&slot), now));
        slot
    }
}

impl Known {
    fn drop_unused(&mut self, most_bytes: usize) {
        let mut unused: Vec<(u64, Digest, usize)> = Vec::new();
        for (digest, (slot, asked)) in &self.slots {
            unused.extend(unused_bytes(slot).map(|bytes| (*asked, *digest, bytes)));
        }
        unused.sort_unstable_by_key(|(asked, ..)| std::cmp::Reverse(*asked));
        let mut kept_bytes = 0_usize;
        for (_, digest, bytes) in unused {
            kept_bytes = kept_bytes.saturating_add(bytes);
            if bytes == 0 || kept_bytes > most_bytes {
                self.slots.remove(&digest);
            }
        }
    }
}

/// How much machine code is in a slot that nobody uses: nothing when loading it failed.
fn unused_bytes(slot: &Slot) -> Option<usize> {
    if Arc::strong_count(slot) > 1 {
        return None;
    }
    match &*slot.lock().unwrap_or_else(PoisonError::into_inner) {
        None => Some(0),
        Some(loaded) if Arc::strong_count(loaded) == 1 => Some(loaded.prepared.code_bytes()),
        Some(_) => None,
    }
}
