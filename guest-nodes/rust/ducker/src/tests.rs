//! The node on whole streams: alignment of its two inputs, and the gain against its closed form.

use super::*;
use remotemedia_node::testing::{Running, start};

const RATE_HZ: u32 = 8_000;

type Emitted = Vec<(u16, Packet)>;

fn send(node: &mut Running<Ducker>, port: u16, at: usize, channels: u16, samples: &[f32]) -> Emitted {
    let pts_ns = frames_ns((at / usize::from(channels)) as u64, RATE_HZ);
    node.process(port, Packet::new(pts_ns, Audio::from_f32(RATE_HZ, channels, samples))).unwrap()
}

/// The samples of all packets, which must follow each other without a gap.
fn joined(packets: Emitted) -> Vec<f32> {
    let mut samples = Vec::new();
    for (_, packet) in packets {
        let Payload::Audio(audio) = packet.payload else { panic!("not audio") };
        let frames = samples.len() / usize::from(audio.channels());
        assert_eq!(packet.pts_ns, frames_ns(frames as u64, RATE_HZ));
        samples.extend(audio.to_f32());
    }
    samples
}

/// Both inputs, cut into blocks of so many samples and sent in turns.
fn ducked(programme: (&[f32], usize), side_chain: (&[f32], usize)) -> Vec<f32> {
    let mut node = start::<Ducker>("{}").unwrap();
    let (mut packets, mut at, mut side_at) = (Vec::new(), 0, 0);
    while at < programme.0.len() || side_at < side_chain.0.len() {
        for (port, position, (input, block)) in [(0, &mut at, programme), (1, &mut side_at, side_chain)] {
            let end = (*position + block).min(input.len());
            if *position < end {
                packets.extend(send(&mut node, port, *position, 1, &input[*position..end]));
                *position = end;
            }
        }
    }
    packets.extend(node.flush().unwrap());
    joined(packets)
}

#[test]
fn the_programme_falls_and_rises_by_its_closed_form() {
    // 20 dB above the threshold from frame 1000 to 3000; 10 ms are 80 frames, 300 ms are 2400.
    let side_chain: Vec<f32> =
        (0..6_000).map(|n| if (1_000..3_000).contains(&n) { 0.1 } else { 0.0 }).collect();
    let out = ducked((&[0.5; 6_000], 160), (&side_chain, 160));
    for (n, sample) in out.iter().enumerate() {
        let falling_db = |frames: f64| -15.0 * (1.0 - (-frames / 80.0).exp());
        let expected_db = match n {
            ..1_000 => 0.0,
            1_000..3_000 => falling_db((n - 999) as f64),
            _ => falling_db(2_000.0) * (-((n - 2_999) as f64) / 2_400.0).exp(),
        };
        let expected = 0.5 * 10_f64.powf(expected_db / 20.0);
        assert!((f64::from(*sample) - expected).abs() < 1e-6, "frame {n}: {sample}, expected {expected}");
    }
}

#[test]
fn results_do_not_depend_on_how_either_stream_was_cut_or_which_came_first() {
    let programme: Vec<f32> = (0..3_000).map(|n| ((n * n) as f32 * 0.37).sin()).collect();
    let side_chain: Vec<f32> = (0..3_000).map(|n| (n as f32 * 0.003).sin()).collect();
    let whole = ducked((&programme, 3_000), (&side_chain, 3_000));
    for (block, side_block) in [(1, 7), (500, 3), (3, 500), (160, 441)] {
        assert_eq!(ducked((&programme, block), (&side_chain, side_block)), whole);
    }
    let mut node = start::<Ducker>("{}").unwrap();
    assert!(send(&mut node, 1, 0, 1, &side_chain).is_empty());
    assert_eq!(joined(send(&mut node, 0, 0, 1, &programme)), whole);
}

#[test]
fn a_side_chain_that_ends_early_counts_as_silent() {
    let out = ducked((&[0.5; 4_000], 100), (&[0.1; 50], 50));
    assert_eq!(out.len(), 4_000);
    assert!(out[49] < 0.4 && out[3_999] > out[60]);
    let mut node = start::<Ducker>("{}").unwrap();
    let eleven_seconds = vec![0.5; 88_000];
    let overdue = joined(send(&mut node, 0, 0, 1, &eleven_seconds));
    assert_eq!(overdue, [0.5; 8_000], "what waited for ten seconds leaves");
    // The side chain's first second comes too late, its second one meets the programme's.
    let packets = send(&mut node, 1, 0, 1, &[vec![1.0; 8_000], vec![0.0; 8_000]].concat());
    let Payload::Audio(audio) = &packets[0].1.payload else { panic!("not audio") };
    assert_eq!(audio.to_f32(), [0.5; 8_000]);
}

#[test]
fn channels_of_the_programme_share_the_gain_of_the_loudest_side_channel() {
    let mut node = start::<Ducker>("{}").unwrap();
    let side: Vec<f32> = (0..400).flat_map(|_| [0.0, -0.1]).collect();
    send(&mut node, 1, 0, 2, &side);
    let stereo: Vec<f32> = (0..400).flat_map(|_| [0.8, 0.2]).collect();
    let out = joined(send(&mut node, 0, 0, 2, &stereo));
    assert!(out[798] < 0.2);
    assert!(out.chunks(2).all(|frame| (frame[0] / frame[1] - 4.0).abs() < 1e-5));
}

#[test]
fn different_rates_and_params_out_of_range_are_refused() {
    let mut node = start::<Ducker>("{}").unwrap();
    send(&mut node, 0, 0, 1, &[0.5]);
    let error = node.process(1, Packet::new(0, Audio::from_f32(16_000, 1, &[0.5]))).unwrap_err();
    assert_eq!(
        error.message(),
        "`sidechain` has 16000 Hz where 8000 Hz are expected: resample one of the inputs"
    );
    assert!(start::<Ducker>(r#"{"ratio": 0.5}"#).is_err());
    assert!(node.process(0, Packet::new(0, String::from("x"))).is_err());
}
