//! What becomes of memory that was freed. A guest may return megabytes in one call; the host must not keep them for
//! ever because of that.

/// Blocks larger than this go back to the system when they are freed, as does what is free beyond it at the end of
/// an arena.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEPT_BYTES: i32 = 4 << 20;

/// Makes the C library's allocator give large freed memory back to the system. By itself it raises what it keeps with
/// every large block that it sees freed, in every thread's arena, up to 64 MiB each. For the whole process, so it is for
/// programs to call, at their start; elsewhere than with glibc it does nothing.
pub fn give_back_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    for parameter in [libc::M_MMAP_THRESHOLD, libc::M_TRIM_THRESHOLD] {
        // SAFETY: `mallopt` takes two numbers by value, locks the allocator itself, and may be called at any time.
        // That it is heard is shown by the test of the hostile suite that watches the memory of a whole process.
        #[expect(unsafe_code, reason = "only the C library can be told this")]
        let heard = unsafe { libc::mallopt(parameter, KEPT_BYTES) };
        if heard == 0 {
            tracing::warn!(
                "the allocator refuses its parameter {parameter}: freed memory may stay with the process"
            );
        }
    }
}
