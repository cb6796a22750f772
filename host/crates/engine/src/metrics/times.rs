//! A histogram of times in fixed memory: one thread records, any thread reads meanwhile.
//!
//! The buckets are those of the crate `histogram`, which also does the arithmetic of percentiles. Its own atomic histogram
//! counts with locked instructions, so that many threads may write; with one writer a load and a store are enough, and
//! several times cheaper.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use histogram::{Bucket, Config, SparseHistogramRef};

use super::snapshot::{TimeBucket, TimeMetrics};

/// Buckets per power of two are 2 to this: what percentiles tell is right within 0.8 %.
const GROUPING_POWER: u8 = 6;
/// Times from 2 to this on, 69 s, are in the last bucket.
const MAX_VALUE_POWER: u8 = 36;
const LONGEST_NS: u64 = (1 << MAX_VALUE_POWER) - 1;
const BUCKETS: usize = ((MAX_VALUE_POWER - GROUPING_POWER + 1) as usize) << GROUPING_POWER;

/// Adds to a counter that no other thread writes.
pub(super) fn add(counter: &AtomicU64, more: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(more), Relaxed);
}

/// Times in nanoseconds, written by one thread at a time.
pub(crate) struct Times {
    total_ns: AtomicU64,
    min_ns: AtomicU64,
    max_ns: AtomicU64,
    buckets: [AtomicU64; BUCKETS],
}

impl Times {
    pub(crate) fn new() -> Self {
        Self {
            total_ns: AtomicU64::new(0),
            min_ns: AtomicU64::new(u64::MAX),
            max_ns: AtomicU64::new(0),
            buckets: [const { AtomicU64::new(0) }; BUCKETS],
        }
    }

    pub(crate) fn record(&self, elapsed_ns: u64) {
        add(&self.total_ns, elapsed_ns);
        if elapsed_ns < self.min_ns.load(Relaxed) {
            self.min_ns.store(elapsed_ns, Relaxed);
        }
        if elapsed_ns > self.max_ns.load(Relaxed) {
            self.max_ns.store(elapsed_ns, Relaxed);
        }
        if let Some(bucket) = self.buckets.get(bucket_of(elapsed_ns)) {
            add(bucket, 1);
        }
    }

    /// What was recorded so far. A time that is being recorded meanwhile may be in one number and not yet in another.
    pub(crate) fn snapshot(&self) -> TimeMetrics {
        let total_us = us(self.total_ns.load(Relaxed));
        let max_ns = self.max_ns.load(Relaxed);
        // While the first time is recorded there may be a longest and no shortest yet.
        let min_ns = self.min_ns.load(Relaxed).min(max_ns);
        let filled = self.filled(min_ns, max_ns);
        let count = filled.iter().map(|(_, count)| count).sum();
        if count == 0 {
            return TimeMetrics::default();
        }
        let [p50_us, p90_us, p99_us] = percentiles(&filled).map(|bucket| {
            let middle = bucket.map_or(0, |bucket| bucket.start().midpoint(bucket.end()));
            us(middle.clamp(min_ns, max_ns))
        });
        TimeMetrics {
            count,
            total_us,
            avg_us: total_us / count as f64,
            min_us: us(min_ns),
            max_us: us(max_ns),
            p50_us,
            p90_us,
            p99_us,
            histogram_us: powers_of_two(&filled),
        }
    }

    /// The buckets that hold anything, in order, with their counts. Only those between the ends are looked at: the others
    /// are empty, and most of the memory.
    fn filled(&self, min_ns: u64, max_ns: u64) -> Vec<(usize, u64)> {
        let (first, last) = (bucket_of(min_ns), bucket_of(max_ns));
        let buckets = (first..).zip(self.buckets.get(first..=last).unwrap_or_default());
        buckets.map(|(at, bucket)| (at, bucket.load(Relaxed))).filter(|(_, count)| *count > 0).collect()
    }
}

/// The buckets of the 50th, 90th and 99th percentile.
fn percentiles(filled: &[(usize, u64)]) -> [Option<Bucket>; 3] {
    let (indices, counts): (Vec<u32>, Vec<u64>) =
        filled.iter().map(|&(at, count)| (at as u32, count)).unzip();
    let quantiles = Config::new(GROUPING_POWER, MAX_VALUE_POWER)
        .and_then(|config| SparseHistogramRef::from_parts(config, &indices, &counts))
        .and_then(|histogram| histogram.quantiles(&[0.5, 0.9, 0.99]));
    // It cannot fail: the buckets are in order, none is empty, and the quantiles are from 0 to 1.
    let found = quantiles.ok().flatten();
    let mut buckets = found.iter().flat_map(|found| found.entries().values());
    [(); 3].map(|()| buckets.next().cloned())
}

fn us(ns: u64) -> f64 {
    ns as f64 / 1_000.0
}

