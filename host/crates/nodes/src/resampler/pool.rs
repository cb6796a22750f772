//! Engines that nobody uses now, of the whole process. Planning one takes as long as converting a second of audio,
//! and pipelines of Python programs begin anew with every run.

use std::sync::{Mutex, PoisonError};

use super::engine::{Bandwidth, Engine};

/// How many are kept; the one that was used longest ago goes first.
const MOST: usize = 16;
/// Engines of more channels are not kept: their memory grows with them.
const MOST_CHANNELS: usize = 8;

/// What an engine converts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Conversion {
    pub(super) input_rate_hz: u32,
    pub(super) output_rate_hz: u32,
    pub(super) channels: usize,
    pub(super) bandwidth: Bandwidth,
}

static IDLE: Mutex<Vec<(Conversion, Engine)>> = Mutex::new(Vec::new());

/// An engine that is to be rewound first, when one is idle.
pub(super) fn take(conversion: Conversion) -> Option<Engine> {
    let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
    let position = idle.iter().rposition(|(known, _)| *known == conversion)?;
    Some(idle.remove(position).1)
}

/// Keeps `engine` for later.
pub(super) fn give_back(conversion: Conversion, engine: Engine) {
    if conversion.channels > MOST_CHANNELS {
        return;
    }
    let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
    if idle.len() == MOST {
        idle.remove(0);
    }
    idle.push((conversion, engine));
}
