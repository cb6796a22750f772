//! How long a call into a guest may take, and what it took so far. What counts is the processor time of the calling
//! thread and the time that the guest itself chose to wait: a guest that the system keeps from running on a busy
//! machine has done nothing wrong. It stops nothing itself: the ticker calls, and the engine traps.

use std::time::{Duration, Instant};

use remotemedia_core::policy::SandboxPolicy;
use remotemedia_core::{NodeManifest, Packet, Payload};

/// The least that a packet of audio gets when nobody set a limit: one block of 20 ms.
const LEAST_FOR_AUDIO: Duration = Duration::from_millis(20);
/// What a call gets that no audio gives a length to, when nobody set a limit.
const WITHOUT_AUDIO: Duration = Duration::from_secs(1);

/// What holds for every call into one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    /// What was set for `process`, `flush` and `cleanup`, and by whom; otherwise the packet decides.
    set: Option<(Duration, SetBy)>,
    start: Duration,
    /// The most that anybody but the operator can get.
    most: Duration,
    /// By the clock, whatever the processor did meanwhile.
    wall: Duration,
}

/// Who set a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SetBy {
    Policy,
    Manifest(&'static str),
}

/// What a call is about, which decides how long it may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Instantiating, `describe`, `initialize`.
    Starting,
    /// A packet of audio: so many samples of all channels together, played at so many per second.
    Audio { samples: u64, per_second: u64 },
    /// Any other packet, `flush`, `cleanup`.
    Other,
}

impl Work {
    /// The work of processing `packet`. Nothing is divided here: few calls live to see their limit computed.
    pub fn on(packet: &Packet) -> Self {
        match &packet.payload {
            Payload::Audio(audio) => {
                let spec = audio.spec();
                let per_second = u64::from(spec.sample_rate_hz) * u64::from(spec.channels);
                Self::Audio { samples: audio.sample_count() as u64, per_second }
            }
            _ => Self::Other,
        }
    }
}

impl Terms {
    /// The terms of `node` under `policy`; that the manifest asks for no more than it may was checked before.
    pub fn new(policy: &SandboxPolicy, node: Option<&NodeManifest>) -> Self {
        let asked = node.and_then(|node| {
            let limits = node.limits.as_ref().and_then(|limits| limits.call_timeout_ms);
            [(limits, "limits.call_timeout_ms"), (node.timeout_ms, "timeout_ms")]
                .into_iter()
                .filter_map(|(ms, name)| Some((ms?, SetBy::Manifest(name))))
                .min_by_key(|(ms, _)| *ms)
        });
        let set = asked.or_else(|| Some((policy.limits.call_timeout_ms?, SetBy::Policy)));
        Self {
            set: set.map(|(ms, by)| (Duration::from_millis(ms), by)),
            start: Duration::from_millis(policy.limits.start_timeout_ms),
            most: Duration::from_millis(policy.maximum.call_timeout_ms),
            wall: Duration::from_millis(policy.limits.wall_timeout_ms),
        }
    }

    /// How much processor time `work` gets.
    fn limit(&self, work: Work) -> Duration {
        match (work, self.set) {
            (Work::Starting, _) => self.start,
            (_, Some((set, _))) => set,
            (Work::Audio { samples, per_second }, None) => {
                let plays = Duration::from_secs_f64(samples as f64 / per_second.max(1) as f64);
                plays.min(self.most).max(LEAST_FOR_AUDIO)
            }
            (Work::Other, None) => WITHOUT_AUDIO,
        }
    }

    fn wall_limit(&self, work: Work) -> Duration {
        self.wall.max(self.limit(work))
    }

    /// Where the limit comes from and who can change it, as sentences.
    fn origin(&self, work: Work) -> String {
        let by_policy = |key: &str| format!("The limit is `limits.{key}` of the host's policy");
        let most = self.most.as_millis();
        let ask = format!(
            "the manifest may set the node's `limits.call_timeout_ms` to {most} at most (`maximum.call_timeout_ms` of \
             the host's policy)"
        );
        match (work, self.set) {
            (Work::Starting, _) => by_policy("start_timeout_ms"),
            (_, Some((_, SetBy::Manifest(name)))) => format!("The limit is the manifest's `{name}`; {ask}"),
            (_, Some((_, SetBy::Policy))) => format!("{}; {ask}", by_policy("call_timeout_ms")),
            (Work::Audio { .. }, None) => {
                format!("The limit is the time that the packet plays, and 20 ms at least; {ask}")
            }
            (Work::Other, None) => format!("The limit is that of calls without audio; {ask}"),
        }
    }
}

/// What is left of one call.
#[derive(Debug)]
pub(crate) struct Deadline {
    terms: Terms,
    work: Work,
    /// Where counting began: at the first tick or wait.
    began: Option<Moment>,
    /// How long the guest waited in host calls, of its own accord.
    waited: Duration,
    exceeded: Option<Exceeded>,
}

/// Both clocks at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// Processor time of the calling thread.
    pub cpu: Duration,
    pub wall: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exceeded {
    /// With what the call used.
    Cpu(Duration),
    Wall(Duration),
}

