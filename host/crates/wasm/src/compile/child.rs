//! Runs the compiling process: hands it the component, takes the code, and ends it when it takes too long. It is
//! always waited for: no zombie stays.

use std::io::{self, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread::{self, Builder};
use std::time::{Duration, Instant};

use remotemedia_core::policy::CompileLimits;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::failure::{CompileFailure, shown};
use super::{CHILD_VERB, CompilerProgram};
use crate::places::{MOST_INLINED, MOST_NAME_BYTES, Place, Places};

/// More threads compile hardly faster, and each takes address space.
const MOST_THREADS: usize = 4;
/// What is read of standard error, in bytes.
const MOST_ERROR_BYTES: u64 = 8 << 10;
/// Machine code of a component is at most so many times its size, beside `LEAST_CODE_BYTES`; real ones reach 5.
const MOST_GROWTH: u64 = 16;
const LEAST_CODE_BYTES: u64 = 16 << 20;
/// The exit code of a compiler that understood everything and refuses the component.
const REFUSED: i32 = 2;
/// How often an end is looked for that follows at once.
const POLL: Duration = Duration::from_millis(1);

/// The machine code that `program` makes of `component`.
pub(super) fn compile(
    compiler: &CompilerProgram,
    component: &[u8],
    limits: &CompileLimits,
) -> Result<Vec<u8>, CompileFailure> {
    let program = &*compiler.program;
    let unusable = |error: &io::Error| CompileFailure::unusable(program, &error.to_string());
    let mut running =
        Running::start(compiler, component.len(), limits, &[]).map_err(|error| unusable(&error))?;
    let most_code = LEAST_CODE_BYTES + MOST_GROWTH * component.len() as u64;
    let ended = running.converse(component, limits, most_code);
    let Conversation { code, errors, status } = ended.map_err(|interruption| match interruption {
        Interruption::Time => CompileFailure::TooLong { limit_ms: limits.timeout_ms },
        Interruption::Code(most) => CompileFailure::TooMuchCode { limit_mb: most >> 20 },
        Interruption::System(error) => unusable(&error),
    })?;
    if status.success() { Ok(code) } else { Err(explain(program, status, &errors, limits)) }
}

/// What a process may take to read debug info.
const READING: CompileLimits = CompileLimits {
    cpu_ms: 5_000,
    timeout_ms: 20_000,
    memory_mb: 1_024,
    component_mb: 0,
    functions: 0,
    cache_mb: 0,
    unused_mb: 0,
    in_process: false,
};
/// What it may answer, in bytes: a hundred frames with names as long as they may be.
const MOST_PLACES_BYTES: u64 = 1 << 20;

/// The places in the source of the bytes at `offsets`, or why there are none. What comes back may be the work of a
/// component that has taken the process over: it is no more than text.
pub(crate) fn find_places(
    compiler: &CompilerProgram,
    component: &[u8],
    offsets: &[u64],
) -> Result<Places, String> {
    let asked: Vec<String> = offsets.iter().map(u64::to_string).collect();
    let arguments = ["--places".to_owned(), asked.join(",")];
    let unusable = |error: io::Error| format!("{} cannot be started: {error}", compiler.program.display());
    let mut running = Running::start(compiler, component.len(), &READING, &arguments).map_err(unusable)?;
    let limits = format!("{} s and {} MiB", READING.cpu_ms / 1_000, READING.memory_mb);
    let ended = running.converse(component, &READING, MOST_PLACES_BYTES);
    let Conversation { code, status, .. } = ended.map_err(|interruption| match interruption {
        Interruption::Time => format!("its reader took more than {} s", READING.timeout_ms / 1_000),
        Interruption::Code(most) => format!("its reader answered more than {} MiB", most >> 20),
        Interruption::System(error) => format!("its reader cannot be talked to: {error}"),
    })?;
    if !status.success() {
        return Err(format!("its reader ended with {status} (it may use {limits})"));
    }
    let places: Places =
        serde_json::from_slice(&code).map_err(|error| format!("its reader answered nonsense: {error}"))?;
    let is_whole = places.len() == offsets.len();
    if is_whole && places.iter().all(|frames| frames.len() <= MOST_INLINED && frames.iter().all(is_short)) {
        return Ok(places);
    }
    Err("its reader answered nonsense: more, less or longer than it may".to_owned())
}

/// As short as a reader that nobody took over makes it.
fn is_short(place: &Place) -> bool {
    [&place.function, &place.file].into_iter().flatten().all(|name| name.len() <= MOST_NAME_BYTES)
}

/// Why the compiler ended without code.
fn explain(program: &Path, status: ExitStatus, errors: &str, limits: &CompileLimits) -> CompileFailure {
    let lines = || errors.lines().map(str::trim).filter(|line| !line.is_empty());
    if status.code() == Some(REFUSED) {
        let reason =
            lines().next().unwrap_or("it was refused without a reason").trim_start_matches("error: ");
        return CompileFailure::NotSound { reason: shown(reason) };
    }
    let memory = ["memory allocation of", "Cannot allocate memory", "out of memory"];
    if memory.iter().any(|words| errors.contains(words)) {
        return CompileFailure::TooMuchMemory { limit_mb: limits.memory_mb };
    }
    match status.signal().and_then(Signal::from_named_raw) {
        Some(signal) if signal == Signal::XCPU => CompileFailure::TooMuchWork { limit_ms: limits.cpu_ms },
        Some(signal) => {
            let words = lines().find(|line| line.contains("overflowed its stack")).unwrap_or("it crashed");
            CompileFailure::Crash { reason: shown(&format!("{words} ({signal:?})")) }
        }
        None if status.code() == Some(101) => {
            CompileFailure::Crash { reason: shown(&lines().collect::<Vec<_>>().join(" ")) }
        }
        None => CompileFailure::unusable(program, lines().next().unwrap_or("it said nothing")),
    }
}

/// A compiling process. Dropping it ends it.
struct Running {
    child: Child,
    reaped: bool,
}

/// What came out of it.
struct Conversation {
    code: Vec<u8>,
    errors: String,
    status: ExitStatus,
}

/// Why it was ended.
enum Interruption {
    Time,
    Code(u64),
    System(io::Error),
}

impl From<io::Error> for Interruption {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

impl Running {
    fn start(
        compiler: &CompilerProgram,
        component_bytes: usize,
        limits: &CompileLimits,
        more: &[String],
    ) -> io::Result<Self> {
        let threads = thread::available_parallelism().map_or(1, |cores| cores.get().min(MOST_THREADS));
        let cpu_seconds = limits.cpu_ms.div_ceil(1_000);
        let child = Command::new(&compiler.program)
            .args(&compiler.arguments)
            .arg(CHILD_VERB)
            .args(["--component-bytes", &component_bytes.to_string()])
            .args(["--memory-mb", &limits.memory_mb.to_string()])
            .args(["--cpu-seconds", &cpu_seconds.to_string()])
            .args(more)
            .env_clear()
            .env("RAYON_NUM_THREADS", threads.to_string())
            // Every arena of the C library's allocator reserves address space.
            .env("MALLOC_ARENA_MAX", "2")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()?;
        Ok(Self { child, reaped: false })
    }

    /// Everything that is said until it ends, which it has after this.
    fn converse(
        &mut self,
        component: &[u8],
        limits: &CompileLimits,
        most_code: u64,
    ) -> Result<Conversation, Interruption> {
        let deadline = Instant::now() + Duration::from_millis(limits.timeout_ms);
        let pipes = (self.child.stdin.take(), self.child.stdout.take(), self.child.stderr.take());
        let (Some(mut stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(io::Error::other("it has no pipes").into());
        };
        thread::scope(|scope| {
            let talked = (|| -> Result<Conversation, Interruption> {
                // A compiler that ends early says why on standard error; that it does not read on is no news.
                Builder::new().spawn_scoped(scope, move || drop(stdin.write_all(component)))?;
                let errors = Builder::new().spawn_scoped(scope, move || head_of(stderr))?;
                let (sender, receiver) = mpsc::channel();
                Builder::new()
                    .spawn_scoped(scope, move || drop(sender.send(read_code(stdout, most_code))))?;
                let left = deadline.saturating_duration_since(Instant::now());
                let code = receiver.recv_timeout(left).map_err(|_| Interruption::Time)??;
                let status = self.wait_until(deadline)?;
                let errors = errors.join().unwrap_or_default();
                Ok(Conversation { code, errors, status })
            })();
            if talked.is_err() {
                // Ends the pipes too, for which the threads wait.
                self.end();
            }
            talked
        })
    }

    fn wait_until(&mut self, deadline: Instant) -> Result<ExitStatus, Interruption> {
        loop {
            // Looked at, and not yet waited for: until then, the number of its group can be nobody else's.
            let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
            let ended = waitid(WaitId::Pid(Pid::from_child(&self.child)), look).map_err(io::Error::from)?;
            if ended.is_some() {
                // What it started and left behind may hold the pipes open, at whose ends the threads wait.
                self.end_group();
                let status = self.child.wait()?;
                self.reaped = true;
                return Ok(status);
            }
            if Instant::now() >= deadline {
                return Err(Interruption::Time);
            }
            thread::sleep(POLL);
        }
    }

    /// To be called before it is waited for.
    fn end_group(&self) {
        if let Err(error) = kill_process_group(Pid::from_child(&self.child), Signal::KILL) {
            tracing::debug!("the compiler's process group is gone already: {error}");
        }
    }

    fn end(&mut self) {
        if self.reaped {
            return;
        }
        self.end_group();
        drop(self.child.kill());
        match self.child.wait() {
            Ok(_) => self.reaped = true,
            Err(error) => tracing::warn!("the compiler cannot be waited for: {error}"),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

fn read_code(stdout: impl Read, most: u64) -> Result<Vec<u8>, Interruption> {
    let mut code = Vec::new();
    stdout.take(most + 1).read_to_end(&mut code)?;
    if code.len() as u64 > most { Err(Interruption::Code(most)) } else { Ok(code) }
}

/// The beginning of what is written; the rest is read and forgotten, so that the writer is not held up.
fn head_of(mut stderr: impl Read) -> String {
    let mut head = Vec::new();
    let read = stderr.by_ref().take(MOST_ERROR_BYTES).read_to_end(&mut head);
    if read.is_ok() {
        drop(io::copy(&mut stderr, &mut io::sink()));
    }
    String::from_utf8_lossy(&head).into_owned()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    /// A compiler that is a shell script. It gets the same arguments as a real one. The shell reads it: a file that was
    /// just written cannot be executed while another test's child still has it open.
    fn script(dir: &tempfile::TempDir, body: &str) -> CompilerProgram {
        let path = dir.path().join("compiler");
        std::fs::write(&path, body).unwrap();
        CompilerProgram { program: "/bin/sh".into(), arguments: vec![path.into()] }
    }

    fn run(body: &str, timeout_ms: u64) -> Result<Vec<u8>, CompileFailure> {
        let dir = tempfile::tempdir().unwrap();
        let limits = CompileLimits { timeout_ms, ..CompileLimits::default() };
        compile(&script(&dir, body), b"component", &limits)
    }

    /// The process whose number is in that file ends.
    fn is_gone(pid: &Path) {
        let sleeping = std::fs::read_to_string(pid).unwrap();
        let gone = || {
            let state = std::fs::read_to_string(format!("/proc/{}/stat", sleeping.trim()));
            state.map_or(true, |state| state.contains(") Z"))
        };
        let deadline = Instant::now() + Duration::from_secs(30);
        while !gone() && Instant::now() < deadline {
            thread::sleep(POLL);
        }
        assert!(gone(), "process {sleeping} goes on");
    }

    const ENOUGH_MS: u64 = 60_000;

    #[test]
    fn the_compiler_gets_the_component_its_limits_and_nothing_else() {
        let code = run("cat; echo \" $*\"; pwd; env", ENOUGH_MS).unwrap();
        let text = String::from_utf8(code).unwrap();
        let expected = "component compile-component --component-bytes 9 --memory-mb 2048 --cpu-seconds 60\n";
        assert!(text.starts_with(expected), "{text}");
        let names: Vec<&str> =
            text.lines().skip(2).filter_map(|line| Some(line.split_once('=')?.0)).collect();
        // The shell itself adds the last ones.
        let known = ["RAYON_NUM_THREADS", "MALLOC_ARENA_MAX", "PWD", "OLDPWD", "SHLVL", "_"];
        assert!(names.iter().all(|name| known.contains(name)), "{names:?}");
        assert_eq!(text.lines().nth(1), Some("/"));
    }

    #[test]
    fn an_interpreter_is_told_what_to_be_before_the_verb() {
        let dir = tempfile::tempdir().unwrap();
        let mut compiler = script(&dir, "cat > /dev/null; echo \"$*\"");
        compiler.arguments.extend(["-I", "my compiler.py"].map(Into::into));
        let code = compile(&compiler, b"c", &CompileLimits::default()).unwrap();
        let text = String::from_utf8(code).unwrap();
        assert!(text.starts_with("-I my compiler.py compile-component --component-bytes 1 "), "{text}");
    }

    #[test]
    fn a_compiler_that_never_ends_is_ended_with_all_that_it_started() {
        let dir = tempfile::tempdir().unwrap();
        let pid = dir.path().join("pid");
        for body in ["sleep 600 & echo $! > PID; wait", "exec >&-; sleep 600 & echo $! > PID; wait"] {
            let limits = CompileLimits { timeout_ms: 5_000, ..CompileLimits::default() };
            let program = script(&dir, &body.replace("PID", pid.to_str().unwrap()));
            let failure = compile(&program, b"component", &limits).unwrap_err();
            assert_eq!(failure, CompileFailure::TooLong { limit_ms: 5_000 });
            is_gone(&pid);
        }
    }

    #[test]
    fn what_a_compiler_leaves_behind_holds_nobody_up_and_is_ended() {
        let dir = tempfile::tempdir().unwrap();
        let pid = dir.path().join("pid");
        // It holds the pipes for errors and for the component.
        let body = "exec >&-; sleep 600 <&0 & echo $! > PID; echo refused >&2; exit 2";
        let program = script(&dir, &body.replace("PID", pid.to_str().unwrap()));
        let began = Instant::now();
        let component = vec![0; 1 << 20];
        let failure = compile(&program, &component, &CompileLimits::default()).unwrap_err();
        assert_eq!(failure, CompileFailure::NotSound { reason: "refused".into() });
        assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
        is_gone(&pid);
    }

    #[test]
    fn every_way_to_end_without_code_has_its_own_failure() {
        let limit_mb = CompileLimits::default().memory_mb;
        let memory = "echo 'memory allocation of 999 bytes failed' >&2; kill -ABRT $$";
        assert_eq!(run(memory, ENOUGH_MS), Err(CompileFailure::TooMuchMemory { limit_mb }));
        let refused = run("echo 'error: type mismatch at offset 0x1f' >&2; exit 2", ENOUGH_MS);
        assert_eq!(refused, Err(CompileFailure::NotSound { reason: "type mismatch at offset 0x1f".into() }));
        let limit_ms = CompileLimits::default().cpu_ms;
        assert_eq!(run("kill -XCPU $$", ENOUGH_MS), Err(CompileFailure::TooMuchWork { limit_ms }));
        let crash = run("echo \"thread 'main' has overflowed its stack\" >&2; kill -SEGV $$", ENOUGH_MS);
        assert!(
            matches!(&crash, Err(CompileFailure::Crash { reason }) if reason.contains("overflowed")),
            "{crash:?}"
        );
        let panic = run("echo 'panicked at x.rs' >&2; exit 101", ENOUGH_MS);
        assert!(matches!(panic, Err(CompileFailure::Crash { .. })), "{panic:?}");
        let other = run("echo 'no such verb' >&2; exit 1", ENOUGH_MS);
        assert!(matches!(other, Err(CompileFailure::UnusableCompiler { .. })), "{other:?}");
        let absent = compile(&PathBuf::from("/nowhere/remotemedia").into(), b"", &CompileLimits::default());
        assert!(matches!(absent, Err(CompileFailure::UnusableCompiler { .. })), "{absent:?}");
    }

    #[test]
    fn a_reader_of_debug_info_that_crashes_or_answers_nonsense_or_without_end_costs_the_lines_only() {
        let dir = tempfile::tempdir().unwrap();
        let read = |body: &str| find_places(&script(&dir, body), b"component", &[7, 8]);
        let answer = r#"[[{"function":"f","file":"a.rs","line":3,"column":null}],[]]"#;
        let places = read(&format!("cat > /dev/null; echo '{answer}'")).unwrap();
        assert_eq!((places.len(), places[0][0].line, places[1].len()), (2, Some(3), 0));
        assert!(read("cat > /dev/null; echo \"$*\"").unwrap_err().contains("answered nonsense"));
        assert!(read("cat > /dev/null; echo '[[{\"line\":-1}]]'").unwrap_err().contains("answered nonsense"));
        assert!(read("kill -SEGV $$").unwrap_err().contains("its reader ended with"));
        assert!(read("cat /dev/zero").unwrap_err().contains("answered more than 1 MiB"));
        let frame =
            |name: usize| format!(r#"{{"function":"{}","file":null,"line":1,"column":1}}"#, "f".repeat(name));
        let frames = |count: usize, name: usize| format!("[{}]", vec![frame(name); count].join(","));
        let answers = |text: String| read(&format!("cat > /dev/null; echo '{text}'"));
        assert!(answers(format!("[[],{}]", frames(16, 300))).is_ok());
        for wrong in [
            "[[]]".to_owned(),
            "[[],[],[]]".to_owned(),
            format!("[[],{}]", frames(17, 1)),
            format!("[[],{}]", frames(1, 301)),
        ] {
            assert!(answers(wrong).unwrap_err().contains("more, less or longer than it may"));
        }
    }

    #[test]
    fn endless_output_is_cut_off_on_both_channels() {
        let failure = run("cat /dev/zero", ENOUGH_MS);
        assert_eq!(failure, Err(CompileFailure::TooMuchCode { limit_mb: 16 }));
        let failure = run("head -c 50000000 /dev/zero | tr '\\0' x >&2; exit 2", ENOUGH_MS);
        assert!(matches!(&failure, Err(CompileFailure::NotSound { reason }) if reason.len() < 1_000));
    }
}
