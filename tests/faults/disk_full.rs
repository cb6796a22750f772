//! A disk that is full before all is written: a tiny file system, mounted where only the run sees it. Where the machine
//! does not allow that, the limit of a file's size stands in for it.

use std::process::Command;

use serde_json::json;

use super::job::{Job, says, the_error};
use crate::binary::{Done, command};

/// What the disk holds. `ulimit -f` counts in KiB too in some shells, in blocks of 512 bytes in others (dash): there the
/// limit is half of it.
const DISK_KIB: u32 = 256;

/// Mounts the disk on `$1`, fills it when `$2` says so, runs the rest, and notes in `$3` what is on the disk then.
const ON_A_TINY_DISK: &str = r#"
mount -t tmpfs -o size=${DISK_KIB}k none "$1" || exit 99
disk=$1 list=$3
if [ "$2" = full ]; then head -c 1M /dev/zero > "$disk/filler" 2>/dev/null; fi
shift 3
"$@"
code=$?
ls -A "$disk" > "$list"
exit $code"#;

/// `unshare` with what lets it mount here; `None` where nothing does.
fn may_mount() -> Option<Vec<&'static str>> {
    let ways = [vec!["--mount"], vec!["--mount", "--user", "--map-root-user"]];
    let mount = ["sh", "-c", "mount -t tmpfs none /mnt"];
    ways.into_iter().find(|way| {
        Command::new("unshare").args(way).args(mount).output().is_ok_and(|done| done.status.success())
    })
}

struct Case {
    job: Job,
    done: Done,
    /// What is on the disk after the run.
    left: Vec<String>,
    /// Whether it was a real disk.
    is_disk: bool,
}

/// Runs `args`, in which `DISK` stands for the disk.
fn run(job: Job, args: &[&str], full_before: bool) -> Case {
    let disk = job.path("disk");
    std::fs::create_dir(&disk).unwrap();
    let args: Vec<String> = args.iter().map(|arg| arg.replace("DISK", &disk)).collect();
    let program = command(&[]);
    let way = may_mount();
    let mut run = match &way {
        Some(way) => {
            let mut run = Command::new("unshare");
            run.args(way).args(["sh", "-c", &ON_A_TINY_DISK.replace("${DISK_KIB}", &DISK_KIB.to_string())]);
            run.args(["sh", &disk, if full_before { "full" } else { "empty" }, &job.path("list")]);
            run
        }
        None => {
            let mut run = Command::new("sh");
            let most_kib = if full_before { 0 } else { DISK_KIB };
            run.args(["-c", &format!("ulimit -f {most_kib}; exec \"$@\""), "sh"]);
            run
        }
    };
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => run.env(name, value),
            None => run.env_remove(name),
        };
    }
    let done = Done::from(run.arg(program.get_program()).args(args).output().unwrap());
    let left = match way {
        Some(_) => std::fs::read_to_string(job.path("list")).unwrap().lines().map(str::to_owned).collect(),
        None => crate::binary::names(disk.as_ref()),
    };
    Case { job, done, left, is_disk: way.is_some() }
}

impl Case {
    /// One error that names `file`, the cause and what to do, and nothing on the disk but what was there.
    fn fails_over(&self, file: &str) {
        let message = the_error(&self.done, 1);
        says(&message, &["cannot write", file, "write elsewhere"]);
        says(&message, if self.is_disk { &["no storage space", "free some space"] } else { &["ulimit -f"] });
        assert!(!message.contains(".part"), "a name that the user never gave: {message}");
        let left: Vec<&String> = self.left.iter().filter(|name| *name != "filler").collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

#[test]
fn a_disk_that_fills_up_under_any_output_is_one_error_and_leaves_nothing_there() {
    for output in ["out.wav", "out.flac"] {
        let job = Job::new();
        // 60 s of 32-bit noise: 3.7 MiB as wav, not less than half of that as flac.
        let (manifest, input) = (job.pass_through(), job.noise("in.wav", 960_000));
        run(job, &["run", &manifest, "-i", &input, "-o", &format!("DISK/{output}")], false)
            .fails_over(output);
    }
    let job = Job::new();
    let lines: String = (0..100_000).map(|number| format!("{number}\n")).collect();
    let (manifest, input) = (job.pass_through(), job.write("in.jsonl", lines));
    run(job, &["run", &manifest, "-i", &input, "-o", "DISK/out.jsonl"], false).fails_over("out.jsonl");
}

#[test]
fn a_full_disk_under_metrics_report_or_drawing_is_one_error_and_leaves_nothing_there() {
    for (option, file) in [("--metrics", "m.json"), ("--report", "r.html")] {
        let job = Job::new();
        let (manifest, input) = (job.pass_through(), job.noise("in.wav", 1_600));
        run(job, &["run", &manifest, "-i", &input, option, &format!("DISK/{file}")], true).fails_over(file);
    }
    let job = Job::new();
    let manifest = job.pass_through();
    run(job, &["graph", &manifest, "-o", "DISK/g.svg"], true).fails_over("g.svg");
}

#[test]
fn when_one_output_s_disk_is_full_the_others_do_not_appear_either() {
    let job = Job::new();
    let (manifest, input) = (
        job.chain(&[("a", "PassThrough", json!({})), ("b", "PassThrough", json!({}))]),
        job.noise("in.wav", 960_000),
    );
    let good = job.path("good.wav");
    let args = ["run", &manifest, "-i", &input, "-o", &format!("a={good}"), "-o", "b=DISK/out.wav"];
    let case = run(job, &args, false);
    case.fails_over("out.wav");
    case.job.has_none_of(&["good.wav"]);
}

#[test]
fn a_device_that_is_full_is_one_error() {
    let job = Job::new();
    std::os::unix::fs::symlink("/dev/full", job.path("out.wav")).unwrap();
    let (manifest, input) = (job.pass_through(), job.noise("in.wav", 960_000));
    let done = crate::binary::remotemedia(&["run", &manifest, "-i", &input, "-o", &job.path("out.wav")]);
    says(&the_error(&done, 1), &["cannot write", "out.wav", "no storage space", "free some space"]);
}

#[test]
fn a_file_larger_than_the_process_may_write_is_an_error_and_no_end_by_a_signal() {
    let job = Job::new();
    let (manifest, input) = (job.pass_through(), job.noise("in.wav", 960_000));
    let mut run = Command::new("sh");
    run.args(["-c", "ulimit -f 100; exec \"$@\"", "sh"]).arg(crate::binary::path());
    let done =
        Done::from(run.args(["run", &manifest, "-i", &input, "-o", &job.path("out.wav")]).output().unwrap());
    says(&the_error(&done, 1), &["out.wav", "`ulimit -f`", "write elsewhere"]);
    job.has_none_of(&["out.wav"]);
}

#[test]
fn a_folder_that_cannot_take_metrics_or_report_is_found_before_the_run() {
    for option in ["--metrics", "--report"] {
        let job = Job::new();
        let (manifest, input) = (job.pass_through(), job.noise("in.wav", 1_600));
        let (good, bad) = (job.path("good.wav"), job.path("nowhere/file"));
        let done = crate::binary::remotemedia(&["run", &manifest, "-i", &input, "-o", &good, option, &bad]);
        says(&the_error(&done, 2), &["nowhere/file", "No such file"]);
        job.has_none_of(&["good.wav"]);
    }
}
