//! Kills processes with SIGKILL at random times, and counts how far they had come.

use local_aws::dynamodb::Recording;
use local_aws::ses::LocalSes;
use local_gateway::runtime_api::{Ending, Stage, StageKind, Watcher};
use local_stripe::LocalStripe;
use prepaid_local::cloud::LocalCloud;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The number of recent stages of one kind that are kept as samples of its duration.
const SAMPLES_MAX: usize = 40;

/// Kills functions: only those in `victims`, and only while it is armed.
pub struct Killer {
    victims: &'static [&'static str],
    state: Mutex<State>,
}

struct State {
    random: fastrand::Rng,
    stand_ins: Option<StandIns>,
    kills_left: u32,
    is_measuring: bool,
    /// The durations of stages that were not meant to be killed. Those that were and survived are too short to count.
    samples: BTreeMap<(String, StageKind), VecDeque<Duration>>,
    is_doomed: bool,
    /// The drawn lifetime is multiplied by this. It shrinks while stages finish before they are killed, which happens
    /// if the machine gets faster, so that the kills hit whatever the speed of the machine.
    lifetime_factor: f64,
    /// Whether the last invocation was killed and its e-mails are not counted yet, as one may still be on its way.
    is_unaccounted: bool,
    mails_before: usize,
    story: Vec<String>,
    excuses: Vec<String>,
    tally: Tally,
}

/// The stand-ins, which record a function's outside calls.
struct StandIns {
    dynamodb: Recording,
    stripe: LocalStripe,
    ses: LocalSes,
}

/// The kills so far.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub invocations: u32,
    pub killed_in_init: u32,
    /// Killed invocations, by the number of calls that had reached a stand-in.
    pub killed_after_calls: BTreeMap<usize, u32>,
}

impl Tally {
    pub fn killed(&self) -> u32 {
        self.killed_after_calls.values().sum()
    }
}

impl Killer {
    pub fn new(victims: &'static [&'static str], seed: u64) -> Self {
        let state = State {
            random: fastrand::Rng::with_seed(seed),
            stand_ins: None,
            kills_left: 0,
            is_measuring: false,
            samples: BTreeMap::new(),
            is_doomed: false,
            lifetime_factor: 1.0,
            is_unaccounted: false,
            mails_before: 0,
            story: vec![],
            excuses: vec![],
            tally: Tally::default(),
        };
        Self { victims, state: Mutex::new(state) }
    }

    /// From now on, counts the calls in this cloud.
    pub fn look_at(&self, cloud: &LocalCloud) {
        let (dynamodb, stripe, ses) = (cloud.aws.dynamodb.record(), cloud.stripe.clone(), cloud.aws.ses.clone());
        self.state().stand_ins = Some(StandIns { dynamodb, stripe, ses });
    }

    /// While it measures, arming has no effect.
    pub fn measure(&self, is_measuring: bool) {
        self.state().is_measuring = is_measuring;
    }

    /// Allows up to this many kills until [`Killer::disarm`].
    pub fn arm(&self, kills: u32) {
        let mut state = self.state();
        state.kills_left = if state.is_measuring { 0 } else { kills };
    }

    pub fn disarm(&self) {
        let mut state = self.state();
        state.kills_left = 0;
        state.account();
    }

    pub fn tally(&self) -> Tally {
        self.state().tally.clone()
    }

    /// Clears the story of the last round.
    pub fn begin_round(&self) {
        let mut state = self.state();
        state.story.clear();
        state.excuses.clear();
    }

    /// What happened in this round, one line per stage.
    pub fn story(&self) -> String {
        self.state().story.join("\n")
    }

    /// The number of e-mails to this address sent by functions that were killed before they could mark them as sent.
    pub fn excused_mails(&self, to: &str) -> usize {
        self.state().excuses.iter().filter(|excused| *excused == to).count()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watcher for Killer {
    fn begins(&self, stage: &Stage) -> Option<Duration> {
        let mut state = self.state();
        if stage.kind != StageKind::Init {
            state.begin_invocation();
        }
        let lifetime = if self.victims.contains(&stage.function.as_str()) { state.draw_lifetime(stage) } else { None };
        state.is_doomed = lifetime.is_some();
        lifetime
    }

    fn ends(&self, stage: &Stage, lasted: Duration, ending: Ending) {
        let mut state = self.state();
        let Stage { function, kind } = stage;
        state.story.push(format!("{function} {kind:?} {ending:?} after {lasted:?}"));
        match ending {
            Ending::Killed => {
                state.kills_left -= 1;
                state.lifetime_factor = 1.0;
                match kind {
                    StageKind::Init => state.tally.killed_in_init += 1,
                    StageKind::FirstInvocation | StageKind::LaterInvocation => {
                        state.count_calls();
                        state.is_unaccounted = true;
                    }
                }
            }
            Ending::Completed if !state.is_doomed => state.sample(stage, lasted),
            Ending::Completed => state.lifetime_factor *= 0.8,
            Ending::Exited => {}
        }
    }
}

impl State {
    fn begin_invocation(&mut self) {
        self.account();
        self.tally.invocations += 1;
        if let Some(stand_ins) = &self.stand_ins {
            stand_ins.dynamodb.clear();
            stand_ins.stripe.clear_requests();
            self.mails_before = stand_ins.ses.messages().len();
        }
    }

    /// Records how far the invocation that was just killed had come.
    fn count_calls(&mut self) {
        let Some(stand_ins) = &self.stand_ins else { return };
        let mails = stand_ins.ses.messages().len().saturating_sub(self.mails_before);
        let calls = stand_ins.dynamodb.names().len() + stand_ins.stripe.requests().len() + mails;
        *self.tally.killed_after_calls.entry(calls).or_default() += 1;
        self.story.push(format!("{calls} calls were made"));
    }

    /// Records the recipients of e-mails from the invocation that was killed last.
    fn account(&mut self) {
        let Some(stand_ins) = self.stand_ins.as_ref().filter(|_| self.is_unaccounted) else { return };
        let mails = stand_ins.ses.messages();
        self.excuses.extend(mails.iter().skip(self.mails_before).flat_map(|mail| mail.to.clone()));
        self.is_unaccounted = false;
    }

    /// Kills five of six invocations and one of six starts, at a random time within the duration of a sampled stage of
    /// the same kind. Nothing is killed before there are samples.
    fn draw_lifetime(&mut self, stage: &Stage) -> Option<Duration> {
        let is_meant = match stage.kind {
            StageKind::Init => self.random.u8(..6) == 0,
            StageKind::FirstInvocation | StageKind::LaterInvocation => self.random.u8(..6) > 0,
        };
        if self.kills_left == 0 || !is_meant {
            return None;
        }
        let samples = self.samples.get(&(stage.function.clone(), stage.kind))?;
        let usual = samples[self.random.usize(..samples.len())];
        Some(usual.mul_f64(self.random.f64() * self.lifetime_factor))
    }

    fn sample(&mut self, stage: &Stage, lasted: Duration) {
        let samples = self.samples.entry((stage.function.clone(), stage.kind)).or_default();
        if samples.len() == SAMPLES_MAX {
            samples.pop_front();
        }
        samples.push_back(lasted);
    }
}

impl fmt::Debug for Killer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Killer").field("victims", &self.victims).finish_non_exhaustive()
    }
}
