//! `run --inspect` and `top`: who may look, what is seen, and that nobody who looks can hold a run up.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::binary::{Done, command, repository, write_chain};

/// A run that waits for more lines on its standard input.
struct Run {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<std::process::ChildStdout>,
}

impl Run {
    /// Starts a pipeline that multiplies numbers by three, with `--inspect` or `--inspect=path`.
    fn start(folder: &Path, inspect: &str) -> Self {
        let manifest = write_chain(folder, &[("times", "Multiply", json!({"factor": 3}))]);
        let mut child = command(&["run", &manifest, "-i", "-", inspect])
            .env("XDG_RUNTIME_DIR", folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut run = Self { child, stdin, stdout };
        run.calculate(1);
        run
    }

    /// One number in, one out: the pipeline works, and has begun to listen.
    fn calculate(&mut self, number: u32) {
        writeln!(self.stdin, "{number}").unwrap();
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        assert_eq!(line.trim(), (3 * number).to_string());
    }

    fn socket(&self, folder: &Path) -> PathBuf {
        folder.join("remotemedia").join(format!("{}.sock", self.child.id()))
    }

    fn finish(self) -> Done {
        drop(self.stdin);
        self.child.wait_with_output().unwrap().into()
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn top(folder: &Path, args: &[&str]) -> Done {
    command(&[&["top"], args].concat()).env("XDG_RUNTIME_DIR", folder).output().unwrap().into()
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

fn line(stream: &mut BufReader<UnixStream>) -> Value {
    let mut line = String::new();
    stream.read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
}

fn connect(socket: &Path) -> BufReader<UnixStream> {
    let stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    BufReader::new(stream)
}

#[test]
fn only_the_owner_can_reach_the_socket_and_it_goes_when_the_run_ends() {
    let folder = tempfile::tempdir().unwrap();
    let run = Run::start(folder.path(), "--inspect");
    let socket = run.socket(folder.path());
    assert!(fs::symlink_metadata(&socket).unwrap().file_type().is_socket());
    assert_eq!((mode(&socket), mode(socket.parent().unwrap())), (0o600, 0o700));
    assert_eq!(fs::read_dir(socket.parent().unwrap()).unwrap().count(), 1, "nothing else is left there");
    let done = run.finish();
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(!socket.exists());
}

#[test]
fn a_client_gets_snapshots_when_it_asks_and_the_last_one_when_the_run_ends() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = Run::start(folder.path(), "--inspect");
    let mut client = connect(&run.socket(folder.path()));
    let first = line(&mut client);
    assert_eq!((&first["inspect_version"], &first["state"]), (&json!(1), &json!("running")));
    assert_eq!(first["metrics"]["node_metrics"][0]["execution_count"], 1);
    for number in 2..=5 {
        run.calculate(number);
    }
    client.get_mut().write_all(b"\n").unwrap();
    assert_eq!(line(&mut client)["metrics"]["node_metrics"][0]["execution_count"], 5);
    assert_eq!(run.finish().code, 0);
    let last = line(&mut client);
    assert_eq!((&last["state"], &last["metrics"]["ended"]), (&json!("finished"), &json!(true)));
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty());
}

#[test]
fn hostile_clients_neither_hold_the_run_up_nor_get_more_than_their_share() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = Run::start(folder.path(), "--inspect");
    let socket = run.socket(folder.path());
    let mut clients: Vec<_> = (0..8).map(|_| connect(&socket)).collect();
    for client in &mut clients {
        assert_eq!(line(client)["state"], "running");
    }
    // One more than there may be.
    let refused = line(&mut connect(&socket));
    assert!(refused["error"].as_str().unwrap().contains("8 clients"), "{refused}");
    // One says too much without a word: it is shown out.
    clients[0].get_mut().write_all(&[b'x'; 200]).unwrap();
    let mut rest = Vec::new();
    // The kernel says so with an error when bytes were left unread.
    let _ = clients[0].read_to_end(&mut rest);
    assert!(rest.is_empty());
    // The others ask for more than they will ever read, and read nothing.
    for client in &mut clients[1..] {
        let stream = client.get_mut();
        stream.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(&[b'\n'; 4_096]).unwrap();
    }
    for number in 2..200 {
        run.calculate(number);
    }
    let done = run.finish();
    assert_eq!(done.code, 0, "{}", done.stderr);
}

#[test]
fn a_socket_that_a_killed_run_left_is_replaced_and_nothing_else_is() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("my.sock");
    let inspect = format!("--inspect={}", socket.display());
    Run::start(folder.path(), &inspect).kill();
    assert!(socket.exists(), "a killed run cannot tidy up");
    let run = Run::start(folder.path(), &inspect);
    assert_eq!(mode(&socket), 0o600);
    // A second one while the first runs.
    let refused = |why: &str| {
        let manifest = folder.path().join("pipeline.json");
        let done: Done = command(&["run", manifest.to_str().unwrap(), "-i", "-", &inspect])
            .stdin(Stdio::null())
            .output()
            .unwrap()
            .into();
        assert_eq!(done.code, 2, "{}", done.stderr);
        assert!(done.stderr.contains(why), "{}", done.stderr);
    };
    refused("another run listens there");
    assert_eq!(run.finish().code, 0);

