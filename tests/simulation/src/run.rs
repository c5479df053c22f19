//! One run: the tasks under way, and the events that affect them.

use crate::chain::check_verification;
use crate::disputes::warn_at_rest;
use crate::invoices::{Bill, BillStatus};
use crate::liability;
use crate::names;
use crate::outside::Outside;
use crate::reconciliation::{ListConduct, has_unapplied};
use crate::request::{Ended, Request};
use crate::rules::{Rules, check_at_rest, check_pages};
use crate::stripe::{Invoice, SessionStatus};
use crate::world::{Fate, SWEEP_TIME, World};
use jiff::{SignedDuration, Timestamp};
use shared::clock::Clock;
use shared::domain::liability::closable_from;
use shared::domain::payments::AutoTopUpCommand;
use shared::domain::{AccountId, NoticeId};
use shared::ports::Wake;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{self, Context, Poll, Waker};

/// A caller's request under way.
struct Task {
    id: u32,
    request: Request,
    future: Pin<Box<dyn Future<Output = Ended> + Send>>,
}

/// A run between two steps.
pub struct Run {
    pub outside: Outside,
    tasks: Vec<Task>,
    next_task: u32,
    /// Unanswered requests of callers who will retry.
    pub unanswered: Vec<Request>,
    /// All requests so far, to be sent once more.
    pub asked: Vec<Request>,
    rules: Rules,
    /// Numbers the keys of requests.
    pub keys: u32,
    /// How often the clock moved to an expiry while requests were under way.
    pub jumps: u32,
    /// The scheduled time of the last sweep.
    pub last_sweep: Option<Timestamp>,
    woken: Arc<Woken>,
    waker: Waker,
}

/// How many times the remaining work is retried at the end before the run counts as stuck.
const ROUNDS_MAX: u32 = 200;
/// Days pass at the end, in steps longer than the interval between top-ups, until every time window is over.
const FINAL_SWEEPS: u32 = 20;
const BETWEEN_FINAL_SWEEPS: SignedDuration = SignedDuration::from_hours(7);
const A_DAY_AND_AN_HOUR: SignedDuration = SignedDuration::from_hours(25);

impl Run {
    pub fn new(is_told: bool) -> Self {
        let woken = Arc::<Woken>::default();
        Self {
            outside: Outside(World::new(is_told)),
            tasks: vec![],
            next_task: 1,
            unanswered: vec![],
            asked: vec![],
            rules: Rules::default(),
            keys: 0,
            jumps: 0,
            last_sweep: None,
            waker: Waker::from(Arc::clone(&woken)),
            woken,
        }
    }

    pub fn world(&self) -> &World {
        &self.outside.0
    }

    /// Prepares an account with 500 credits, its own saved card and automatic top-ups.
    ///
    /// # Errors
    /// The first broken rule.
    pub fn prepare(&mut self, account: &AccountId, number: u32, settings: AutoTopUpCommand) -> Result<(), String> {
        self.run_now(Request::OpenAccount(account.clone()));
        self.run_now(Request::OpenPurchase(account.clone(), names::buy(number, "credits_500")));
        let last = self.world().stripe().sessions.len() - 1;
        self.world().stripe().session_pay(last, &names::card(number));
        for event in self.undelivered() {
            self.run_now(event);
        }
        self.run_now(Request::SetAutoTopUp(account.clone(), settings));
        self.check()
    }

    /// Starts a request and runs it up to its first call.
    pub fn start(&mut self, request: Request) -> u32 {
        let id = self.next_task;
        self.next_task += 1;
        self.world().tell(|| format!("#{id} begins: {request:?}"));
        if self.asked.len() < 64 && !self.asked.contains(&request) {
            self.asked.push(request.clone());
        }
        let future = request.clone().run(self.outside.clone());
        self.tasks.push(Task { id, request, future });
        self.poll(id);
        id
    }

    /// Whether this notice is being sent: the stream delivers a record to one invocation at a time.
    /// Whether any process is under way.
    pub fn is_at_work(&self) -> bool {
        !self.tasks.is_empty()
    }

    pub fn is_being_sent(&self, notice: &NoticeId) -> bool {
        self.tasks.iter().any(|task| matches!(&task.request, Request::Notice(_, id) if id == notice))
    }

