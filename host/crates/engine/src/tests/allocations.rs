//! A hop between inline nodes costs no heap allocation once the pipeline is warm.

use remotemedia_core::{AudioBuffer, Packet};

use super::{TestRuntime, manifest};
use crate::PipelineOptions;

#[test]
fn a_hop_in_steady_state_allocates_nothing_with_and_without_metrics() {
    let ids: Vec<String> = (0..51).map(|n| format!("n{n}")).collect();
    let nodes: Vec<_> = ids.iter().map(|id| (id.as_str(), "Pass")).collect();
    let connections: Vec<_> = ids.windows(2).map(|pair| (pair[0].as_str(), pair[1].as_str())).collect();
    let manifest = manifest(&nodes, &connections);
    for metrics in [false, true] {
        let mut pipeline =
            TestRuntime::new().start_with(&manifest, PipelineOptions { metrics, ..Default::default() });
        let audio = AudioBuffer::from_f32(48_000, 1, vec![0.0; 960]).unwrap();
        let mut feed = |pts_ns| {
            pipeline.feed("n0", Packet::new(pts_ns, audio.clone())).unwrap();
            assert!(pipeline.try_next().unwrap().is_some());
        };
        (0..10).for_each(&mut feed);
        let counted = allocation_counter::measure(|| (10..110).for_each(&mut feed));
        assert_eq!(counted.count_total, 0, "100 packets over 51 nodes, metrics {metrics}");
    }
}
