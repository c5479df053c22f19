//! Everything outside the use cases, and the desk where their calls wait for the schedule's decision.

use crate::chain::as_opened;
use crate::ledger::{MemoryLedger, MemoryLedgerSettings};
use crate::stripe::Stripe;
use jiff::{SignedDuration, Timestamp};
use shared::domain::contacts::{DeliveryProblem, DeliveryProblemKind, ReturnedMail};
use shared::domain::{AccountId, Change, ConsentId, EmailAddress, NoticeId, PriceBook};
use shared::ports::{CommitError, Timer, Wake};
use shared::use_cases::charging::RefusalLog;
use shared::use_cases::{Memory, MemorySettings};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// The fate of one call to the outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Works,
    /// The request never arrives.
    RequestLost,
    /// It takes effect, but the answer is lost.
    AnswerLost,
    /// The caller gets no answer, and it takes effect some time later.
    Late,
    /// The caller dies before anything takes effect.
    DiesBefore,
    /// It takes effect, and then the caller dies.
    DiesAfter,
}

impl Fate {
    /// Every fate except [`Fate::Works`].
    pub const FAULTS: [Self; 5] = [Self::RequestLost, Self::AnswerLost, Self::Late, Self::DiesBefore, Self::DiesAfter];
}

/// A waiting call.
pub struct Gate {
    /// Its number among all calls of the run that waited.
    pub call: u64,
    pub task: u32,
    pub what: String,
    pub waker: Waker,
}

/// A request on its way whose sender has given up.
pub struct LateEffect {
    pub what: String,
    pub effect: Box<dyn FnOnce(&World) + Send>,
}

/// The waiting calls, and the state of the run.
#[derive(Default)]
pub struct Desk {
    pub gates: Vec<Gate>,
    /// The number of calls that have waited so far.
    pub calls: u64,
    /// The call that resumes now, and its fate.
    pub decided: Option<(u64, Fate)>,
    /// Whether every call works without waiting.
    pub is_calm: bool,
    pub late: Vec<LateEffect>,
    /// The task that is being polled.
    pub current: u32,
    /// Whether that task died in the middle.
    pub is_dead: bool,
    /// Whether the request that takes effect now was sent some time ago.
    pub is_late: bool,
    /// The consents of accounts that had top-ups switched off when hours passed.
    pub off_for_long: BTreeSet<ConsentId>,
    /// How long a reconciliation may begin something, if that is less than usual.
    pub reconcile_time: Option<SignedDuration>,
    /// How long a sweep may open top-ups before its process runs out of time.
    pub sweep_time: SignedDuration,
    /// While it is down, no request reaches Stripe.
    pub is_stripe_down: bool,
    /// Whether every answer to a customer's retry gets lost.
    pub is_retry_unheard: bool,
    /// The log of the run so far, if it was requested.
    pub story: Option<Vec<String>>,
    /// The first rule that was broken.
    pub violation: Option<String>,
    /// The tasks of a charging function that have not read an account yet.
    pub unread: BTreeSet<u32>,
    /// When each of them began to read a record beside it.
    pub remembered_since: BTreeMap<u32, Timestamp>,
    /// When each version of an account was written.
    pub committed_at: BTreeMap<(AccountId, u64), Timestamp>,
}

impl Desk {
    /// Notes that the current task reads or commits. Returns whether this is its first time, in a charging function.
    pub fn has_read(&mut self) -> bool {
        self.unread.remove(&self.current)
    }

    /// Notes when the current task first read a record, in a charging function that has not read the account.
    pub fn remember_since(&mut self, now: Timestamp) {
        if self.unread.contains(&self.current) {
            self.remembered_since.entry(self.current).or_insert(now);
        }
    }

    /// When the current task first read a record, if it did.
    pub fn took_remembered(&mut self) -> Option<Timestamp> {
        self.remembered_since.remove(&self.current)
    }
}

/// The notices that e-mails were sent for so far.
#[derive(Default)]
pub struct Outbox {
    sent: BTreeMap<NoticeId, Sent>,
}

#[derive(Clone, Copy, Default)]
struct Sent {
    times: u32,
    /// Whether another e-mail is allowed because something was lost since the last one.
    is_excused: bool,
}

impl Outbox {
    /// Returns false for a duplicate e-mail without an excuse.
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

/// The readers of the customers' addresses, and what the mail service reports of them.
#[derive(Default)]
pub struct Readers {
    /// Each address that was confirmed by whoever reads it.
    pub confirmed: BTreeSet<(AccountId, EmailAddress)>,
    /// Mailboxes that do not exist at the moment.
    pub broken: BTreeSet<EmailAddress>,
    /// Reports that were not delivered yet.
    pub reports: Vec<Report>,
    /// Notices for which no contact was deliverable.
    pub undeliverable: BTreeSet<NoticeId>,
}

/// The mail service reports that an e-mail came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub account: AccountId,
    pub notice: NoticeId,
    pub returned: ReturnedMail,
}

