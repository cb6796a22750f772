//! The memory of numpy arrays as that of packets, without a copy.
//!
//! An array that nobody else holds is **taken**: it is the packet's own from then on. An array that its author keeps is
//! **lent**, to one call, while [`Loans`] are open. During the call packets read it where it is; a packet that is still
//! there when the call ends moves to a copy, because the author may change the array from then on. An author who
//! changes it in another thread meanwhile changes what nodes read, as with every function of numpy's that lets go
//! of the interpreter. Dropping either kind is for any thread: PyO3 puts off what needs the interpreter.
#![expect(unsafe_code, reason = "a packet reads an array's memory by its address")]

use std::any::Any;
use std::cell::RefCell;
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::{Arc, OnceLock};

use pyo3::prelude::*;
use remotemedia_core::Foreign;

/// A block of an array's memory, and the array.
struct Block<T> {
    data: NonNull<T>,
    len: usize,
    array: Py<PyAny>,
}

// SAFETY: the block is only read, or written by who has it alone, and holds plain numbers, which belong to no thread.
// The array's reference count changes under the interpreter only: PyO3 puts off a drop without it.
unsafe impl<T: Send> Send for Block<T> {}
// SAFETY: as above; a shared block is only read.
unsafe impl<T: Sync> Sync for Block<T> {}

impl<T> Block<T> {
    fn as_slice(&self) -> &[T] {
        // SAFETY: whoever made the block promised `len` initialised, aligned values there for as long as the array lives,
        // which is held. Slices of what is lent live within a call of a node, so this thread writes to none of them;
        // another thread of the author's may (see above), and any bits are a value of these types.
        unsafe { std::slice::from_raw_parts(self.data.as_ptr(), self.len) }
    }
}

/// An array that belongs to the packet alone.
struct Taken<T> {
    block: Block<T>,
    writable: bool,
}

/// The memory of an array that the packet has alone.
///
/// # Safety
/// `data` points at `len` initialised, aligned values inside memory that lives as long as `array`. Nothing but `array`
/// leads to that memory, and nothing but the reference given leads to `array`.
pub(crate) unsafe fn take<T: Copy + Send + Sync + 'static>(
    array: Py<PyAny>,
    data: NonNull<T>,
    len: usize,
    writable: bool,
) -> impl Foreign<T> + 'static {
    Taken { block: Block { data, len, array }, writable }
}

impl<T: Copy + Send + Sync + 'static> Foreign<T> for Taken<T> {
    fn as_slice(&self) -> &[T] {
        self.block.as_slice()
    }

    fn as_mut_slice(&mut self) -> Option<&mut [T]> {
        // SAFETY: as for reading; the block is this owner's alone, which is borrowed mutably, and numpy would write
        // to it too.
        self.writable
            .then(|| unsafe { std::slice::from_raw_parts_mut(self.block.data.as_ptr(), self.block.len) })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// An array that its author keeps; `own` is what it was when the call ended, if a packet still needed it then.
struct Lent<T> {
    block: Block<T>,
    own: OnceLock<Box<[T]>>,
}

/// A packet's hold on a loan.
pub(crate) struct Hold<T>(Arc<Lent<T>>);

impl<T> Hold<T> {
    /// The array, as long as the packet reads that.
    pub(crate) fn array(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.0.own.get().is_none().then(|| self.0.block.array.clone_ref(py))
    }
}

impl<T: Copy + Send + Sync + 'static> Foreign<T> for Hold<T> {
    fn as_slice(&self) -> &[T] {
        match self.0.own.get() {
            Some(own) => own,
            None => self.0.block.as_slice(),
        }
    }

    fn is_lent(&self) -> bool {
        self.0.own.get().is_none()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

trait Loan {
    /// The call has ended.
    fn settle(self: Arc<Self>);
}

impl<T: Copy> Loan for Lent<T> {
    fn settle(self: Arc<Self>) {
        if Arc::strong_count(&self) > 1 {
            self.own.get_or_init(|| self.block.as_slice().into());
        }
    }
}

type Open = Vec<Arc<dyn Loan>>;

thread_local! {
    static OPEN: RefCell<Option<Open>> = const { RefCell::new(None) };
}

/// While it lives, this thread lends what it is given; what is still held when it is dropped becomes a copy.
#[must_use]
pub struct Loans<'py> {
    /// The loans of the call around this one.
    around: Option<Open>,
    attached: PhantomData<Python<'py>>,
}

impl<'py> Loans<'py> {
    /// Opens loans around one call, within those of a call around it.
    pub fn open(_py: Python<'py>) -> Self {
        let around = OPEN.with_borrow_mut(|open| open.replace(Vec::new()));
        Self { around, attached: PhantomData }
    }
}

impl Drop for Loans<'_> {
    fn drop(&mut self) {
        let around = self.around.take();
        let lent = OPEN.with_borrow_mut(|open| std::mem::replace(open, around));
        lent.into_iter().flatten().for_each(Loan::settle);
    }
}

/// The memory of an array for the call that [`Loans`] are open for; `None` when there is none.
///
/// # Safety
/// `data` points at `len` initialised, aligned values inside memory that lives as long as `array`.
pub(crate) unsafe fn lend<T: Copy + Send + Sync + 'static>(
    array: &Bound<'_, PyAny>,
    data: NonNull<T>,
    len: usize,
) -> Option<Hold<T>> {
    OPEN.with_borrow_mut(|open| {
        let open = open.as_mut()?;
        let block = Block { data, len, array: array.clone().unbind() };
        let lent = Arc::new(Lent { block, own: OnceLock::new() });
        open.push(Arc::clone(&lent) as Arc<dyn Loan>);
        Some(Hold(lent))
    })
}
