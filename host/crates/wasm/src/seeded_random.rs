//! Random numbers that are the same in every run: the stream of a keyed hash over the policy's seed and the node's
//! id. Two nodes of one pipeline get different numbers.

use std::convert::Infallible;

use rand_core::TryRng;

/// An endless stream of bytes.
pub(crate) struct SeededRandom(blake3::OutputReader);

impl SeededRandom {
    /// `purpose` tells streams of one node apart.
    pub fn new(seed: u64, node_id: &str, purpose: &str) -> Self {
        let mut hasher =
            blake3::Hasher::new_derive_key("remotemedia 2026 random numbers of a sandboxed node");
        hasher.update(&seed.to_le_bytes());
        for text in [node_id, purpose] {
            hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
        }
        Self(hasher.finalize_xof())
    }

    fn next<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill(&mut bytes);
        bytes
    }

    /// A seed for the guest's own hash tables.
    pub fn next_u128(&mut self) -> u128 {
        u128::from_le_bytes(self.next())
    }
}

impl TryRng for SeededRandom {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_le_bytes(self.next()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_le_bytes(self.next()))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_follows_from_seed_node_and_purpose_alone() {
        let first = |seed, node: &str, purpose: &str| SeededRandom::new(seed, node, purpose).next_u128();
        let one = first(1, "node", "secure");
        assert_eq!(first(1, "node", "secure"), one);
        for other in [first(2, "node", "secure"), first(1, "nod", "esecure"), first(1, "node", "insecure")] {
            assert_ne!(other, one);
        }
        let mut stream = SeededRandom::new(1, "node", "secure");
        assert_ne!(stream.try_next_u64(), stream.try_next_u64());
    }
}
