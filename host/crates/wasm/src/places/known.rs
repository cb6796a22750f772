//! The last places that were looked up.

use std::collections::VecDeque;

use super::{NoPlaces, Places};
use crate::cache::Digest;

/// How many backtraces are remembered; each is a few hundred bytes, or a few kilobytes with long names.
const MOST: usize = 32;

type Found = Result<Places, NoPlaces>;

/// Backtraces and what was found for them, oldest first.
#[derive(Default)]
pub(super) struct Known(VecDeque<(Digest, Box<[u64]>, Found)>);

impl Known {
    pub fn get(&self, digest: &Digest, offsets: &[u64]) -> Option<Found> {
        let same = |(of, at, _): &&(Digest, Box<[u64]>, Found)| of == digest && **at == *offsets;
        self.0.iter().find(same).map(|(.., found)| found.clone())
    }

    pub fn put(&mut self, digest: Digest, offsets: &[u64], found: Found) {
        if self.0.len() == MOST {
            self.0.pop_front();
        }
        self.0.push_back((digest, offsets.into(), found));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_are_known_by_content_and_offsets() {
        let (one, other) = (blake3::hash(b"one"), blake3::hash(b"other"));
        let mut known = Known::default();
        known.put(one, &[1, 2], Ok(vec![Vec::new(), Vec::new()]));
        known.put(one, &[3], Err(NoPlaces::NoDebugInfo));
        assert_eq!(known.get(&one, &[1, 2]), Some(Ok(vec![Vec::new(), Vec::new()])));
        assert_eq!(known.get(&one, &[3]), Some(Err(NoPlaces::NoDebugInfo)));
        assert_eq!((known.get(&other, &[3]), known.get(&one, &[1])), (None, None));
        for offset in 0..MOST as u64 {
            known.put(other, &[offset], Ok(Vec::new()));
        }
        assert_eq!(known.get(&one, &[3]), None);
        assert!(known.0.len() == MOST && known.get(&other, &[0]).is_some());
    }
}
