//! A run of the program in a folder of its own, what it left there, and a run that is still going on. It holds no tests.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::binary::{Done, command, names, write_chain, write_wav};

/// Whatever is waited for has come by then, on the busiest machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `done` says so.
pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < PATIENCE, "waited too long: {what}");
        std::thread::yield_now();
    }
}

/// A folder with what a run needs.
pub struct Job {
    folder: tempfile::TempDir,
}

impl Job {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn path(&self, name: &str) -> String {
        self.folder().join(name).to_str().unwrap().to_owned()
    }

    /// A manifest of nodes in a row, which does nothing by default.
    pub fn chain(&self, nodes: &[(&str, &str, Value)]) -> String {
        write_chain(self.folder(), nodes)
    }

    pub fn pass_through(&self) -> String {
        self.chain(&[("a", "PassThrough", json!({}))])
    }

    /// The same with `code` as the module `nodes`, of which `class` is the only node.
    pub fn python(&self, class: &str, code: &str) -> String {
        self.write("nodes.py", code);
        self.chain(&[("a", &format!("nodes:{class}"), json!({}))])
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        fs::write(self.folder().join(name), bytes).unwrap();
        self.path(name)
    }

    /// Mono noise at 16 kHz, which no codec makes small.
    pub fn noise(&self, name: &str, frames: usize) -> String {
        write_wav(&self.folder().join(name), 16_000, 1, noise(frames))
    }

    /// A named pipe.
    pub fn pipe(&self, name: &str) -> String {
        let path = self.path(name);
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        path
    }

    /// What is in the folder.
    pub fn left(&self) -> Vec<String> {
        names(self.folder())
    }

    /// Nothing unfinished is in the folder, and no file of one of these names.
    pub fn has_none_of(&self, outputs: &[&str]) {
        let left = self.left();
        let wrong = left.iter().find(|name| name.ends_with(".part") || outputs.contains(&name.as_str()));
        assert_eq!(wrong, None, "{left:?}");
    }
}

/// White noise, the same every time.
pub fn noise(frames: usize) -> impl Iterator<Item = f32> {
    let mut state = 1_u32;
    (0..frames).map(move |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 25) as f32 - 0.25
    })
}

/// The one error that `done` tells; it is no panic.
pub fn the_error(done: &Done, code: i32) -> String {
    assert_eq!(done.code, code, "{}\n{}", done.stdout, done.stderr);
    assert!(!done.stderr.contains("panicked"), "{}", done.stderr);
    let errors: Vec<&str> = done.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 1, "one error, told once: {}", done.stderr);
    errors[0].to_owned()
}

pub fn says(message: &str, words: &[&str]) {
    for word in words {
        assert!(message.contains(word), "`{word}` is not in: {message}");
    }
}

/// A run that goes on until something happens to it. Dropping it kills it.
pub struct Running {
    child: Child,
    stderr: BufReader<ChildStderr>,
    told: String,
}

impl Running {
    pub fn start(args: &[&str]) -> Self {
        Self::spawn(command(args).stdin(Stdio::null()))
    }

    pub fn spawn(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Self { child, stderr, told: String::new() }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line of standard error that has `word` in it.
    pub fn until_it_says(&mut self, word: &str) {
        let mut line = String::new();
        while !line.contains(word) {
            line.clear();
            let read = self.stderr.read_line(&mut line).unwrap();
            self.told.push_str(&line);
            assert!(read > 0, "it ended without `{word}`: {}", self.told);
        }
    }

    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap().success());
    }

    /// How many threads of this name it has.
    pub fn threads(&self, name: &str) -> usize {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.id())).unwrap();
        let named =
            |task: &PathBuf| fs::read_to_string(task.join("comm")).is_ok_and(|comm| comm.trim() == name);
        tasks.filter(|task| named(&task.as_ref().unwrap().path())).count()
    }

    pub fn is_over(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    pub fn end(mut self) -> Done {
        let (mut stdout, mut rest) = (String::new(), String::new());
        if let Some(mut pipe) = self.child.stdout.take() {
            pipe.read_to_string(&mut stdout).unwrap();
        }
        self.stderr.read_to_string(&mut rest).unwrap();
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        Done { code, stdout, stderr: std::mem::take(&mut self.told) + &rest }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended, or the test has failed.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