    pub fn waiting(&self) -> usize {
        self.world().desk().gates.len()
    }

    /// Decides the fate of a waiting call and resumes its caller.
    pub fn resume(&mut self, position: usize, fate: Fate) {
        let gate = self.world().desk().gates.remove(position);
        self.world().tell(|| format!("#{} {}: {fate:?}", gate.task, gate.what));
        self.world().desk().decided = Some((gate.call, fate));
        gate.waker.wake();
        self.poll(gate.task);
    }

    fn poll(&mut self, id: u32) {
        let Some(position) = self.tasks.iter().position(|task| task.id == id) else { return };
        {
            let mut desk = self.world().desk();
            desk.current = id;
            desk.is_dead = false;
        }
        let ended = loop {
            self.woken.0.store(false, Ordering::Relaxed);
            match self.tasks[position].future.as_mut().poll(&mut Context::from_waker(&self.waker)) {
                Poll::Ready(ended) => break Some(ended),
                Poll::Pending if self.woken.0.load(Ordering::Relaxed) && !self.world().desk().is_dead => {}
                Poll::Pending => break None,
            }
        };
        let is_dead = self.world().desk().is_dead;
        match ended {
            Some(ended) => self.end(position, ended),
            None if is_dead => self.end(position, Ended::NotNow("died".into())),
            None => {}
        }
    }

    fn end(&mut self, position: usize, ended: Ended) {
        let Task { id, request, future } = self.tasks.remove(position);
        drop(future);
        self.world().desk().gates.retain(|gate| gate.task != id);
        self.world().tell(|| format!("#{id} ends: {ended:?}"));
        match ended {
            Ended::Answered(_) => {
                if let Request::Event(event, _) = &request {
                    let mut stripe = self.world().stripe();
                    stripe.events.iter_mut().filter(|known| known.id == *event).for_each(|known| {
                        known.is_delivered = true;
                    });
                }
                if let Request::Report(report) = &request {
                    self.world().readers().reports.retain(|known| known != report);
                }
                if let Request::Fold(account, seq) = &request {
                    self.world().ledger.tables().blocks.remove(&(account.clone(), *seq));
                }
            }
            Ended::NotNow(_) => {
                if let Request::Notice(_, notice) = &request {
                    let mut outbox = self.world().outbox();
                    if outbox.is_sent(notice) {
                        outbox.excuse(notice);
                    }
                }
                if request.is_repeated() {
                    self.unanswered.push(request);
                }
            }
            Ended::Wrong(words) => self.world().violate(words),
        }
    }

    /// Ends all processes; none lives longer than 15 minutes.
    pub fn end_all(&mut self) {
        while !self.tasks.is_empty() {
            self.end(0, Ended::NotNow("its time had run out".into()));
        }
    }

    /// A late request arrives.
    pub fn arrive(&mut self, position: usize) {
        let late = self.world().desk().late.remove(position);
        self.world().tell(|| format!("late: {}", late.what));
        self.world().desk().is_late = true;
        (late.effect)(self.world());
        self.world().desk().is_late = false;
    }

    pub fn arrive_all(&mut self) {
        while !self.world().desk().late.is_empty() {
            self.arrive(0);
        }
    }

    /// Lets hours pass.
    pub fn pass(&mut self, time: SignedDuration) {
        self.arrive_all();
        self.end_all();
        let off_for_long = {
            let tables = self.world().ledger.tables();
            let settings = tables.accounts().filter_map(|account| account.auto_top_up.as_ref());
            settings.filter(|settings| !settings.is_enabled).map(|settings| settings.consent.id.clone()).collect()
        };
        self.world().desk().off_for_long = off_for_long;
        let left = time - self.reconcile_before(time);
        self.world().advance(left);
        self.world().tell(|| format!("{time:#} pass, it is {}", self.outside.now()));
        self.world().stripe().expire_sessions(self.outside.now());
        self.world().stripe().settle_debits(self.outside.now());
    }

