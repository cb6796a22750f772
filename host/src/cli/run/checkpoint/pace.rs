//! When a checkpoint is due. It reads no clock: whoever asks says what time it is.

use std::time::Duration;

/// A checkpoint may take this share of the time: one part of so many.
const PARTS: u32 = 20;

/// How often checkpoints come: about every interval, less often where the disk is slow.
///
/// Before a checkpoint everything that was fed is processed. When that took much longer than the interval, there was
/// much waiting in queues before a slow node; then fewer packets are fed until the next one.
#[derive(Debug)]
pub struct Pace {
    interval: Duration,
    /// The shortest time until the next one, for a disk that takes long.
    rest: Duration,
    last: Duration,
    fed: u64,
    most_fed: u64,
}

impl Pace {
    /// A checkpoint about every `interval`; zero is one after every packet.
    pub fn new(interval: Duration) -> Self {
        Self { interval, rest: interval, last: Duration::ZERO, fed: 0, most_fed: u64::MAX }
    }

    /// One packet more was fed; true when a checkpoint is due at `now`.
    pub fn fed(&mut self, now: Duration) -> bool {
        self.fed += 1;
        self.fed >= self.most_fed || now.saturating_sub(self.last) >= self.rest
    }

    /// A checkpoint was done at `now`; writing it took `cost`.
    pub fn done(&mut self, now: Duration, cost: Duration) {
        let took = now.saturating_sub(self.last);
        if took > 2 * self.interval {
            self.most_fed = (self.fed / 2).max(1);
        } else if self.fed >= self.most_fed && took < self.interval {
            self.most_fed = self.most_fed.saturating_mul(2);
        }
        if !self.interval.is_zero() {
            self.rest = self.interval.max(PARTS * cost);
        }
        (self.last, self.fed) = (now, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Feeds packets that take `per_packet` each until a checkpoint is due, which takes `cost`; gives how many.
    fn until_due(pace: &mut Pace, now: &mut Duration, per_packet: Duration, cost: Duration) -> u64 {
        for fed in 1.. {
            *now += per_packet;
            if pace.fed(*now) {
                *now += cost;
                pace.done(*now, cost);
                return fed;
            }
        }
        0
    }

    #[test]
    fn checkpoints_come_at_the_interval_and_never_take_more_than_a_twentieth_of_the_time() {
        let (mut pace, mut now) = (Pace::new(ms(1000)), Duration::ZERO);
        assert_eq!(until_due(&mut pace, &mut now, ms(10), ms(2)), 100);
        assert_eq!(until_due(&mut pace, &mut now, ms(10), ms(200)), 100);
        // 20 × 200 ms.
        assert_eq!(until_due(&mut pace, &mut now, ms(10), ms(2)), 400);
        let mut every = Pace::new(Duration::ZERO);
        assert!((0..5).all(|_| until_due(&mut every, &mut now, ms(10), ms(30)) == 1));
    }

    #[test]
    fn where_a_checkpoint_waits_long_for_a_slow_node_fewer_packets_are_fed_before_it() {
        let (mut pace, mut now) = (Pace::new(ms(1000)), Duration::ZERO);
        // A queue lets 64 packets in at once, and the node takes a second for each.
        for _ in 0..64 {
            assert!(!pace.fed(now));
        }
        now += ms(1000);
        assert!(pace.fed(now));
        now += ms(64_000);
        pace.done(now, ms(1));
        let mut lengths = Vec::new();
        for _ in 0..8 {
            let mut fed = 1;
            while !pace.fed(now) {
                fed += 1;
            }
            now += ms(1000 * fed);
            pace.done(now, ms(1));
            lengths.push(fed);
        }
        assert_eq!(lengths, [32, 16, 8, 4, 2, 2, 2, 2]);
        // The node is quick again: it feeds more until the time alone decides.
        let fed: Vec<u64> = (0..7).map(|_| until_due(&mut pace, &mut now, ms(20), ms(0))).collect();
        assert_eq!(fed, [2, 4, 8, 16, 32, 50, 50]);
    }
}