    fs::write(&socket, "a letter").unwrap();
    refused("something else has this name");
    assert_eq!(fs::read_to_string(&socket).unwrap(), "a letter");
    fs::remove_file(&socket).unwrap();
    // What a link points to stays as it is, a socket that nobody listens on too.
    let target = folder.path().join("target.sock");
    drop(UnixListener::bind(&target).unwrap());
    symlink(&target, &socket).unwrap();
    refused("something else has this name");
    assert!(target.exists() && fs::symlink_metadata(&socket).unwrap().is_symlink());
}

#[test]
fn a_folder_that_others_may_enter_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let sockets = folder.path().join("remotemedia");
    fs::create_dir(&sockets).unwrap();
    fs::set_permissions(&sockets, fs::Permissions::from_mode(0o755)).unwrap();
    let manifest = write_chain(folder.path(), &[("times", "Multiply", json!({"factor": 3}))]);
    let run = || -> Done {
        let mut run = command(&["run", &manifest, "-i", "-", "--inspect"]);
        run.env("XDG_RUNTIME_DIR", folder.path()).stdin(Stdio::null()).output().unwrap().into()
    };
    let done = run();
    assert_eq!(done.code, 2, "{}", done.stderr);
    assert!(done.stderr.contains("chmod 700"), "{}", done.stderr);
    fs::remove_dir(&sockets).unwrap();
    symlink(folder.path(), &sockets).unwrap();
    assert_eq!(run().code, 2);
}

#[test]
fn top_finds_the_run_or_says_what_there_is() {
    let folder = tempfile::tempdir().unwrap();
    let none = top(folder.path(), &["--once"]);
    assert_eq!(none.code, 2);
    assert!(none.stderr.contains("remotemedia run --inspect"), "{}", none.stderr);
    let mut first = Run::start(folder.path(), "--inspect");
    first.calculate(2);
    let once = top(folder.path(), &["--once"]);
    assert_eq!(once.code, 0, "{}", once.stderr);
    let heading = format!("test-0 (process {})  running", first.child.id());
    assert!(once.stdout.starts_with(&heading), "{}", once.stdout);
    assert!(once.stdout.contains("times native") && !once.stdout.contains('\u{1b}'), "{}", once.stdout);
    let second = Run::start(folder.path(), "--inspect");
    let several = top(folder.path(), &["--once"]);
    assert_eq!(several.code, 2);
    for pid in [first.child.id(), second.child.id()] {
        assert!(several.stderr.contains(&format!("top {pid}")), "{}", several.stderr);
    }
    let json = top(folder.path(), &[&first.child.id().to_string(), "--json"]);
    assert_eq!(json.json()["metrics"]["node_metrics"][0]["execution_count"], 2);
    let by_path = top(folder.path(), &[second.socket(folder.path()).to_str().unwrap(), "--once"]);
    assert_eq!(by_path.code, 0, "{}", by_path.stderr);
    assert_eq!((first.finish().code, second.finish().code), (0, 0));
}

type Step<'a> = (&'a str, Box<dyn FnOnce(&mut ChildStdin) + 'a>);