/// The position of the bucket that holds `ns`: below 2^7 every value has its own, from there on each power of two has 2^6.
fn bucket_of(ns: u64) -> usize {
    let ns = ns.min(LONGEST_NS);
    let dropped_bits =
        63_u32.saturating_sub((ns | 1).leading_zeros()).saturating_sub(u32::from(GROUPING_POWER));
    ((dropped_bits as usize) << GROUPING_POWER) + (ns >> dropped_bits) as usize
}

/// The counts of all times below each power of two of nanoseconds, from the first to the last that is not empty.
fn powers_of_two(filled: &[(usize, u64)]) -> Vec<TimeBucket> {
    let mut powers: Vec<TimeBucket> = Vec::new();
    let mut next = filled.first().map_or(0, |&(at, _)| power_above(at));
    for &(at, count) in filled {
        while next <= power_above(at) {
            powers.push(TimeBucket { below_us: us(1 << next), count: 0 });
            next += 1;
        }
        if let Some(power) = powers.last_mut() {
            power.count += count;
        }
    }
    powers
}

/// The least power of two that is above all times of a bucket.
fn power_above(bucket: usize) -> u32 {
    match bucket >> GROUPING_POWER {
        0 | 1 => usize::BITS - bucket.leading_zeros(),
        group => group as u32 + u32::from(GROUPING_POWER),
    }
}

#[cfg(test)]
mod tests {
    use histogram::Histogram;

    use super::*;

    #[test]
    fn every_time_is_in_the_bucket_of_the_library() {
        let mut values = vec![0, 1, LONGEST_NS];
        values.extend((0..MAX_VALUE_POWER).flat_map(|power| {
            let power = 1_u64 << power;
            [power - 1, power, power + 1, power + power / 3]
        }));
        for value in values {
            let mut theirs = Histogram::new(GROUPING_POWER, MAX_VALUE_POWER).unwrap();
            theirs.increment(value).unwrap();
            assert_eq!(theirs.as_slice().len(), BUCKETS);
            let filled = theirs.as_slice().iter().position(|count| *count == 1);
            assert_eq!(Some(bucket_of(value)), filled, "{value} ns");
        }
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1, "longer times are in the last one");
    }

    #[test]
    fn percentiles_are_right_within_eight_per_mille_and_ends_and_sum_exactly() {
        let times = Times::new();
        // 1 to 100,000 ns in an order that is not theirs: 7 has no factor in common with their number.
        (0..100_000_u64).for_each(|n| times.record(n * 7 % 100_000 + 1));
        let told = times.snapshot();
        assert_eq!((told.count, told.min_us, told.max_us), (100_000, 0.001, 100.0));
        assert!((told.total_us - 100_000.0 * 100_001.0 / 2.0 / 1_000.0).abs() < 1e-6);
        assert!((told.avg_us - 50.0005).abs() < 1e-9);
        for (percentile, right) in [(told.p50_us, 50.0), (told.p90_us, 90.0), (told.p99_us, 99.0)] {
            assert!((percentile - right).abs() <= right * 0.008, "{percentile} and not {right}");
        }
    }

    #[test]
    fn the_coarse_histogram_counts_what_is_below_each_power_of_two() {
        let times = Times::new();
        // 3 is below 4; 127 below 128; 128 and 255 below 256; 1,000 below 1,024.
        [3, 127, 128, 255, 1_000].iter().for_each(|ns| times.record(*ns));
        let told: Vec<_> =
            times.snapshot().histogram_us.iter().map(|bucket| (bucket.below_us, bucket.count)).collect();
        let empty = |power: u32| (f64::from(1 << power) / 1_000.0, 0);
        let filled = |power: u32, count| (f64::from(1 << power) / 1_000.0, count);
        let right = [
            filled(2, 1),
            empty(3),
            empty(4),
            empty(5),
            empty(6),
            filled(7, 1),
            filled(8, 2),
            empty(9),
            filled(10, 1),
        ];
        assert_eq!(told, right);
    }

    #[test]
    fn times_of_nothing_are_all_zero() {
        assert_eq!(Times::new().snapshot(), TimeMetrics::default());
    }

    #[test]
    fn a_time_that_is_half_recorded_is_no_eternity() {
        let times = Times::new();
        times.max_ns.store(500, Relaxed);
        add(&times.buckets[bucket_of(500)], 1);
        let told = times.snapshot();
        assert_eq!((told.count, told.min_us, told.p50_us, told.max_us), (1, 0.5, 0.5, 0.5));
    }

    #[test]
    fn what_is_read_while_another_thread_records_only_grows() {
        let times = Times::new();
        std::thread::scope(|scope| {
            scope.spawn(|| (0..200_000).for_each(|n| times.record(n % 1_000)));
            let mut before = 0;
            while before < 200_000 {
                let count = times.snapshot().count;
                assert!(count >= before);
                before = count;
            }
        });
        assert_eq!(times.snapshot().total_us, 200.0 * (999.0 * 1_000.0 / 2.0) / 1_000.0);
    }
}