/// What a tick decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    GoOn,
    Stop,
}

impl Deadline {
    pub fn new(terms: Terms) -> Self {
        Self { terms, work: Work::Starting, began: None, waited: Duration::ZERO, exceeded: None }
    }

    /// A call begins. Reads no clock: most calls end before the first tick.
    pub fn begin(&mut self, work: Work) {
        self.work = work;
        self.began = None;
        self.waited = Duration::ZERO;
        self.exceeded = None;
    }

    /// A tick fell into the call. The first one is where counting begins: what the call used before was less than
    /// the time between two ticks.
    pub fn tick(&mut self, now: Moment) -> Verdict {
        let began = *self.began.get_or_insert(now);
        let used = now.cpu.saturating_sub(began.cpu) + self.waited;
        let took = now.wall.saturating_duration_since(began.wall);
        if used >= self.terms.limit(self.work) {
            self.exceeded = Some(Exceeded::Cpu(used));
        } else if took >= self.terms.wall_limit(self.work) {
            self.exceeded = Some(Exceeded::Wall(used));
        } else {
            return Verdict::GoOn;
        }
        Verdict::Stop
    }

    /// How long the guest may wait in a host call that begins now.
    pub fn patience(&self, now: Moment) -> Duration {
        self.terms.limit(self.work).saturating_sub(self.used(now))
    }

    /// A host call waited from `from` to `to`; `Stop` when that was all there was.
    pub fn waited(&mut self, from: Moment, to: Moment) -> Verdict {
        self.began.get_or_insert(from);
        // What it worked meanwhile is counted as work.
        let worked = to.cpu.saturating_sub(from.cpu);
        self.waited += to.wall.saturating_duration_since(from.wall).saturating_sub(worked);
        let used = self.used(to);
        if used < self.terms.limit(self.work) {
            return Verdict::GoOn;
        }
        self.exceeded = Some(Exceeded::Cpu(used));
        Verdict::Stop
    }

    fn used(&self, now: Moment) -> Duration {
        let running = self.began.map_or(Duration::ZERO, |began| now.cpu.saturating_sub(began.cpu));
        running + self.waited
    }

    /// Why the call was stopped, for its error message; `None` when it was not.
    pub fn explain(&self) -> Option<String> {
        let origin = self.terms.origin(self.work);
        Some(match self.exceeded? {
            Exceeded::Cpu(used) => format!(
                "the component did not return within its limit of {} ms: it used {} ms of processor time and waiting. \
                 {origin}",
                self.terms.limit(self.work).as_millis(),
                used.as_millis()
            ),
            Exceeded::Wall(used) => format!(
                "the component did not return within {} ms by the clock (`limits.wall_timeout_ms` of the host's \
                 policy), of which it used {} ms. Its limit of processor time is {} ms. {origin}",
                self.terms.wall_limit(self.work).as_millis(),
                used.as_millis(),
                self.terms.limit(self.work).as_millis()
            ),
        })
    }
}

impl Moment {
    /// Now, on this thread.
    pub fn now() -> Self {
        let wall = Instant::now();
        Self { cpu: thread_cpu_time(), wall }
    }
}

