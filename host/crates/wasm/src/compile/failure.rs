//! Why a component was not compiled. Each case has its own kind or words, and says what to do.

use std::path::{Path, PathBuf};

use remotemedia_core::ErrorKind;

use crate::guest_log::{cut, printable};

/// What a compiler says is cut to this, in bytes: it may repeat names of the component.
const MOST_REASON_BYTES: usize = 600;

/// Why there is no machine code. Reads on after the file's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CompileFailure {
    #[error(
        "has {functions} functions, and this host compiles at most {most}: take unused code out, or have the operator \
         raise `compile.functions` of the policy"
    )]
    TooManyFunctions { functions: u64, most: u64 },
    #[error(
        "took longer to compile than {limit_ms} ms, and was given up: split its largest functions, or have the operator \
         raise `compile.timeout_ms` of the policy"
    )]
    TooLong { limit_ms: u64 },
    #[error(
        "takes more than {limit_ms} ms of processor time to compile: split its largest functions, or have the operator \
         raise `compile.cpu_ms` of the policy"
    )]
    TooMuchWork { limit_ms: u64 },
    #[error(
        "takes more than {limit_mb} MiB of memory to compile: split its largest functions, or have the operator raise \
         `compile.memory_mb` of the policy"
    )]
    TooMuchMemory { limit_mb: u32 },
    #[error(
        "becomes more than {limit_mb} MiB of machine code, far more than its size explains: build it again"
    )]
    TooMuchCode { limit_mb: u64 },
    #[error(
        "asks for more than this host gives one node: {reason}. The operator can change `limits` of the policy"
    )]
    TooLarge { reason: String },
    #[error("is not a sound WebAssembly component: {reason}. Build or download it again")]
    NotSound { reason: String },
    #[error("makes the compiler fail: {reason}. Build it with other optimisations, or download it again")]
    Crash { reason: String },
    #[error(
        "cannot be compiled: there is no `remotemedia` beside this program. Set REMOTEMEDIA_COMPILER to the path of one, \
         or, for components that you trust, `compile.in_process = true` in the policy"
    )]
    NoCompiler,
    #[error(
        "cannot be compiled by {}: {reason}. Set REMOTEMEDIA_COMPILER to the `remotemedia` of this version",
        program.display()
    )]
    UnusableCompiler { program: PathBuf, reason: String },
}

impl CompileFailure {
    pub fn not_sound(error: &wasmtime::Error) -> Self {
        Self::NotSound { reason: shown(&format!("{error:#}")) }
    }

    /// Why the engine does not take code that this version's compiler made: `None` when it is not for its size.
    pub fn too_large(error: &wasmtime::Error) -> Option<Self> {
        // wasmtime has no type for what its pool has no room for.
        let reason = format!("{error:#}");
        reason.contains("pooling allocator").then(|| Self::TooLarge { reason: shown(&reason) })
    }

    pub fn unusable(program: &Path, reason: &str) -> Self {
        Self::UnusableCompiler { program: program.into(), reason: shown(reason) }
    }

    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::TooManyFunctions { .. }
            | Self::TooMuchMemory { .. }
            | Self::TooMuchCode { .. }
            | Self::TooLarge { .. } => ErrorKind::LimitExceeded,
            Self::TooLong { .. } | Self::TooMuchWork { .. } => ErrorKind::Timeout,
            Self::NotSound { .. } | Self::Crash { .. } => ErrorKind::InvalidParams,
            Self::NoCompiler | Self::UnusableCompiler { .. } => ErrorKind::Unavailable,
        }
    }
}

/// `reason` in one line of bounded length.
pub(super) fn shown(reason: &str) -> String {
    printable(cut(reason.trim(), MOST_REASON_BYTES))
}
