//! The time of audio from a Python program, which says none: what comes begins where the last one ended.

use remotemedia_core::Payload;

/// Counts the samples of one stream.
#[derive(Debug, Default)]
pub struct StreamClock {
    /// Where the samples of `rate_hz` begin.
    origin_ns: i64,
    frames: u64,
    rate_hz: u32,
}

impl StreamClock {
    /// The time at which `payload` begins, in nanoseconds since the stream began. What is no audio takes no time.
    pub fn stamp(&mut self, payload: &Payload) -> i64 {
        let now_ns = self.now_ns();
        if let Payload::Audio(audio) = payload {
            let rate_hz = audio.spec().sample_rate_hz;
            if rate_hz != self.rate_hz {
                *self = Self { origin_ns: now_ns, frames: 0, rate_hz };
            }
            self.frames += audio.frames() as u64;
        }
        now_ns
    }

    fn now_ns(&self) -> i64 {
        // Counted from the origin, so that rounding does not add up.
        let elapsed_ns = u128::from(self.frames) * 1_000_000_000 / u128::from(self.rate_hz.max(1));
        self.origin_ns.saturating_add(i64::try_from(elapsed_ns).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use remotemedia_core::AudioBuffer;
    use serde_json::json;

    use super::*;

    fn audio(rate_hz: u32, frames: usize) -> Payload {
        AudioBuffer::from_f32(rate_hz, 2, vec![0.0; frames * 2]).unwrap().into()
    }

    #[test]
    fn what_comes_begins_where_the_last_one_ended_without_drift() {
        let mut clock = StreamClock::default();
        // A frame of 44.1 kHz is 22,675.7 ns: a million of them, one by one, are 22.675736961 s.
        for _ in 0..1_000_000 {
            clock.stamp(&audio(44_100, 1));
        }
        assert_eq!(clock.stamp(&json!(1).into()), 22_675_736_961);
        assert_eq!(clock.stamp(&audio(8_000, 8_000)), 22_675_736_961);
        assert_eq!(clock.stamp(&audio(48_000, 480)), 23_675_736_961);
        assert_eq!(clock.stamp(&audio(48_000, 480)), 23_685_736_961);
    }
}
