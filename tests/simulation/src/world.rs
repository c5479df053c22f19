//! What lies outside of the use cases, and the desk at which their calls wait for the schedule's decision.

use crate::ledger::{MemoryLedger, MemoryLedgerSettings};
use crate::stripe::Stripe;
use jiff::{SignedDuration, Timestamp};
use shared::domain::{ConsentId, NoticeId, PriceBook};
use shared::ports::{Timer, Wake};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// What becomes of one call to the outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Works,
    /// The request never arrives.
    RequestLost,
    /// It takes effect, and the caller learns nothing of it.
    AnswerLost,
    /// The caller learns nothing, and it takes effect some time after.
    Late,
    /// The caller is gone before anything takes effect.
    DiesBefore,
    /// It takes effect, and the caller is gone.
    DiesAfter,
}

impl Fate {
    /// Everything but what is meant to happen.
    pub const FAULTS: [Self; 5] = [Self::RequestLost, Self::AnswerLost, Self::Late, Self::DiesBefore, Self::DiesAfter];
}

/// A call that waits.
pub struct Gate {
    /// Its number among all calls of the run that ever waited.
    pub call: u64,
    pub task: u32,
    pub what: String,
    pub waker: Waker,
}

/// A request on its way, whose sender no longer listens.
pub struct LateEffect {
    pub what: String,
    pub effect: Box<dyn FnOnce(&World) + Send>,
}

/// The calls that wait, and the state of the run.
#[derive(Default)]
pub struct Desk {
    pub gates: Vec<Gate>,
    /// Calls that ever waited.
    pub calls: u64,
    /// The call that goes on now, and how.
    pub decided: Option<(u64, Fate)>,
    /// Whether every call works at once and none waits.
    pub is_calm: bool,
    pub late: Vec<LateEffect>,
    /// The task that is polled now.
    pub current: u32,
    /// Whether that task came to its end in the middle.
    pub is_dead: bool,
    /// Whether what takes effect now was sent some time ago.
    pub is_late: bool,
    /// The last consents of those who had top-ups switched off when hours passed.
    pub off_for_long: BTreeSet<ConsentId>,
    /// How long a sweep may begin attempts before its process's time is over.
    pub sweep_time: SignedDuration,
    /// While it is down, no request reaches Stripe.
    pub is_stripe_down: bool,
    /// What happened so far, where somebody wants to read it.
    pub story: Option<Vec<String>>,
    /// The first rule that was broken.
    pub violation: Option<String>,
}

/// What the mails sent so far were sent for.
#[derive(Default)]
pub struct Outbox {
    sent: BTreeMap<NoticeId, Sent>,
}

#[derive(Clone, Copy, Default)]
struct Sent {
    times: u32,
    /// Whether the next one may come: something was lost since the last.
    is_excused: bool,
}

impl Outbox {
    /// False for a mail that comes again without an excuse.
    pub fn send(&mut self, notice: &NoticeId, is_late: bool) -> bool {
        let sent = self.sent.entry(notice.clone()).or_default();
        let is_allowed = sent.times == 0 || sent.is_excused || is_late;
        sent.times += 1;
        sent.is_excused = is_late;
        is_allowed
    }

    pub fn excuse(&mut self, notice: &NoticeId) {
        self.sent.entry(notice.clone()).or_default().is_excused = true;
    }

    pub fn is_sent(&self, notice: &NoticeId) -> bool {
        self.sent.get(notice).is_some_and(|sent| sent.times > 0)
    }
}

/// The one-time timers.
#[derive(Default)]
pub struct Alarms {
    /// Those that have not gone off yet.
    pub set: Vec<Timer>,
    /// Those that have, and may once more.
    pub gone_off: Vec<Timer>,
}

impl Alarms {
    /// Sets a timer unless one of that name is set; false for one whose instant has passed.
    pub fn set(&mut self, timer: &Timer, now: Timestamp) -> bool {
        let is_in_time = timer.at > now;
        if is_in_time && self.set.iter().all(|set| set.name != timer.name) {
            self.set.push(timer.clone());
        }
        is_in_time
    }

    /// Whether a timer for the same part of the same sweep was set under another name.
    pub fn has_other_for(&self, timer: &Timer) -> bool {
        let part = |timer: &Timer| {
            let Wake::ContinueSweep(part) = &timer.wake;
            (part.started_at, part.number)
        };
        let mut known = self.set.iter().chain(&self.gone_off);
        known.any(|known| part(known) == part(timer) && known.name != timer.name)
    }
}

/// Everything outside.
pub struct World {
    pub ledger: MemoryLedger,
    pub price_book: PriceBook,
    stripe: Mutex<Stripe>,
    outbox: Mutex<Outbox>,
    alarms: Mutex<Alarms>,
    desk: Mutex<Desk>,
    now: Mutex<Timestamp>,
    minted: Mutex<u64>,
}

const DUE_PAGE_SIZE: usize = 2;
/// Most sweeps are over long before.
pub const SWEEP_TIME: SignedDuration = SignedDuration::from_mins(11);

impl World {
    pub fn new(is_told: bool) -> Arc<Self> {
        let settings = MemoryLedgerSettings { due_page_size: DUE_PAGE_SIZE, is_lagging: true };
        let desk = Desk { story: is_told.then(Vec::new), sweep_time: SWEEP_TIME, ..Desk::default() };
        let start = Timestamp::constant(1_767_225_600, 0);
        Arc::new(Self {
            ledger: MemoryLedger::new(settings),
            price_book: PriceBook::reference(),
            stripe: Mutex::default(),
            outbox: Mutex::default(),
            alarms: Mutex::default(),
            desk: Mutex::new(desk),
            now: Mutex::new(start),
            minted: Mutex::new(0),
        })
    }

    pub fn stripe(&self) -> MutexGuard<'_, Stripe> {
        lock(&self.stripe)
    }

    pub fn outbox(&self) -> MutexGuard<'_, Outbox> {
        lock(&self.outbox)
    }

    pub fn alarms(&self) -> MutexGuard<'_, Alarms> {
        lock(&self.alarms)
    }

    pub fn desk(&self) -> MutexGuard<'_, Desk> {
        lock(&self.desk)
    }

    pub fn time(&self) -> Timestamp {
        *lock(&self.now)
    }

    pub fn advance(&self, by: SignedDuration) {
        *lock(&self.now) += by;
    }

    /// The instant first, then a number of its own, as the ids in production.
    pub fn mint(&self, now: Timestamp) -> u128 {
        let mut minted = lock(&self.minted);
        *minted += 1;
        let millis = u128::try_from(now.as_millisecond()).unwrap_or_default();
        (millis << 64) | u128::from(*minted)
    }

    /// Whether somebody wants to read what happens.
    pub fn is_told(&self) -> bool {
        self.desk().story.is_some()
    }

    /// Writes a line of the story, if it is told.
    pub fn tell(&self, line: impl FnOnce() -> String) {
        if let Some(story) = &mut self.desk().story {
            story.push(line());
        }
    }

    /// Notes a broken rule; the first one counts.
    pub fn violate(&self, rule: impl Into<String>) {
        self.desk().violation.get_or_insert(rule.into());
    }
}

/// Nobody panics while holding one, and one thread holds them all.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
