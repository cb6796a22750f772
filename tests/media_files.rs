//! Files in and out, against independent peers: files that ffmpeg encoded from a tone that is computed here, and
//! hound as writer and reader of wav.

use std::f64::consts::TAU;
use std::fs;
use std::path::{Path, PathBuf};

use remotemedia_core::{AudioBuffer, AudioSpec, Packet, Payload, SampleFormat};
use remotemedia_host::media::{AudioInput, AudioWriter, MediaError};

const RATE_HZ: u32 = 44_100;
const FRAMES: usize = 44_100;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("media").join(name)
}

/// The tone that `make_tones.py` encodes.
fn tone() -> Vec<i16> {
    let sample = |amplitude: f64, hz: f64, n: usize| {
        (amplitude * 32_767.0 * (TAU * hz * n as f64 / f64::from(RATE_HZ)).sin()).round_ties_even() as i16
    };
    (0..FRAMES).flat_map(|n| [sample(0.5, 440.0, n), sample(0.25, 1000.0, n)]).collect()
}

fn audio_of(packet: Packet) -> AudioBuffer {
    match packet.payload {
        Payload::Audio(audio) => audio,
        other => panic!("{other:?}"),
    }
}

/// The whole file in chunks of `frames`, as bytes, with the times of the chunks checked.
fn read_all(path: &Path, frames: usize) -> Result<(AudioSpec, Vec<u8>), MediaError> {
    let mut input = AudioInput::open(path)?;
    let spec = input.spec();
    let mut bytes = Vec::new();
    let mut frames_read = 0_u64;
    while let Some(packet) = input.next_packet(frames)? {
        assert_eq!(packet.pts_ns as u64, frames_read * 1_000_000_000 / u64::from(spec.sample_rate_hz));
        let audio = audio_of(packet);
        assert_eq!(audio.spec(), spec);
        assert!(audio.frames() <= frames);
        frames_read += audio.frames() as u64;
        bytes.extend_from_slice(audio.as_bytes());
    }
    Ok((spec, bytes))
}

fn to_f32(spec: AudioSpec, bytes: &[u8]) -> Vec<f32> {
    AudioBuffer::from_bytes(spec, bytes).unwrap().to_f32().into_owned()
}

/// Signal to error, in dB.
fn snr_db(expected: &[f32], actual: &[f32]) -> f64 {
    let power = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>();
    let error = power(&mut expected.iter().zip(actual).map(|(e, a)| f64::from(e - a)));
    10.0 * (power(&mut expected.iter().map(|&e| f64::from(e))) / error.max(1e-30)).log10()
}

#[test]
fn flac_from_another_encoder_is_read_bit_for_bit() {
    let (spec, bytes) = read_all(&fixture("tone.flac"), 882).unwrap();
    assert_eq!(spec, AudioSpec { sample_rate_hz: RATE_HZ, channels: 2, format: SampleFormat::S16 });
    let samples: Vec<i16> = bytes.chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect();
    assert_eq!(samples, tone());
}

#[test]
fn lossy_files_have_the_exact_length_and_no_delay() {
    let expected: Vec<f32> = tone().iter().map(|&s| f32::from(s) / 32_768.0).collect();
    for (name, least_db) in [("tone.mp3", 25.0), ("tone.ogg", 25.0)] {
        let (spec, bytes) = read_all(&fixture(name), 1000).unwrap();
        assert_eq!(
            spec,
            AudioSpec { sample_rate_hz: RATE_HZ, channels: 2, format: SampleFormat::F32 },
            "{name}"
        );
        let samples = to_f32(spec, &bytes);
        assert_eq!(samples.len(), expected.len(), "{name}");
        // One frame of delay at 1 kHz would leave 17 dB. The edges, where codecs ring, are left out.
        let inner = 4_000..expected.len() - 4_000;
        let snr = snr_db(&expected[inner.clone()], &samples[inner]);
        assert!(snr > least_db, "{name}: {snr:.1} dB");
    }
}

#[test]
fn compressed_wav_is_decoded() {
    let (spec, bytes) = read_all(&fixture("tone_adpcm.wav"), 882).unwrap();
    assert_eq!((spec.sample_rate_hz, spec.channels), (RATE_HZ, 2));
    let samples = to_f32(spec, &bytes);
    let expected: Vec<f32> = tone().iter().map(|&s| f32::from(s) / 32_768.0).collect();
    let snr = snr_db(&expected[2_000..80_000], &samples[2_000..80_000]);
    assert!(snr > 30.0, "{snr:.1} dB");
}