    /// Stripe lists events for 30 days. Without webhooks, no time is longer than that without a run. Returns the time that it
    /// took.
    fn reconcile_before(&mut self, time: SignedDuration) -> SignedDuration {
        const SOON: SignedDuration = SignedDuration::from_hours(1);
        if time < SignedDuration::from_hours(24 * 14) || !self.world().stripe().are_webhooks_off {
            return SignedDuration::ZERO;
        }
        self.world().advance(SOON);
        let was_down = std::mem::take(&mut self.world().desk().is_stripe_down);
        let list = std::mem::take(&mut self.world().stripe().list);
        self.world().desk().reconcile_time = None;
        // Each run may cause events of its own.
        for _ in 0..5 {
            self.run_now(Request::Reconcile);
            if !has_unapplied(self.world()) {
                break;
            }
        }
        self.world().stripe().list = list;
        self.world().desk().is_stripe_down = was_down;
        SOON
    }

    /// Fires a timer, waiting for its time if needed. `None` if there is no timer at this position.
    pub fn wake(&mut self, position: usize) -> Option<Request> {
        let timer = {
            let mut alarms = self.world().alarms();
            if position >= alarms.set.len() {
                return None;
            }
            let timer = alarms.set.remove(position);
            alarms.gone_off.push(timer.clone());
            timer
        };
        let early = timer.at.duration_since(self.world().time());
        self.world().advance(early.max(SignedDuration::ZERO));
        self.world().tell(|| format!("{} goes off", timer.name));
        let Wake::ContinueSweep(part) = timer.wake;
        Some(Request::Sweep(Some(part)))
    }

    /// Checks everything that changed since the last check.
    ///
    /// # Errors
    /// The first broken rule.
    pub fn check(&mut self) -> Result<(), String> {
        if let Some(violation) = self.world().desk().violation.take() {
            return Err(violation);
        }
        self.rules.check(&self.outside.0)
    }

    /// Runs a request from beginning to end without faults.
    pub fn run_now(&mut self, request: Request) {
        self.world().desk().is_calm = true;
        self.start(request);
        self.world().desk().is_calm = false;
    }

    /// Whether a day has passed that is not closed yet.
    pub fn is_day_to_be_closed(&self) -> bool {
        let next = self.world().ledger.tables().closed_days.and_then(|closed| closed.next());
        next.and_then(closable_from).is_some_and(|from| from <= self.world().time())
    }

    /// If any day was closed, all days are closed that have passed, and they agree with the entries.
    fn close_days(&mut self) -> Result<(), String> {
        if self.world().ledger.tables().closed_days.is_none() {
            return Ok(());
        }
        self.world().advance(A_DAY_AND_AN_HOUR);
        for _ in 0..ROUNDS_MAX {
            if !self.is_day_to_be_closed() {
                return liability::check(&self.world().ledger.tables());
            }
            self.run_now(Request::CloseDays);
            self.check()?;
        }
        Err("days are never closed although nothing fails".into())
    }

    /// The events that Stripe has not delivered yet.
    pub fn undelivered(&self) -> Vec<Request> {
        let stripe = self.world().stripe();
        let undelivered = stripe.events.iter().filter(|event| !event.is_delivered && !stripe.are_webhooks_off);
        undelivered.map(|event| Request::Event(event.id.clone(), event.subject.clone())).collect()
    }

    /// The notices that the stream has not delivered yet.
    pub fn owed(&self) -> Vec<(AccountId, NoticeId)> {
        let tables = self.world().ledger.tables();
        let notices = tables.partitions.values().flat_map(|partition| partition.notices.values());
        let readers = self.world().readers();
        let owed = notices.filter(|notice| notice.sent_at.is_none() && !readers.undeliverable.contains(&notice.id));
        owed.map(|notice| (notice.account.clone(), notice.id.clone())).collect()
    }

    /// The ends of blocks that the stream has not delivered yet.
    pub fn blocks(&self) -> Vec<Request> {
        let tables = self.world().ledger.tables();
        tables.blocks.iter().map(|(account, seq)| Request::Fold(account.clone(), *seq)).collect()
    }

    /// The reports of the mail service that were not delivered yet.
    pub fn reports(&self) -> Vec<Request> {
        self.world().readers().reports.iter().cloned().map(Request::Report).collect()
    }

