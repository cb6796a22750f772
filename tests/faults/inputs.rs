//! Inputs that change while they are read: cut, grown, replaced, deleted, and a writer that goes away.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;

use super::job::{Job, Running, noise, says, the_error};
use crate::binary::Done;
use crate::binary::repository;

/// Longer than what the program and the pipe behind it hold, so that a run that nobody reads from stops in the middle.
const FRAMES: usize = 960_000;

/// A run from `input` into a pipe, which has stopped in the middle of it because nobody reads on.
struct Held {
    running: Running,
    output: File,
    first: Vec<u8>,
}

impl Held {
    fn start(job: &Job, input: &str) -> Self {
        let (manifest, gate) = (job.pass_through(), job.pipe("gate.wav"));
        let running = Running::start(&["run", &manifest, "-i", input, "-o", &gate]);
        let mut output = File::open(&gate).unwrap();
        // Something has come through: the input is open and being read.
        let mut first = vec![0; 44];
        output.read_exact(&mut first).unwrap();
        Self { running, output, first }
    }

    /// Reads the rest; the audio as hound reads it when the run went well.
    fn release(mut self) -> (Done, Vec<u8>) {
        self.output.read_to_end(&mut self.first).unwrap();
        (self.running.end(), self.first)
    }
}

/// The data of a wav stream of floats.
fn samples(bytes: &[u8]) -> Vec<f32> {
    let at = bytes.windows(4).position(|word| word == b"data").unwrap() + 8;
    bytes[at..].chunks_exact(4).map(|sample| f32::from_le_bytes(sample.try_into().unwrap())).collect()
}

#[test]
fn a_recording_that_is_cut_while_it_is_read_is_an_error_that_says_how_much_was_there() {
    let job = Job::new();
    let input = job.noise("in.wav", FRAMES);
    let held = Held::start(&job, &input);
    // The last 30 s, four bytes for each sample.
    let half = fs::metadata(&input).unwrap().len() - 30 * 16_000 * 4;
    File::options().write(true).open(&input).unwrap().set_len(half).unwrap();
    let (done, _) = held.release();
    says(
        &the_error(&done, 1),
        &["in.wav", "truncated", "announces 60.000 s", "30.000 s", "Copy or record it again"],
    );
}

#[test]
fn compressed_recordings_that_are_cut_while_they_are_read_are_errors() {
    for name in ["tone.flac", "tone.mp3", "tone.ogg", "tone_adpcm.wav"] {
        let job = Job::new();
        let media = repository().join("tests/media").join(name);
        // Through a pipe the file is as slow as this test wants.
        let bytes = fs::read(media).unwrap();
        let (manifest, gate) = (job.pass_through(), job.pipe("in.bin"));
        let running = Running::start(&["run", &manifest, "-i", &gate, "-o", &job.path("out.wav")]);
        let mut input = File::options().write(true).open(&gate).unwrap();
        input.write_all(&bytes[..bytes.len() / 2]).unwrap();
        drop(input);
        let done = running.end();
        job.has_none_of(&["out.wav"]);
        assert!([1, 2].contains(&done.code), "{name}: {}", done.stderr);
        let message = the_error(&done, done.code);
        says(&message, &["in.bin"]);
    }
}

#[test]
fn what_is_added_to_a_recording_while_it_is_read_does_not_count() {
    let job = Job::new();
    let input = job.noise("in.wav", FRAMES);
    let held = Held::start(&job, &input);
    File::options().append(true).open(&input).unwrap().write_all(&[0x7f; 400_000]).unwrap();
    let (done, bytes) = held.release();
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert_eq!(samples(&bytes), noise(FRAMES).collect::<Vec<_>>());
}

#[test]
fn a_recording_that_is_replaced_or_deleted_while_it_is_read_is_read_to_its_end() {
    for replace in [true, false] {
        let job = Job::new();
        let input = job.noise("in.wav", FRAMES);
        let held = Held::start(&job, &input);
        if replace {
            fs::rename(job.noise("other.wav", 10), &input).unwrap();
        } else {
            fs::remove_file(&input).unwrap();
        }
        let (done, bytes) = held.release();
        assert_eq!(done.code, 0, "{}", done.stderr);
        assert_eq!(samples(&bytes), noise(FRAMES).collect::<Vec<_>>());
    }
}

#[test]
fn lines_that_are_added_while_they_are_read_count_as_long_as_the_end_was_not_reached() {
    let job = Job::new();
    let lines: String = (0..200_000).map(|number| format!("{number}\n")).collect();
    let (manifest, input, gate) = (job.pass_through(), job.write("in.jsonl", lines), job.pipe("gate.jsonl"));
    let running = Running::start(&["run", &manifest, "-i", &input, "-o", &gate]);
    let mut output = File::open(&gate).unwrap();
    let mut text = vec![0; 2];
    output.read_exact(&mut text).unwrap();
    File::options().append(true).open(&input).unwrap().write_all(b"200000\n").unwrap();
    output.read_to_end(&mut text).unwrap();
    let done = running.end();
    assert_eq!(done.code, 0, "{}", done.stderr);
    let expected: String = (0..=200_000).map(|number| format!("{number}\n")).collect();
    assert_eq!(String::from_utf8(text).unwrap(), expected);
}

#[test]
fn a_writer_that_is_slow_loses_nothing_and_one_that_goes_away_is_an_error() {
    for whole in [true, false] {
        let job = Job::new();
        let bytes = fs::read(job.noise("original.wav", 16_000)).unwrap();
        let (manifest, gate) = (job.pass_through(), job.pipe("in.wav"));
        let out = job.path("out.wav");
        let running = Running::start(&["run", &manifest, "-i", &gate, "-o", &out]);
        let mut input = File::options().write(true).open(&gate).unwrap();
        // A prime number of bytes at a time, so that no sample and no packet comes whole.
        let most = if whole { bytes.len() } else { bytes.len() / 2 };
        for part in bytes[..most].chunks(997) {
            input.write_all(part).unwrap();
        }
        drop(input);
        let done = running.end();
        if whole {
            assert_eq!(done.code, 0, "{}", done.stderr);
            let read: Vec<f32> =
                hound::WavReader::open(&out).unwrap().samples().map(Result::unwrap).collect();
            assert_eq!(read, noise(16_000).collect::<Vec<_>>());
        } else {
            says(&the_error(&done, 1), &["in.wav", "truncated", "announces 1.000 s"]);
            job.has_none_of(&["out.wav"]);
        }
        assert!(Path::new(&gate).exists());
    }
}