/// The one-time timers.
#[derive(Default)]
pub struct Alarms {
    /// The timers that have not fired yet.
    pub set: Vec<Timer>,
    /// The timers that have fired, and may fire once more.
    pub gone_off: Vec<Timer>,
}

impl Alarms {
    /// Sets a timer unless one of that name is set. Returns false if its time has passed.
    pub fn set(&mut self, timer: &Timer, now: Timestamp) -> bool {
        let is_in_time = timer.at > now;
        if is_in_time && self.set.iter().all(|set| set.name != timer.name) {
            self.set.push(timer.clone());
        }
        is_in_time
    }

    /// Whether a timer for the same part of the same sweep exists under another name.
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
    readers: Mutex<Readers>,
    desk: Mutex<Desk>,
    now: Mutex<Timestamp>,
    minted: Mutex<u64>,
    minted_salts: Mutex<u128>,
    /// What each charging process remembers.
    pub memories: [Memory; 2],
    /// What each charging process was asked for and refused.
    pub refusals: [RefusalLog; 2],
}

/// Without a time of trial, because a run is short. There are three accounts.
pub const MEMORY: MemorySettings = MemorySettings { accounts_max: 2, holds_min: 0, ..MemorySettings::CHARGING };

const DUE_PAGE_SIZE: usize = 2;
/// Most sweeps finish long before this time.
pub const SWEEP_TIME: SignedDuration = SignedDuration::from_mins(11);

impl World {
    pub fn new(is_told: bool) -> Arc<Self> {
        let settings = MemoryLedgerSettings { due_page_size: DUE_PAGE_SIZE, is_lagging: true };
        let desk = Desk { story: is_told.then(Vec::new), sweep_time: SWEEP_TIME, ..Desk::default() };
        let start = Timestamp::constant(1_767_225_600, 0);
        let stripe = Mutex::<Stripe>::default();
        lock(&stripe).now = start;
        Arc::new(Self {
            ledger: MemoryLedger::new(settings),
            price_book: PriceBook::reference(),
            stripe,
            outbox: Mutex::default(),
            alarms: Mutex::default(),
            readers: Mutex::default(),
            desk: Mutex::new(desk),
            now: Mutex::new(start),
            minted: Mutex::new(0),
            minted_salts: Mutex::new(0),
            memories: [Memory::new(MEMORY), Memory::new(MEMORY)],
            refusals: [0, 1].map(RefusalLog::in_lane),
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

    pub fn readers(&self) -> MutexGuard<'_, Readers> {
        lock(&self.readers)
    }

    /// Whether an address was confirmed by its reader, or is the one that the account was opened with.
    pub fn is_confirmed(&self, account: &AccountId, address: &EmailAddress) -> bool {
        *address == crate::request::email(account)
            || self.readers().confirmed.contains(&(account.clone(), address.clone()))
    }

    /// The mail service reports an e-mail to a mailbox that does not exist.
    pub fn report(&self, account: &AccountId, notice: &NoticeId, to: &EmailAddress) {
        let at = self.time();
        let mut readers = self.readers();
        if readers.broken.contains(to) {
            let problem = DeliveryProblem { kind: DeliveryProblemKind::Bounced, at };
            let returned = ReturnedMail { address: to.clone(), problem };
            readers.reports.push(Report { account: account.clone(), notice: notice.clone(), returned });
        }
    }

    pub fn desk(&self) -> MutexGuard<'_, Desk> {
        lock(&self.desk)
    }

    pub fn time(&self) -> Timestamp {
        *lock(&self.now)
    }

    pub fn advance(&self, by: SignedDuration) {
        *lock(&self.now) += by;
        lock(&self.stripe).now = self.time();
    }

    /// The time first, then a unique number, like the ids in production.
    pub fn mint(&self, now: Timestamp) -> u128 {
        let mut minted = lock(&self.minted);
        *minted += 1;
        let millis = u128::try_from(now.as_millisecond()).unwrap_or_default();
        (millis << 64) | u128::from(*minted)
    }

    /// Another number each time. In production nobody can predict it.
    pub fn mint_salt(&self) -> u128 {
        let mut minted = lock(&self.minted_salts);
        *minted += 1;
        *minted
    }

    /// Whether a log of the run was requested.
    pub fn is_told(&self) -> bool {
        self.desk().story.is_some()
    }

    /// Writes a line of the story if it was requested.
    pub fn tell(&self, line: impl FnOnce() -> String) {
        if let Some(story) = &mut self.desk().story {
            story.push(line());
        }
    }

    /// Writes a change, and notes when.
    pub fn commit(&self, change: &Change) -> Result<(), CommitError> {
        let change = &as_opened(change);
        self.ledger.write(change)?;
        let version = (change.account.id.clone(), change.account.version);
        self.desk().committed_at.insert(version, self.time());
        Ok(())
    }

    /// Records a broken rule; only the first one counts.
    pub fn violate(&self, rule: impl Into<String>) {
        self.desk().violation.get_or_insert(rule.into());
    }
}

/// No code panics while holding a lock, and all locks are taken by one thread.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