#[test]
fn samples_do_not_depend_on_the_size_of_the_chunks() {
    for name in ["tone.flac", "tone.mp3", "tone.ogg", "tone_adpcm.wav"] {
        let whole = read_all(&fixture(name), 1 << 20).unwrap();
        for frames in [1, 7, 1152, 4097] {
            assert!(read_all(&fixture(name), frames).unwrap() == whole, "{name} in chunks of {frames}");
        }
    }
}

#[test]
fn wav_of_every_width_is_read_as_its_natural_format() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.wav");
    let write = |bits_per_sample, sample_format, samples: &dyn Fn(&mut hound::WavWriter<_>)| {
        let spec = hound::WavSpec { channels: 1, sample_rate: 8_000, bits_per_sample, sample_format };
        let mut writer = hound::WavWriter::create(&path, spec).unwrap();
        samples(&mut writer);
        writer.finalize().unwrap();
        read_all(&path, 2).unwrap()
    };
    type Writer = hound::WavWriter<std::io::BufWriter<fs::File>>;
    let integers = |values: &'static [i32]| {
        move |writer: &mut Writer| values.iter().for_each(|&value| writer.write_sample(value).unwrap())
    };
    let (spec, bytes) = write(8, hound::SampleFormat::Int, &integers(&[-128, 0, 127]));
    assert_eq!(
        (spec.format, bytes),
        (SampleFormat::S16, [-32_768_i16, 0, 32_512].map(i16::to_le_bytes).concat())
    );
    let (spec, bytes) = write(16, hound::SampleFormat::Int, &integers(&[-32_768, 5, 32_767]));
    assert_eq!(
        (spec.format, bytes),
        (SampleFormat::S16, [-32_768_i16, 5, 32_767].map(i16::to_le_bytes).concat())
    );
    let (spec, bytes) = write(24, hound::SampleFormat::Int, &integers(&[-8_388_608, 1, 8_388_607]));
    let wide = [i32::MIN, 256, 8_388_607 << 8].map(i32::to_le_bytes).concat();
    assert_eq!((spec.format, bytes), (SampleFormat::S32, wide));
    let (spec, bytes) = write(32, hound::SampleFormat::Int, &integers(&[i32::MIN, 1, i32::MAX]));
    assert_eq!(
        (spec.format, bytes),
        (SampleFormat::S32, [i32::MIN, 1, i32::MAX].map(i32::to_le_bytes).concat())
    );
    let floats = |writer: &mut Writer| [-1.5_f32, 0.25].iter().for_each(|&v| writer.write_sample(v).unwrap());
    let (spec, bytes) = write(32, hound::SampleFormat::Float, &floats);
    assert_eq!((spec.format, bytes), (SampleFormat::F32, [-1.5_f32, 0.25].map(f32::to_le_bytes).concat()));
}

fn write_file(path: &Path, audio: &AudioBuffer, chunk: usize) -> Result<(), MediaError> {
    let mut writer = AudioWriter::create(path, audio.spec())?;
    for start in (0..audio.frames()).step_by(chunk) {
        writer.write(&audio.slice_frames(start, chunk))?;
    }
    writer.finish()
}

#[test]
fn written_wav_is_what_another_reader_reads() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.wav");
    let samples = tone();
    write_file(&path, &AudioBuffer::from_i16(RATE_HZ, 2, samples.clone()).unwrap(), 333).unwrap();
    let mut reader = hound::WavReader::open(&path).unwrap();
    assert_eq!(
        (reader.spec().sample_rate, reader.spec().channels, reader.duration()),
        (RATE_HZ, 2, FRAMES as u32)
    );
    assert_eq!(reader.samples::<i16>().map(Result::unwrap).collect::<Vec<_>>(), samples);

    let floats = vec![0.5_f32, -2.0, 1e-9, 0.0, 1.0, -1.0];
    write_file(&path, &AudioBuffer::from_f32(384_000, 3, floats.clone()).unwrap(), 1).unwrap();
    let mut reader = hound::WavReader::open(&path).unwrap();
    assert_eq!((reader.spec().sample_rate, reader.spec().channels), (384_000, 3));
    assert_eq!(reader.samples::<f32>().map(Result::unwrap).collect::<Vec<_>>(), floats);

    let wide = vec![i32::MIN, i32::MAX, -1, 0];
    write_file(&path, &AudioBuffer::from_i32(8_000, 1, wide.clone()).unwrap(), 3).unwrap();
    let mut reader = hound::WavReader::open(&path).unwrap();
    assert_eq!(reader.samples::<i32>().map(Result::unwrap).collect::<Vec<_>>(), wide);
}