/// `top` in a pseudo-terminal of Python's. When the text of a step was drawn after the step before, it happens.
fn in_a_terminal(folder: &Path, steps: Vec<Step<'_>>) -> (String, Option<i32>) {
    let top = command(&["top", "--interval-ms", "100"]);
    let script = "import os, pty, sys; os.environ['TERM'] = 'xterm'; os.environ.pop('NO_COLOR', None); \
                  sh = ['sh', '-c', 'stty rows 30 cols 150; echo $$ > $XDG_RUNTIME_DIR/top.pid; exec \"$@\"', 'sh']; \
                  sys.exit(os.waitstatus_to_exitcode(pty.spawn(sh + sys.argv[1:])))";
    // What waits for a text that never comes ends as well, and says what was drawn.
    let mut child = Command::new("timeout")
        .arg("60")
        .arg(repository().join(".venv/bin/python"))
        .args(["-c", script])
        .arg(top.get_program())
        .args(top.get_args())
        .env("XDG_RUNTIME_DIR", folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("run .ci/python-env.sh first");
    let (mut keys, mut screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let (mut drawn, mut since, mut bytes) = (Vec::new(), 0, [0; 4_096]);
    let mut steps = steps.into_iter().peekable();
    loop {
        let read = screen.read(&mut bytes).unwrap();
        if read == 0 {
            break;
        }
        drawn.extend_from_slice(&bytes[..read]);
        if steps.peek().is_some_and(|(text, _)| String::from_utf8_lossy(&drawn[since..]).contains(text)) {
            since = drawn.len();
            steps.next().unwrap().1(&mut keys);
        }
    }
    (String::from_utf8_lossy(&drawn).into_owned(), child.wait().unwrap().code())
}

#[test]
fn top_draws_in_a_terminal_and_leaves_it_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let run = Run::start(folder.path(), "--inspect");
    for key in [b"q", b"\x03"] {
        let press: Step<'_> = ("CALLS/S", Box::new(move |keys| keys.write_all(key).unwrap()));
        let (drawn, code) = in_a_terminal(folder.path(), vec![press]);
        assert_eq!(code, Some(0), "{drawn}");
        assert!(drawn.contains("times") && drawn.contains("native"), "{drawn}");
        let (enters, leaves) = (drawn.find("\u{1b}[?1049h").unwrap(), drawn.rfind("\u{1b}[?1049l").unwrap());
        assert!(enters < leaves);
    }
    assert_eq!(run.finish().code, 0);
}

#[test]
fn top_leaves_the_terminal_as_it_was_when_a_signal_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    let run = Run::start(folder.path(), "--inspect");
    for signal in ["-TERM", "-HUP"] {
        let kill: Step<'_> = (
            "CALLS/S",
            Box::new(|_| {
                let pid = fs::read_to_string(folder.path().join("top.pid")).unwrap();
                assert!(Command::new("kill").args([signal, pid.trim()]).status().unwrap().success());
            }),
        );
        let (drawn, code) = in_a_terminal(folder.path(), vec![kill]);
        assert_eq!(code, Some(0), "{drawn}");
        assert!(drawn.contains("\u{1b}[?1049l"), "{drawn}");
    }
    assert_eq!(run.finish().code, 0);
}

#[test]
fn top_says_that_a_run_has_vanished_or_finished() {
    for (killed, expected) in [(true, "vanished"), (false, "finished")] {
        let folder = tempfile::tempdir().unwrap();
        let run = Run::start(folder.path(), "--inspect");
        let end: Step<'_> = (
            "CALLS/S",
            Box::new(move |_| if killed { run.kill() } else { assert_eq!(run.finish().code, 0) }),
        );
        let quit: Step<'_> = (expected, Box::new(|keys| keys.write_all(b"q").unwrap()));
        let (drawn, code) = in_a_terminal(folder.path(), vec![end, quit]);
        assert_eq!(code, Some(0), "{drawn}");
        let after = &drawn[drawn.rfind("\u{1b}[?1049l").unwrap()..];
        assert!(after.contains(expected), "it says so on the restored screen: {after}");
    }
}

/// `top` in a pseudo-terminal that is taken away while it shows something, with `SIGHUP` as it is or ignored, as
/// `nohup` does: whether it ended within some seconds.
const TERMINAL_GOES: &str = r#"
import fcntl, os, pty, signal, struct, sys, termios, time
child, screen = pty.fork()
if child == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack('HHHH', 30, 150, 0, 0))
    if sys.argv[1] == 'ignored':
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    os.execvp(sys.argv[2], sys.argv[2:])
drawn = b''
while b'times' not in drawn:
    drawn += os.read(screen, 4096)
os.close(screen)
until = time.monotonic() + 30
while time.monotonic() < until:
    if os.waitpid(child, os.WNOHANG)[0]:
        sys.exit(0)
    time.sleep(0.05)
os.kill(child, signal.SIGKILL)
sys.exit('it goes on without its terminal')
"#;

#[test]
fn top_ends_when_its_terminal_is_gone() {
    for hang_up in ["heard", "ignored"] {
        let folder = tempfile::tempdir().unwrap();
        let run = Run::start(folder.path(), "--inspect");
        let top = command(&["top", "--interval-ms", "60000"]);
        let done: Done = Command::new("timeout")
            .arg("60")
            .arg(repository().join(".venv/bin/python"))
            .args(["-c", TERMINAL_GOES, hang_up])
            .arg(top.get_program())
            .args(top.get_args())
            .env("XDG_RUNTIME_DIR", folder.path())
            .env("TERM", "xterm")
            .output()
            .expect("run .ci/python-env.sh first")
            .into();
        assert_eq!(done.code, 0, "SIGHUP {hang_up}: {}", done.stderr);
        assert_eq!(run.finish().code, 0);
    }
}