#[cfg(unix)]
fn thread_cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// Where threads have no clock of their own, a descheduled guest's time counts too.
#[cfg(not(unix))]
fn thread_cpu_time() -> Duration {
    use std::sync::LazyLock;
    static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
    BEGAN.elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use remotemedia_core::AudioBuffer;
    use remotemedia_core::manifest::Limits;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn audio(frames: usize) -> Work {
        Work::on(&Packet::new(0, AudioBuffer::from_f32(48_000, 2, vec![0.0; frames * 2]).unwrap()))
    }

    fn asking(call_timeout_ms: Option<u64>, timeout_ms: Option<u64>) -> NodeManifest {
        let mut node = NodeManifest::new("n", "t");
        node.limits = Some(Limits { memory_mb: None, call_timeout_ms });
        node.timeout_ms = timeout_ms;
        node
    }

    /// A virtual clock: both hands are set by the test.
    struct Clock(Instant);

    impl Clock {
        fn at(&self, cpu_ms: u64, wall_ms: u64) -> Moment {
            Moment { cpu: ms(1_000 + cpu_ms), wall: self.0 + ms(wall_ms) }
        }
    }

    #[test]
    fn a_packet_of_audio_gets_the_time_that_it_plays_and_twenty_milliseconds_at_least() {
        let terms = Terms::new(&SandboxPolicy::default(), None);
        for (frames, limit_ms) in [(0, 20), (480, 20), (960, 20), (4_800, 100), (48_000 * 3_600, 5_000)] {
            assert_eq!(terms.limit(audio_of(frames)), ms(limit_ms), "{frames} frames at 48 kHz");
        }
        assert_eq!(audio(960), audio_of(960), "channels do not count twice");
        assert_eq!(terms.limit(Work::on(&Packet::new(0, "text"))), ms(1_000));
        assert_eq!(terms.limit(Work::Starting), ms(5_000));
    }

    fn audio_of(frames: u64) -> Work {
        Work::Audio { samples: frames * 2, per_second: 96_000 }
    }

    #[test]
    fn what_the_manifest_sets_goes_before_the_policy_and_the_lower_of_two_holds() {
        let mut policy = SandboxPolicy::default();
        policy.limits.call_timeout_ms = Some(50);
        let limit = |node: &NodeManifest| Terms::new(&policy, Some(node)).limit(Work::Other);
        assert_eq!(limit(&NodeManifest::new("n", "t")), ms(50));
        assert_eq!(limit(&asking(Some(300), None)), ms(300));
        assert_eq!(limit(&asking(Some(300), Some(200))), ms(200));
        assert_eq!(limit(&asking(Some(3), Some(200))), ms(3));
        let terms = Terms::new(&policy, Some(&asking(Some(300), None)));
        assert_eq!(terms.limit(Work::Starting), ms(5_000), "a call's limit is not that of starting");
    }

    #[test]
    fn processor_time_counts_from_the_first_tick_and_time_without_the_processor_does_not() {
        let clock = Clock(Instant::now());
        let mut deadline = Deadline::new(Terms::new(&SandboxPolicy::default(), None));
        deadline.begin(audio(960));
        assert_eq!(deadline.tick(clock.at(500, 0)), Verdict::GoOn);
        assert_eq!(deadline.tick(clock.at(519, 20_000)), Verdict::GoOn, "20 s descheduled");
        assert_eq!(deadline.explain(), None);
        assert_eq!(deadline.tick(clock.at(520, 20_001)), Verdict::Stop);
        let text = deadline.explain().unwrap();
        assert!(text.contains("limit of 20 ms: it used 20 ms of processor time"), "{text}");
        assert!(
            text.contains("the time that the packet plays") && text.contains("to 5000 at most"),
            "{text}"
        );
        deadline.begin(audio(960));
        assert_eq!(deadline.tick(clock.at(900, 60_000)), Verdict::GoOn, "the next call begins anew");
    }

    #[test]
    fn the_clock_on_the_wall_is_the_last_resort() {
        let clock = Clock(Instant::now());
        let mut deadline = Deadline::new(Terms::new(&SandboxPolicy::default(), None));
        deadline.begin(audio(960));
        assert_eq!(deadline.tick(clock.at(0, 0)), Verdict::GoOn);
        assert_eq!(deadline.tick(clock.at(1, 29_999)), Verdict::GoOn);
        assert_eq!(deadline.tick(clock.at(1, 30_000)), Verdict::Stop);
        assert!(deadline.explain().unwrap().contains("`limits.wall_timeout_ms`"));
        // A call that was given more processor time than that has it.
        let mut policy = SandboxPolicy::default();
        policy.maximum.call_timeout_ms = 60_000;
        let mut deadline = Deadline::new(Terms::new(&policy, Some(&asking(Some(60_000), None))));
        deadline.begin(Work::Other);
        assert_eq!(deadline.tick(clock.at(0, 0)), Verdict::GoOn);
        assert_eq!(deadline.tick(clock.at(59_999, 59_999)), Verdict::GoOn);
    }

    #[test]
    fn waiting_in_the_host_is_the_guest_s_own_time() {
        let clock = Clock(Instant::now());
        let mut deadline = Deadline::new(Terms::new(&SandboxPolicy::default(), None));
        deadline.begin(audio(960));
        assert_eq!(deadline.patience(clock.at(0, 0)), ms(20));
        assert_eq!(deadline.waited(clock.at(0, 0), clock.at(0, 8)), Verdict::GoOn);
        assert_eq!(deadline.tick(clock.at(0, 9)), Verdict::GoOn);
        assert_eq!(deadline.patience(clock.at(5, 14)), ms(7));
        assert_eq!(deadline.waited(clock.at(5, 14), clock.at(5, 21)), Verdict::Stop);
        assert!(deadline.explain().unwrap().contains("it used 20 ms"));
    }

    #[test]
    fn every_limit_says_where_it_comes_from() {
        let policy = SandboxPolicy::default();
        let origin = |node: &NodeManifest, work| Terms::new(&policy, Some(node)).origin(work);
        assert!(origin(&asking(None, Some(7)), Work::Other).contains("the manifest's `timeout_ms`"));
        assert!(
            origin(&asking(Some(7), None), Work::Other).contains("the manifest's `limits.call_timeout_ms`")
        );
        assert!(origin(&asking(None, None), Work::Other).contains("calls without audio"));
        assert!(
            origin(&asking(None, None), Work::Starting)
                .contains("`limits.start_timeout_ms` of the host's policy")
        );
    }

    #[test]
    fn this_thread_s_clock_runs_while_it_works_and_stands_while_it_waits() {
        let before = Moment::now();
        std::thread::park_timeout(ms(50));
        let parked = Moment::now();
        assert!(parked.cpu - before.cpu < ms(40), "{:?}", parked.cpu - before.cpu);
        let mut turns = 0_u64;
        while Moment::now().cpu - parked.cpu < ms(5) {
            turns += 1;
            assert!(turns < 1 << 32, "the clock does not run");
        }
    }
}