#[test]
fn written_flac_of_any_length_and_chunking_decodes_to_the_same_samples() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.flac");
    let all = tone();
    for (frames, chunk) in [(1, 1), (31, 7), (4_095, 4_096), (4_096, 100), (4_097, 5_000), (FRAMES, 882)] {
        let samples = all[..2 * frames].to_vec();
        write_file(&path, &AudioBuffer::from_i16(RATE_HZ, 2, samples.clone()).unwrap(), chunk).unwrap();
        let input = AudioInput::open(&path).unwrap();
        assert_eq!(input.total_frames(), Some(frames as u64));
        let (spec, bytes) = read_all(&path, 500).unwrap();
        assert_eq!(spec.format, SampleFormat::S16);
        assert_eq!(
            bytes,
            samples.iter().flat_map(|s| s.to_le_bytes()).collect::<Vec<_>>(),
            "{frames} frames"
        );
    }
}

#[test]
fn float_audio_in_flac_is_rounded_to_24_bits_and_saturated() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.flac");
    let step = 1.0 / 8_388_608.0;
    let samples = vec![0.5_f32, -0.25, 2.0, -2.0, 0.3, -0.7];
    write_file(&path, &AudioBuffer::from_f32(48_000, 1, samples.clone()).unwrap(), 4).unwrap();
    let (spec, bytes) = read_all(&path, 10).unwrap();
    assert_eq!(spec.format, SampleFormat::S32);
    for (read, written) in to_f32(spec, &bytes).iter().zip(&samples) {
        assert!((read - written.clamp(-1.0, 1.0 - step)).abs() <= step / 2.0, "{read} for {written}");
    }
}

#[test]
fn a_file_cut_short_is_named_as_truncated() {
    let folder = tempfile::tempdir().unwrap();
    let wav = folder.path().join("whole.wav");
    write_file(&wav, &AudioBuffer::from_i16(RATE_HZ, 2, tone()).unwrap(), 1000).unwrap();
    for source in [wav, fixture("tone.flac"), fixture("tone.mp3"), fixture("tone.ogg")] {
        let bytes = fs::read(&source).unwrap();
        let name = source.file_name().unwrap().to_str().unwrap();
        for share in [0.3, 0.6, 0.95] {
            let path = folder.path().join(format!("cut-{name}"));
            fs::write(&path, &bytes[..(bytes.len() as f64 * share) as usize]).unwrap();
            let error = read_all(&path, 882).unwrap_err();
            assert!(matches!(error, MediaError::Truncated { .. }), "{name} at {share}: {error}");
        }
    }
}

#[test]
fn a_wav_with_an_open_length_is_read_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("streamed.wav");
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: 8_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut bytes = spec.into_header_for_infinite_file();
    bytes.extend((0..10_i16).flat_map(i16::to_le_bytes));
    // Half a frame: a recorder that was killed.
    bytes.extend([1, 2]);
    fs::write(&path, bytes).unwrap();
    let (_, read) = read_all(&path, 3).unwrap();
    assert_eq!(read, (0..10_i16).flat_map(i16::to_le_bytes).collect::<Vec<_>>());
}

#[test]
fn audio_whose_format_changes_does_not_go_into_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.wav");
    let first = AudioBuffer::from_f32(16_000, 1, vec![0.0; 10]).unwrap();
    let second = AudioBuffer::from_f32(48_000, 1, vec![0.0; 10]).unwrap();
    let mut writer = AudioWriter::create(&path, first.spec()).unwrap();
    writer.write(&first).unwrap();
    let error = writer.write(&second).unwrap_err().to_string();
    assert!(
        error.contains("16000 Hz") && error.contains("48000 Hz") && error.contains("AudioResample"),
        "{error}"
    );
    drop(writer);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
