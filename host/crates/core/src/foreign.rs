//! Memory that somebody outside the host owns, a numpy array's say, as the samples or elements of a packet.
//!
//! Nothing here knows who the owner is. What a packet borrows it reads; a node that writes gets a copy.

use std::any::Any;
use std::fmt;

/// A block of `T` that stays readable, at the length it has, until its owner is dropped, on whatever thread that is.
///
/// The owner may be **lent**: then somebody else may write to the block once the call that brought it in has returned.
/// Whoever hands such a packet to another thread calls [`crate::Packet::into_own`] before, and slices of it live
/// no longer than a call of a node. Keeping the packet itself is safe: its owner moves to a copy in time.
pub trait Foreign<T>: Send + Sync {
    /// The block. It may move when what was lent stops being so.
    fn as_slice(&self) -> &[T];

    /// The block for writing, when nobody else reads or writes it while this owner lives.
    fn as_mut_slice(&mut self) -> Option<&mut [T]> {
        None
    }

    /// True while somebody else may write to the block later.
    fn is_lent(&self) -> bool {
        false
    }

    /// The owner itself, for who knows its type.
    fn as_any(&self) -> &dyn Any;
}

/// An owner behind one thin pointer, so that a packet of own memory stays as small as it is without foreign ones.
pub(crate) struct Owner<T>(Box<dyn Foreign<T>>);

impl<T> Owner<T> {
    pub(crate) fn new(owner: impl Foreign<T> + 'static) -> Self {
        Self(Box::new(owner))
    }

    pub(crate) fn get(&self) -> &dyn Foreign<T> {
        &*self.0
    }

    pub(crate) fn get_mut(&mut self) -> &mut dyn Foreign<T> {
        &mut *self.0
    }
}

impl<T> fmt::Debug for Owner<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Foreign({} elements)", self.0.as_slice().len())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::sync::{Arc, OnceLock};

    /// A block that may be written to, or is lent until it is settled.
    pub(crate) struct Block<T> {
        pub(crate) first: Vec<T>,
        pub(crate) second: Arc<OnceLock<Vec<T>>>,
        pub(crate) lent: bool,
    }

    impl<T: Send + Sync + 'static> Foreign<T> for Block<T> {
        fn as_slice(&self) -> &[T] {
            self.second.get().unwrap_or(&self.first)
        }

        fn as_mut_slice(&mut self) -> Option<&mut [T]> {
            (!self.lent).then_some(&mut self.first)
        }

        fn is_lent(&self) -> bool {
            self.lent && self.second.get().is_none()
        }

        fn as_any(&self) -> &dyn Any {
            self
        }
    }

    pub(crate) fn block<T>(values: Vec<T>, lent: bool) -> Block<T> {
        Block { first: values, second: Arc::default(), lent }
    }
}