    /// Everything that Stripe, the stream and the mail service have not delivered yet.
    pub fn to_be_delivered(&self) -> Vec<Request> {
        let notices = self.owed().into_iter().map(|(account, notice)| Request::Notice(account, notice));
        self.undelivered().into_iter().chain(notices).chain(self.blocks()).chain(self.reports()).collect()
    }

    /// Repeats all unfinished work until none is left.
    fn settle(&mut self) -> Result<(), String> {
        for _ in 0..ROUNDS_MAX {
            let mut left = std::mem::take(&mut self.unanswered);
            left.extend(self.to_be_delivered());
            let is_found_alone = self.world().stripe().are_webhooks_off && has_unapplied(self.world());
            if left.is_empty() && !is_found_alone {
                return Ok(());
            }
            if is_found_alone {
                self.reconcile()?;
            }
            for request in left {
                self.run_now(request);
                self.check()?;
            }
            self.world().ledger.tables().catch_up(usize::MAX);
        }
        Err("some work never finishes although nothing fails".into())
    }

    /// Without webhooks, a few runs apply everything that has happened at Stripe.
    fn reconcile(&mut self) -> Result<(), String> {
        // What failed before is tried again later, and what is listed late is listed by then.
        self.world().advance(SignedDuration::from_hours(7));
        self.world().ledger.tables().catch_up(usize::MAX);
        // The rest of a run that was cut short, everything since then, and what that caused.
        for _ in 0..3 {
            self.run_now(Request::Reconcile);
            self.check()?;
        }
        if has_unapplied(self.world()) {
            Err("a reconciliation leaves an event, although nothing fails".into())
        } else {
            Ok(())
        }
    }

    /// Whether nothing more will happen as time passes.
    fn is_over(&self) -> bool {
        let is_debited = {
            let stripe = self.world().stripe();
            let is_processing = |bill: &Bill| matches!(bill.status, BillStatus::Processing(_));
            stripe.invoices.iter().any(Invoice::is_processing) || stripe.bills.iter().any(is_processing)
        };
        let is_pending = |status| matches!(status, SessionStatus::Open | SessionStatus::Processing);
        let has_open_page =
            is_debited || self.world().stripe().sessions.iter().any(|session| is_pending(session.status));
        let tables = self.world().ledger.tables();
        !has_open_page && tables.due.is_empty() && tables.due_charges.is_empty() && tables.due_alerts.is_empty()
    }

    /// Ends the faults, repeats all unfinished work, and lets days pass.
    ///
    /// # Errors
    /// The first broken rule.
    pub fn finish(&mut self) -> Result<(), String> {
        self.world().tell(|| "── nothing fails from here on ──".into());
        self.world().desk().is_stripe_down = false;
        self.world().desk().is_retry_unheard = false;
        self.world().desk().reconcile_time = None;
        self.world().stripe().list = ListConduct::default();
        self.world().desk().sweep_time = SWEEP_TIME;
        self.arrive_all();
        while self.waiting() > 0 {
            self.resume(0, Fate::Works);
            self.check()?;
        }
        self.settle()?;
        check_pages(&self.outside.0)?;
        for _ in 0..FINAL_SWEEPS {
            self.pass(BETWEEN_FINAL_SWEEPS);
            self.settle()?;
            self.world().ledger.tables().catch_up(usize::MAX);
            self.run_now(Request::ExpireCharges);
            self.run_now(Request::EvaluateAlerts);
            self.run_now(Request::WarnOfCards);
            self.run_now(Request::Sweep(None));
            self.run_now(Request::FollowUp);
            while let Some(part) = self.wake(0) {
                self.run_now(part);
            }
            self.check()?;
            self.settle()?;
            self.world().ledger.tables().catch_up(usize::MAX);
            if self.is_over() {
                break;
            }
        }
        self.check()?;
        warn_at_rest(self);
        self.check()?;
        check_at_rest(&self.outside.0)?;
        self.world().desk().is_calm = true;
        check_verification(&self.outside)?;
        self.close_days()
    }
}

/// Whether a part of a task asked to be polled again.
#[derive(Default)]
struct Woken(AtomicBool);

impl task::Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}
