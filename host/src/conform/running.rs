//! A node that runs under observation: a panic is caught, output on a port that does not exist is found, and
//! `cleanup` is never forgotten.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use remotemedia_core::{ErrorKind, Node, NodeDescriptor, NodeError, Operation, Outputs, Packet, Port};

use super::recording::Recording;

/// One packet for one input.
pub(super) type Feed = (Port, Packet);

/// What a node did instead of its work.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    /// It returned an error.
    Error(NodeError),
    /// It panicked.
    Panic(String),
    /// It emitted what its descriptor rules out.
    Broken(String),
}

impl Fault {
    /// The kind of the error, when there was a proper one.
    pub fn kind(&self) -> Option<ErrorKind> {
        match self {
            Self::Error(error) => Some(error.kind),
            Self::Panic(_) | Self::Broken(_) => None,
        }
    }

    /// True when a packet was refused as what it is.
    pub fn is_refused_input(&self) -> bool {
        self.kind() == Some(ErrorKind::InvalidInput)
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Error(error) => {
                let verb = error.operation.map_or("", Operation::name);
                write!(f, "{verb}: {} [{}]", error.message, error.kind.name())
            }
            Self::Panic(message) => write!(f, "it panicked: {message}"),
            Self::Broken(what) => f.write_str(what),
        }
    }
}

/// Runs `body`, which calls into a node.
pub(super) fn guarded<T>(
    operation: Operation,
    body: impl FnOnce() -> Result<T, NodeError>,
) -> Result<T, Fault> {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(result) => result.map_err(|error| Fault::Error(error.at("", operation))),
        Err(panic) => Err(Fault::Panic(message_of(&*panic))),
    }
}

fn message_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".into())
}

/// An initialized node with its outputs.
pub(super) struct Running<'a> {
    node: Option<Box<dyn Node>>,
    out: Outputs,
    descriptor: &'a NodeDescriptor,
}

impl<'a> Running<'a> {
    /// Initializes `node`.
    pub fn start(mut node: Box<dyn Node>, descriptor: &'a NodeDescriptor) -> Result<Self, Fault> {
        let initialized = guarded(Operation::Initialize, || node.initialize());
        let running = Self { node: Some(node), out: Outputs::new(), descriptor };
        initialized.map(|()| running)
    }

    /// What sandboxed memory the node holds, in bytes.
    pub fn memory_bytes(&self) -> Option<u64> {
        self.node.as_ref().and_then(|node| node.memory_bytes())
    }

    /// Hands the node one packet and adds what comes out to `recording`.
    pub fn feed(&mut self, feed: Feed, recording: &mut Recording) -> Result<(), Fault> {
        let (port, packet) = feed;
        self.call(Operation::Process, |node, out| node.process(port, packet, out))?;
        recording.take(&mut self.out, self.descriptor)
    }

    /// Hands the node one packet and forgets what comes out.
    pub fn pass(&mut self, (port, packet): Feed) -> Result<(), Fault> {
        let done = self.call(Operation::Process, |node, out| node.process(port, packet, out));
        drop(self.out.drain());
        done
    }

    /// Ends the stream.
    pub fn flush(&mut self, recording: &mut Recording) -> Result<(), Fault> {
        self.call(Operation::Flush, |node, out| node.flush(out))?;
        recording.take(&mut self.out, self.descriptor)
    }

    fn call(
        &mut self,
        operation: Operation,
        verb: impl FnOnce(&mut dyn Node, &mut Outputs) -> Result<(), NodeError>,
    ) -> Result<(), Fault> {
        let Self { node: slot, out, .. } = self;
        let Some(node) = slot else { return Err(Fault::Panic("and was not called again".into())) };
        let done = guarded(operation, || verb(node.as_mut(), out));
        if matches!(done, Err(Fault::Panic(_))) {
            *slot = None;
        }
        done
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if let Some(mut node) = self.node.take() {
            // What cleanup does wrong has no way to the caller: the trait says that it must not fail.
            let _ = guarded(Operation::Cleanup, || {
                node.cleanup();
                Ok(())
            });
        }
    }
}
