//! What the system knows about this process: its memory and its processor time.

use std::fs::File;
use std::io::Read;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Resident memory of this process, in bytes; 0 where the system does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Now.
    pub resident_bytes: u64,
    /// The most there ever was.
    pub peak_bytes: u64,
}

impl Memory {
    /// Asks the system.
    #[must_use]
    pub fn of_this_process() -> Self {
        // In one read: the length of such a file is not known before, so growing a string to hold it takes several.
        let mut text = [0; 4096];
        let read = File::open("/proc/self/status").and_then(|mut file| file.read(&mut text)).unwrap_or(0);
        // Somebody in hundreds of groups has a longer one.
        let status = match read == text.len() {
            true => std::fs::read_to_string("/proc/self/status").unwrap_or_default().into(),
            false => String::from_utf8_lossy(&text[..read]),
        };
        Self { resident_bytes: bytes(&status, "VmRSS:"), peak_bytes: bytes(&status, "VmHWM:") }
    }
}

/// The value of a line such as `VmHWM:   1234 kB`.
fn bytes(status: &str, name: &str) -> u64 {
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|value| value.trim().strip_suffix("kB"))
        .and_then(|value| value.trim().parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// Processor time that all threads of this process used so far, in user and system mode.
#[must_use]
pub fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_this_process_is_known_on_linux() {
        let memory = Memory::of_this_process();
        assert!(
            memory.resident_bytes > 1_000_000 && memory.peak_bytes >= memory.resident_bytes,
            "{memory:?}"
        );
    }

    #[test]
    fn processor_time_passes_while_this_thread_works() {
        let before = cpu_time();
        let mut sum = 0_u64;
        while cpu_time() == before {
            sum = std::hint::black_box(sum + 1);
        }
        assert!(cpu_time() > before);
    }
}
