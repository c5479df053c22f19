//! The random steps of a run. Each step has its own random number, so a step can be removed without changing the
//! others.

use crate::claims::claim_any;
use crate::contacts::use_contacts;
use crate::disputes::use_disputes;
use crate::expiring::use_expiring_cards;
use crate::invoices::use_invoices;
use crate::names;
use crate::pay_links::follow_any;
use crate::reconciliation::{switch_off_webhooks, use_reconciliation};
use crate::refunds::use_refunds;
use crate::request::{FOLD_LIMITS, Request};
use crate::returns::use_returns;
use crate::run::Run;
use crate::stripe::{Failure, InvoiceStatus, Mood, SessionStatus};
use crate::wallet::use_cards;
use crate::world::{Fate, SWEEP_TIME};
use fastrand::Rng;
use jiff::SignedDuration;
use shared::domain::charging::ExpiresIn;
use shared::domain::payments::{AutoTopUpCommand, Invoiced, RefusalReason, RetryCommand};
use shared::domain::{
    Account, AccountId, CustomerId, Granularity, PaymentMethodId, Spender, date_of, start_of_next_month,
};
use shared::ports::SweepPart;
use shared::ports::Wake;
use std::ops::Range;

const ACCOUNTS: [&str; 3] = ["acme", "bolt", "cora"];
/// The first accounts are open, with automatic top-ups, when the run starts.
const ACCOUNTS_PREPARED: usize = 2;
const SPENDERS: [&str; 2] = ["key-1", "key-2"];
const PACKAGES: [&str; 2] = ["credits_500", "credits_5000"];
/// The range used here; the product allows more.
const THRESHOLDS: Range<i64> = 100..650;
const STEPS_MIN: usize = 40;
const STEPS_MAX: usize = 260;
/// The most that one charge may take, as in the reference price book.
const MINUTES_MAX: i64 = 1_440;
/// The number of calls that applying an event takes.
const EVENT_CALLS: usize = 6;
/// The number of calls in which a run over unpaid attempts has asked each shard and follows up the first attempt.
const FOLLOW_UP_CALLS: usize = 24;
/// The number of calls in which a sweep has created an attempt and its invoice.
const SWEEP_CALLS: usize = 24;

// Any numbers, all different: two steps with the same one would be chosen together.
const USAGE_SALT: u64 = 0x5DEE_CE66_D1CE_4E5B;
const LIABILITY_SALT: u64 = 0x2545_F491_4F6C_DD1D;
const CONTACTS_SALT: u64 = 0x9E37_79B9_7F4A_7C15;
const WALLET_SALT: u64 = 0xD6E8_FEB8_6659_FD93;
const ALERT_SALT: u64 = 0xD1B5_4A32_D192_ED03;
const CAP_SALT: u64 = 0xA076_1D64_78BD_642F;
const EXPIRY_SALT: u64 = 0x8CB9_2BA7_2F3D_8DD7;
const PAUSES_SALT: u64 = 0xE703_7ED1_A0B4_28DB;
const CLOSING_SALT: u64 = 0x8EBC_6AF0_9C88_C6E3;
const REMINDERS_SALT: u64 = 0x5899_65CC_7537_4CC3;
const INVOICES_SALT: u64 = 0x1D8E_4E27_C47D_124F;
const RECONCILIATION_SALT: u64 = 0x3C6E_F372_FE94_F82B;
const RETURNS_SALT: u64 = 0x6A09_E667_F3BC_C908;
const REFUNDS_SALT: u64 = 0x3C6E_F372_FE94_F82B;
const DISPUTES_SALT: u64 = 0xA54F_F53A_5F1D_36F1;
const PAY_LINKS_SALT: u64 = 0xBB67_AE85_84CA_A73B;
const CLAIMS_SALT: u64 = 0x510E_527F_ADE6_82D1;

/// The main subject of a run: rare sequences of events need a run that concentrates on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Focus {
    Everything,
    TopUps,
    Charges,
}

/// A run's choices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    pub focus: Focus,
    /// The percentage of calls that fail.
    pub faults_percent: u32,
    /// One random number per step.
    pub steps: Vec<u64>,
    /// Whether customers buy by invoice. Few runs, in which invoices come often: all others are as they would be without
    /// them.
    pub has_invoices: bool,
    /// Whether no webhook arrives at all. Few runs, in which reconciliations come often.
    pub is_unheard: bool,
}

impl Schedule {
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let faults_percent = [0, 2, 5, 10, 20, 40][rng.usize(0..6)];
        let focus = [Focus::Everything, Focus::TopUps, Focus::TopUps, Focus::Charges][rng.usize(0..4)];
        let steps: Vec<u64> = (0..rng.usize(STEPS_MIN..STEPS_MAX)).map(|_| rng.u64(..)).collect();
        let is_chosen = steps.first().is_some_and(|step| step % 16 == 0);
        let has_invoices = focus == Focus::Everything && is_chosen;
        let is_unheard = steps.first().is_some_and(|step| step % 32 == 5);
        Self { focus, faults_percent, steps, has_invoices, is_unheard }
    }

    /// Plays the schedule.
    ///
    /// # Errors
    /// The first broken rule.
    pub fn play(&self, run: &mut Run) -> Result<(), String> {
        prepare(run)?;
        if self.is_unheard {
            switch_off_webhooks(run);
        }
        for (number, step) in (1..).zip(&self.steps) {
            run.world().tell(|| format!("step {number}"));
            self.take_step(run, &mut Rng::with_seed(*step));
            run.check()?;
        }
        run.finish()
    }

    fn take_step(&self, run: &mut Run, rng: &mut Rng) {
        let milliseconds = if rng.u32(0..60) == 0 { rng.u32(500..5_000) } else { rng.u32(0..30) };
        run.world().advance(SignedDuration::from_millis(milliseconds.into()));
        run.world().ledger.tables().catch_up(rng.usize(0..3));
        // Outages are shorter than the time between them.
        if run.world().desk().is_stripe_down && rng.u32(0..15) == 0 {
            switch_stripe(run);
        }
        let mut own = own_numbers(rng, USAGE_SALT);
        // A run about top-ups has hardly any entries to fold.
        if self.focus != Focus::TopUps && own.u32(0..24) == 0 && use_usage(run, &mut own) {
            return;
        }
        if own.u32(0..400) == 0 && erase(run, &mut own) {
            return;
        }
        let mut own = own_numbers(rng, ALERT_SALT);
        if own.u32(0..40) == 0 && use_alerts(run, &mut own) {
            return;
        }
        if own.u32(0..150) == 0 && move_around_a_level(run, &mut own) {
            return;
        }
        let mut own = own_numbers(rng, LIABILITY_SALT);
        if own.u32(0..40) == 0 && close_days(run, &mut own) {
            return;
        }
        let mut own = own_numbers(rng, CONTACTS_SALT);
        if self.focus == Focus::Everything && own.u32(0..9) == 0 {
            let name = ACCOUNTS[own.usize(0..ACCOUNTS_PREPARED)];
            if use_contacts(run, &mut own, name) {
                return;
            }
        }
        let mut own = own_numbers(rng, WALLET_SALT);
        if self.focus == Focus::Everything && own.u32(0..40) == 0 && use_cards(run, &mut own, ACCOUNTS[0]) {
            return;
        }
        let mut own = own_numbers(rng, EXPIRY_SALT);
        if self.focus == Focus::Everything && own.u32(0..80) == 0 && use_expiring_cards(run, &mut own, ACCOUNTS[0]) {
            return;
        }
        let mut own = own_numbers(rng, CAP_SALT);
        if self.focus == Focus::TopUps && own.u32(0..20) == 0 && reach_next_month(run, &mut own) {
            return;
        }
        let mut own = own_numbers(rng, CLOSING_SALT);
        if self.focus == Focus::TopUps && own.u32(0..30) == 0 && close_beside_a_sweep(run, &mut own) {
            return;
        }
        let mut own = own_numbers(rng, PAUSES_SALT);
        if own.u32(0..30) == 0 && leave_pause(run, &mut own) {
            return;
        }
        let mut own = own_numbers(rng, REMINDERS_SALT);
        if own.u32(0..90) == 0 && follow_up(run, &mut own) {
            return;
        }
        let mut own = own_numbers(rng, INVOICES_SALT);
        if self.has_invoices && own.u32(0..8) == 0 && use_invoices(run, &mut own, ACCOUNTS[0]) {
            return;
        }
        let mut own = own_numbers(rng, RECONCILIATION_SALT);
        if own.u32(0..if self.is_unheard { 12 } else { 150 }) == 0 && use_reconciliation(run, &mut own) {
            return;
        }
        let mut own = own_numbers(rng, RETURNS_SALT);
        if own.u32(0..70) == 0 && use_returns(run, &mut own) {
            return;
        }
        let mut own = own_numbers(rng, REFUNDS_SALT);
        if own.u32(0..140) == 0 && use_refunds(run, &mut own) {
            return;
        }
        let mut own = own_numbers(rng, DISPUTES_SALT);
        if own.u32(0..60) == 0 && use_disputes(run, &mut own) {
            return;
        }
        let mut own = own_numbers(rng, PAY_LINKS_SALT);
        if self.focus == Focus::Everything && own.u32(0..60) == 0 && follow_any(run, &mut own, ACCOUNTS[0]) {
            return;
        }
        let mut own = own_numbers(rng, CLAIMS_SALT);
        if own.u32(0..60) == 0 && claim_any(run, &mut own, &ACCOUNTS[..ACCOUNTS_PREPARED]) {
            return;
        }
        // In a run about top-ups, concurrent changes at the worst moment are more frequent.
        let kinds = if self.focus == Focus::TopUps { 125 } else { 100 };
        if self.focus == Focus::Charges && rng.u32(0..15) == 0 && reach_expiry(run, rng) {
            return;
        }
        let is_done = match rng.u32(0..kinds) {
            0..60 => go_on(run, rng, self.faults_percent),
            60..62 => arrive(run, rng),
            62..72 => self.ask(run, rng),
            72..75 => repeat(run, rng),
            75..80 => deliver_event(run, rng),
            80..82 => deliver_notice(run, rng),
            82..84 => wake(run, rng),
            84..92 => customer(run, rng),
            92..95 => pass(run, rng),
            95 => switch_stripe(run),
            96..115 => overtake(run, rng),
            _ => pay_meanwhile(run, rng),
        };
        if !is_done && !go_on(run, rng, self.faults_percent) {
            self.ask(run, rng);
        }
    }

    /// Sends a random request.
    fn ask(&self, run: &mut Run, rng: &mut Rng) -> bool {
        let name = match (self.focus, rng.u32(0..100)) {
            (Focus::Everything, 0..45) | (Focus::TopUps | Focus::Charges, 0..80) => ACCOUNTS[0],
            (_, 0..85) => ACCOUNTS[1],
            _ => ACCOUNTS[2],
        };
        let weights = match self.focus {
            Focus::Everything => [6, 25, 6, 8, 10, 6, 6, 5, 8, 20, 3, 3, 2, 2, 3, 4, 6, 4, 2, 2, 2, 3],
            // A stop or a limit would keep most of these runs from their subject.
            Focus::TopUps => [1, 18, 1, 2, 3, 2, 8, 13, 12, 40, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 1, 0],
            Focus::Charges => [4, 28, 14, 14, 6, 2, 3, 1, 0, 4, 16, 20, 10, 8, 3, 10, 16, 5, 3, 1, 1, 2],
        };
        let Some(request) = choose_request(run, rng, name, weights) else { return false };
        // A fast request overtakes all those under way.
        if rng.u32(0..3) == 0 {
            run.run_now(request);
        } else {
            run.start(request);
        }
        true
    }
}

/// Random numbers that are taken from no other choice, so that every other one is as it would be without them.
fn own_numbers(rng: &Rng, salt: u64) -> Rng {
    Rng::with_seed(rng.clone().u64(..) ^ salt)
}

/// A random kind of request, chosen by weight.
fn choose_request(run: &mut Run, rng: &mut Rng, name: &str, weights: [u32; 22]) -> Option<Request> {
    let account = names::account(name);
    let mut left = rng.u32(0..weights.iter().sum());
    let kind = weights.iter().position(|weight| {
        let is_chosen = left < *weight;
        left = left.saturating_sub(*weight);
        is_chosen
    })?;
    Some(match kind {
        0 => Request::OpenAccount(account),
        1 => {
            run.keys += 1;
            names::charge_for(name, run.keys, rng.i64(1..30), choose_spender(rng))
        }
        2 => names::charge_for(name, rng.u32(1..run.keys + 1), rng.i64(1..30), choose_spender(rng)),
        3 => names::restore(name, rng.u32(1..run.keys + 1)),
        4 => {
            let is_new = rng.u32(0..6) > 0;
            run.keys += u32::from(is_new);
            let key = if is_new { run.keys } else { rng.u32(1..run.keys + 1) };
            Request::OpenPurchase(account, names::buy(key, PACKAGES[rng.usize(0..PACKAGES.len())]))
        }
        5 => choose_purchase(run, rng, &account)?,
        6 => {
            let settings = settings(run, rng, &account);
            Request::SetAutoTopUp(account, settings)
        }
        7 => Request::SetAutoTopUp(account, AutoTopUpCommand::Off { changed_by: None }),
        8 => choose_top_up(run, rng, &account)?,
        10 => {
            run.keys += 1;
            let seconds = [60, 60, 90, 1_200, 21_600][rng.usize(0..5)];
            names::pending_charge_for(name, run.keys, rng.i64(1..30), (seconds, choose_spender(rng)))
        }
        11 => names::capture(name, choose_pending(run, rng, &account), (rng.u32(0..4) > 0).then(|| rng.i64(1..30))),
        12 => names::void(name, choose_pending(run, rng, &account)),
        13 => Request::ExpireCharges,
        14 => Request::SetSpending(account, rng.u32(0..3) == 0),
        15 => choose_limits(rng, name),
        16 => choose_batch(run, rng, name),
        17 => choose_adjustment(run, rng, name),
        18 => choose_restriction(run, rng, name),
        19 => choose_notice(run, rng, &account)?,
        20 => Request::CheckTopUp(account),
        21 => choose_import(rng, name),
        _ => {
            // Every other sweep runs out of time.
            let time = if rng.bool() { SignedDuration::from_millis(rng.i64(0..16)) } else { SWEEP_TIME };
            run.world().desk().sweep_time = time;
            Request::Sweep(Some(choose_sweep(run, rng)))
        }
    })
}

fn choose_spender(rng: &mut Rng) -> Option<Spender> {
    SPENDERS.get(rng.usize(0..SPENDERS.len() + 1)).map(|name| names::spender(name))
}

/// Limits that a few charges reach, or none.
fn choose_limits(rng: &mut Rng, name: &str) -> Request {
    let spender = choose_spender(rng);
    let bounds = [(); 3].map(|()| rng.bool().then(|| rng.i64(0..90) * 10));
    names::limits(name, spender, bounds)
}

/// Under a new key or an old one, often of more than the balance.
fn choose_adjustment(run: &mut Run, rng: &mut Rng, name: &str) -> Request {
    let is_new = rng.u32(0..3) > 0;
    run.keys += u32::from(is_new);
    let key = if is_new { run.keys } else { rng.u32(1..run.keys + 1) };
    // Few amounts, so that an old key is often the same request.
    let credits = [50, 200, -10, -50, -200, -900][rng.usize(0..6)];
    names::adjust(name, key, credits, rng.u32(0..6) == 0)
}

/// Few sources, so that one is often imported again, for another account or with other credits.
fn choose_import(rng: &mut Rng, name: &str) -> Request {
    let credits = [0, 300, 300, -40][rng.usize(0..4)];
    let name = if rng.u32(0..3) == 0 { ACCOUNTS[rng.usize(0..ACCOUNTS.len())] } else { name };
    names::import(name, rng.u32(1..5), credits)
}

/// Closes what can be closed, often twice at once. At the end of a day, half an hour passes first.
fn close_days(run: &mut Run, rng: &mut Rng) -> bool {
    let is_known = run.world().ledger.tables().closed_days.is_some();
    if is_known && !run.is_day_to_be_closed() {
        return false;
    }
    for _ in 0..rng.u32(1..3) {
        if rng.u32(0..3) == 0 {
            run.run_now(Request::CloseDays);
        } else {
            run.start(Request::CloseDays);
        }
    }
    true
}

/// Mostly so short that it ends while requests are under way.
fn choose_restriction(run: &Run, rng: &mut Rng, name: &str) -> Request {
    if rng.u32(0..3) == 0 {
        return names::lift(name);
    }
    let milliseconds = [-1, 5, 20, 50, 200, 5_000][rng.usize(0..6)];
    names::restrict(name, run.world().time() + SignedDuration::from_millis(milliseconds))
}

fn choose_notice(run: &Run, rng: &mut Rng, account: &AccountId) -> Option<Request> {
    let tables = run.world().ledger.tables();
    let notices: Vec<_> = tables.partitions.get(account)?.notices.keys().collect();
    let id = (*rng.choice(&notices)?).clone();
    Some(Request::ResendNotice(account.clone(), id))
}

/// Charges under new keys and old ones, mostly of one account.
fn choose_batch(run: &mut Run, rng: &mut Rng, name: &str) -> Request {
    let mut charges: Vec<(&str, u32, i64)> = vec![];
    for _ in 0..rng.u32(2..8) {
        let name = if rng.u32(0..4) == 0 { ACCOUNTS[rng.usize(0..ACCOUNTS.len())] } else { name };
        run.keys += u32::from(rng.bool());
        let key = if rng.bool() { run.keys } else { rng.u32(1..run.keys + 1) };
        if charges.iter().all(|(account, known, _)| (*account, *known) != (name, key)) {
            // Often the same minutes, so that an old key is often the same request.
            charges.push((name, key, [1, 1, 2, 10, 29][rng.usize(0..5)]));
        }
    }
    let mut batch = names::batch(charges);
    if let Request::ChargeBatch(charges) = &mut batch
        && rng.u32(0..3) == 0
    {
        for charge in charges.iter_mut().step_by(2) {
            charge.command.request.expires_in = ExpiresIn::new(60).ok();
        }
        for charge in charges.iter_mut().skip(1).step_by(2) {
            charge.command.request.spender = choose_spender(rng);
        }
    }
    batch
}

/// A sweep that is due now, or a duplicate of the last one, or one so late that its time is nearly over.
fn choose_sweep(run: &mut Run, rng: &mut Rng) -> SweepPart {
    let now = run.world().time();
    let due = match (rng.u32(0..8), run.last_sweep) {
        (0..3, Some(last)) if now < SweepPart::first(last, now).ends_at() => last,
        (3, _) => now - SignedDuration::from_millis(rng.i64(1_710_000..1_740_000)),
        _ => now,
    };
    run.last_sweep = Some(due);
    SweepPart::first(due, now)
}

/// Random settings, often with the threshold exactly at the balance.
fn settings(run: &Run, rng: &mut Rng, account: &AccountId) -> AutoTopUpCommand {
    let balance = {
        let tables = run.world().ledger.tables();
        let stored = tables.partitions.get(account).and_then(|partition| partition.account.as_ref());
        stored.map_or(0, |account| account.balance.get())
    };
    let is_exact = rng.u32(0..3) == 0 && THRESHOLDS.contains(&balance);
    let threshold = if is_exact { balance } else { rng.i64(THRESHOLDS) / 50 * 50 };
    let mut own = own_numbers(rng, CAP_SALT);
    let max_per_month = (own.u32(0..6) == 0).then(|| [1_000, 1_500, 2_600, 4_000][own.usize(0..4)]);
    names::capped(threshold, threshold + 1_000 + i64::from(rng.u32(0..3)) * 100, max_per_month)
}

/// Prepares two customers with a card, some credits, and top-ups switched on.
fn prepare(run: &mut Run) -> Result<(), String> {
    for (number, name) in (1..).zip(&ACCOUNTS[..ACCOUNTS_PREPARED]) {
        let account = names::account(name);
        let settings = settings(run, &mut Rng::with_seed(number.into()), &account);
        run.keys += 1;
        run.prepare(&account, number, settings)?;
    }
    Ok(())
}

fn go_on(run: &mut Run, rng: &mut Rng, faults_percent: u32) -> bool {
    let waiting = run.waiting();
    if waiting == 0 {
        return false;
    }
    let fate =
        if rng.u32(0..100) < faults_percent { Fate::FAULTS[rng.usize(0..Fate::FAULTS.len())] } else { Fate::Works };
    // Usually the newest call resumes; otherwise no request would make progress.
    let position = if rng.u32(0..3) == 0 { rng.usize(0..waiting) } else { waiting - 1 };
    run.resume(position, fate);
    true
}

fn arrive(run: &mut Run, rng: &mut Rng) -> bool {
    let late = run.world().desk().late.len();
    if late > 0 {
        run.arrive(rng.usize(0..late));
    }
    late > 0
}

/// The number of a charge: usually of one that was made pending, sometimes of any.
fn choose_pending(run: &Run, rng: &mut Rng, account: &AccountId) -> u32 {
    let tables = run.world().ledger.tables();
    let keys: Vec<_> = tables.partitions.get(account).into_iter().flat_map(|known| known.pending.keys()).collect();
    let number = rng.choice(&keys).and_then(|key| key.as_str().rsplit('-').next()?.parse().ok());
    number.filter(|_| rng.u32(0..8) > 0).unwrap_or_else(|| rng.u32(1..run.keys + 1))
}

/// The clock moves to the moment at which a pending charge expires, or to just before or after it; the index may still
/// list one that has ended. The requests under way take that long, unless that would be longer than a process lives.
fn reach_expiry(run: &mut Run, rng: &mut Rng) -> bool {
    const JUMPS_MAX: u32 = 8;
    let pending: Vec<_> = {
        let tables = run.world().ledger.tables();
        let pending = tables.partitions.values().flat_map(|partition| partition.pending.values());
        pending.filter_map(|pending| pending.due_at()).chain(tables.due_charges.values().copied()).collect()
    };
    let Some(due_at) = rng.choice(pending) else { return false };
    let wait = due_at.duration_since(run.world().time()) + SignedDuration::from_millis(rng.i64(-2..3));
    if !wait.is_positive() {
        return false;
    }
    if wait > SignedDuration::from_secs(90) || run.jumps >= JUMPS_MAX {
        run.pass(wait);
    } else {
        run.jumps += 1;
        run.world().advance(wait);
    }
    if rng.u32(0..3) == 0 {
        end_at_the_last_moment(run, rng);
    }
    if rng.bool() {
        run.world().ledger.tables().catch_up(rng.usize(0..9));
    }
    if rng.u32(0..4) > 0 {
        run.start(Request::ExpireCharges);
    }
    true
}

/// The charge whose time is up first is captured or voided in its last moments. The index learns of it later.
fn end_at_the_last_moment(run: &mut Run, rng: &mut Rng) {
    const A_MOMENT: SignedDuration = SignedDuration::from_millis(5);
    let now = run.world().time();
    let ending = {
        let tables = run.world().ledger.tables();
        let pending = tables.partitions.values().flat_map(|partition| partition.pending.values());
        let ending = pending.filter(|pending| pending.due_at().is_some_and(|due_at| due_at > now));
        ending.min_by_key(|pending| pending.due_at()).cloned()
    };
    let Some(pending) = ending.filter(|pending| pending.expires_at().duration_since(now) <= A_MOMENT) else { return };
    if rng.bool() {
        run.run_now(Request::Void(pending.account, pending.charge));
    } else {
        run.run_now(Request::Capture(pending.account, pending.charge, None));
    }
    run.world().advance(A_MOMENT);
}

/// The clock moves to the end of the month in which a cap is used up, or to just before or after it, and a sweep follows.
fn reach_next_month(run: &mut Run, rng: &mut Rng) -> bool {
    let last = {
        let tables = run.world().ledger.tables();
        let used_up = tables.accounts().filter(|account| {
            let cap = account.auto_top_up.as_ref().and_then(|settings| settings.cap);
            cap.is_some_and(|cap| cap.max.minor() - cap.used < cap.smallest)
        });
        used_up.filter_map(|account| account.last_top_up_at).max()
    };
    let next = last.and_then(|last| start_of_next_month(date_of(last)));
    let wait = next.map(|next| next.duration_since(run.world().time()) + SignedDuration::from_millis(rng.i64(-2..3)));
    let Some(wait) = wait.filter(SignedDuration::is_positive) else { return false };
    run.pass(wait);
    run.world().ledger.tables().catch_up(usize::MAX);
    let sweep = choose_sweep(run, rng);
    run.start(Request::Sweep(Some(sweep)));
    true
}

fn choose_purchase(run: &Run, rng: &mut Rng, account: &AccountId) -> Option<Request> {
    let tables = run.world().ledger.tables();
    let purchases: Vec<_> = tables.partitions.get(account)?.purchases.keys().collect();
    let id = (*rng.choice(&purchases)?).clone();
    Some(Request::CheckPurchase(account.clone(), id))
}

fn choose_top_up(run: &Run, rng: &mut Rng, account: &AccountId) -> Option<Request> {
    let tables = run.world().ledger.tables();
    let top_ups: Vec<_> = tables.partitions.get(account)?.top_ups.keys().collect();
    let id = (*rng.choice(&top_ups)?).clone();
    Some(Request::PayPage(account.clone(), Invoiced::TopUp(id)))
}

/// Repeats a request, whether or not it was answered.
fn repeat(run: &mut Run, rng: &mut Rng) -> bool {
    if !run.unanswered.is_empty() && rng.bool() {
        let request = run.unanswered.remove(rng.usize(0..run.unanswered.len()));
        run.start(request);
        return true;
    }
    let Some(request) = rng.choice(&run.asked).cloned() else { return false };
    if matches!(&request, Request::Notice(_, notice) if run.is_being_sent(notice)) {
        return false;
    }
    run.start(request);
    true
}

fn deliver_event(run: &mut Run, rng: &mut Rng) -> bool {
    let Some(event) = rng.choice(run.undelivered()) else { return false };
    run.start(event);
    true
}

fn entries_of(run: &Run, account: &AccountId) -> u64 {
    let tables = run.world().ledger.tables();
    let stored = tables.partitions.get(account).and_then(|partition| partition.account.as_ref());
    stored.map_or(0, |account| account.seq)
}

/// The stream delivers the end of a block, sometimes again and sometimes at once, or somebody reads the usage.
fn use_usage(run: &mut Run, rng: &mut Rng) -> bool {
    let account = names::account(ACCOUNTS[rng.usize(0..ACCOUNTS.len())]);
    let request = match rng.u32(0..4) {
        0..2 => rng.choice(run.blocks()),
        2 => {
            let blocks = entries_of(run, &account) / FOLD_LIMITS.block;
            (blocks > 0).then(|| Request::Fold(account, rng.u64(1..=blocks) * FOLD_LIMITS.block))
        }
        _ => Some(Request::Usage(account, Granularity::ALL[rng.usize(0..2)])),
    };
    let Some(request) = request else { return false };
    if rng.u32(0..3) == 0 {
        run.run_now(request);
    } else {
        run.start(request);
    }
    true
}

/// Support erases an account, while requests about it are under way or, more often, right away. The first account is the
/// subject of most runs, so it is seldom erased.
fn erase(run: &mut Run, rng: &mut Rng) -> bool {
    let account = names::account(ACCOUNTS[[0, 1, 1, 2][rng.usize(0..4)]]);
    let request = Request::Erase(account.clone());
    if rng.u32(0..4) == 0 {
        // While a payment page is being opened.
        run.keys += 1;
        let task = run.start(Request::OpenPurchase(account, names::buy(run.keys, PACKAGES[0])));
        for _ in 0..rng.usize(0..EVENT_CALLS) {
            resume_task(run, task);
        }
        run.run_now(request);
    } else if rng.bool() {
        run.run_now(request);
    } else {
        run.start(request);
    }
    true
}

/// The run over alerts, or a customer who chooses other levels. One of the levels is above and one below most thresholds.
fn use_alerts(run: &mut Run, rng: &mut Rng) -> bool {
    let request = if rng.u32(0..3) > 0 {
        Request::EvaluateAlerts
    } else {
        let account = names::account(ACCOUNTS[rng.usize(0..ACCOUNTS.len())]);
        let levels: Vec<_> = [60, 200, 420, 800].into_iter().filter(|_| rng.bool()).collect();
        let levels = levels.into_iter().map(|credits| names::level(credits, rng.u32(0..6) > 0)).collect();
        Request::SetAlerts(account, names::levels(levels))
    };
    if rng.u32(0..3) == 0 {
        run.run_now(request);
    } else {
        run.start(request);
    }
    true
}

/// A balance moves around a level and is evaluated after each movement, so that it rises a little or far above it, and falls
/// below it again soon or late.
fn move_around_a_level(run: &mut Run, rng: &mut Rng) -> bool {
    let name = ACCOUNTS[rng.usize(0..ACCOUNTS_PREPARED)];
    let known = {
        let tables = run.world().ledger.tables();
        let account = tables.accounts().find(|account| account.id.as_str() == name);
        account.map(|account| {
            (account.balance.get(), account.auto_top_up.as_ref().map(|settings| settings.threshold.get()))
        })
    };
    let Some((mut balance, threshold)) = known.filter(|(balance, _)| *balance > 60) else { return false };
    let mut level = balance + [-5, 5][rng.usize(0..2)];
    // A top-up becomes due, and no sweep comes.
    let above = threshold.filter(|threshold| rng.u32(0..3) == 0 && *threshold <= balance);
    if let Some(minutes) = above
        .map(|threshold| (balance - threshold) / 10 + 1)
        .filter(|minutes| minutes * 10 < balance && *minutes <= MINUTES_MAX)
    {
        run.run_now(names::charge(name, rng.u32(100_000..u32::MAX), minutes));
        balance -= minutes * 10;
        level = balance + 5;
    }
    run.run_now(Request::SetAlerts(names::account(name), names::levels(vec![names::level(level, true)])));
    if above.is_some() {
        run.world().ledger.tables().catch_up(usize::MAX);
        run.run_now(Request::EvaluateAlerts);
        run.pass(SignedDuration::from_mins(61));
    }
    for _ in 0..rng.usize(3..8) {
        run.world().ledger.tables().catch_up(usize::MAX);
        run.run_now(Request::EvaluateAlerts);
        let number = rng.u32(100_000..u32::MAX);
        match rng.u32(0..7) {
            0..3 => run.run_now(names::charge(name, number, 1)),
            3 => run.run_now(names::adjust(name, number, 10, false)),
            4 => run.run_now(names::adjust(name, number, level / 5 + 20, false)),
            5 => run.pass(SignedDuration::from_mins(61)),
            _ => run.pass(SignedDuration::from_mins(361)),
        }
    }
    true
}

fn deliver_notice(run: &mut Run, rng: &mut Rng) -> bool {
    let Some((account, notice)) = rng.choice(run.owed()) else { return false };
    if run.is_being_sent(&notice) {
        return false;
    }
    run.start(Request::Notice(account, notice));
    true
}

/// Fires a timer, occasionally one that has fired before.
fn wake(run: &mut Run, rng: &mut Rng) -> bool {
    let (set, gone_off) = {
        let alarms = run.world().alarms();
        (alarms.set.len(), alarms.gone_off.clone())
    };
    if set > 0 && rng.u32(0..4) > 0 {
        let Some(part) = run.wake(rng.usize(0..set)) else { return false };
        run.start(part);
        return true;
    }
    let Some(timer) = rng.choice(gone_off) else { return false };
    let Wake::ContinueSweep(part) = timer.wake;
    // Occasionally so late that the sweep's own time is nearly over.
    let nearly_over = part.ends_at() - SignedDuration::from_millis(rng.i64(0..20_000));
    let wait = nearly_over.duration_since(run.world().time());
    if rng.bool() && wait.is_positive() {
        run.pass(wait);
        run.world().desk().sweep_time = SignedDuration::from_millis(12);
    }
    run.start(Request::Sweep(Some(part)));
    true
}

/// While some requests wait, another one on the same subject runs to its end.
fn overtake(run: &mut Run, rng: &mut Rng) -> bool {
    if rng.bool() {
        if rng.u32(0..4) == 0 {
            let card = names::card(rng.u32(1..6));
            choose_card(run, rng, &card);
        } else {
            customer(run, rng);
        }
        for event in run.undelivered() {
            run.run_now(event);
        }
        return true;
    }
    let open: Vec<_> = {
        let tables = run.world().ledger.tables();
        tables.accounts().filter(|account| account.open_top_up.is_some()).map(|account| account.id.clone()).collect()
    };
    let Some(account) = rng.choice(open) else { return false };
    run.world().ledger.tables().catch_up(usize::MAX);
    if rng.bool() {
        run.run_now(Request::Sweep(None));
    } else {
        // Top-ups are off for a moment, and meanwhile the open attempt is closed.
        run.run_now(Request::SetAutoTopUp(account.clone(), AutoTopUpCommand::Off { changed_by: None }));
        run.run_now(Request::Sweep(None));
        let settings = settings(run, rng, &account);
        run.run_now(Request::SetAutoTopUp(account, settings));
    }
    true
}

/// While a sweep works on an attempt, perhaps one whose invoice Stripe creates although it answers 500, top-ups are turned
/// off and another sweep closes the attempt. Then the first one goes on.
fn close_beside_a_sweep(run: &mut Run, rng: &mut Rng) -> bool {
    let due = {
        let (tables, now) = (run.world().ledger.tables(), run.world().time());
        let due = tables.accounts().filter(|account| account.top_up_due_at().is_some_and(|due_at| due_at <= now));
        rng.choice(due.map(|account| account.id.clone()).collect::<Vec<_>>())
    };
    let Some(account) = due else { return false };
    run.world().ledger.tables().catch_up(usize::MAX);
    if rng.bool() {
        run.world().stripe().next_failure = Some(Failure::AfterEffect);
    }
    let task = run.start(Request::Sweep(None));
    for _ in 0..rng.usize(0..SWEEP_CALLS) {
        resume_task(run, task);
    }
    run.run_now(Request::SetAutoTopUp(account.clone(), AutoTopUpCommand::Off { changed_by: None }));
    run.run_now(Request::Sweep(None));
    let settings = settings(run, rng, &account);
    run.run_now(Request::SetAutoTopUp(account, settings));
    true
}

/// Days pass until something is due of an unpaid attempt, or a few more. While the run over them works, another one
/// overtakes it, or the customer pays.
fn follow_up(run: &mut Run, rng: &mut Rng) -> bool {
    let due_at = {
        let mut tables = run.world().ledger.tables();
        tables.catch_up(usize::MAX);
        tables.due_unpaid.values().min().copied()
    };
    let Some(due_at) = due_at else { return false };
    let late = SignedDuration::from_hours(24 * [0, 0, 0, 2, 6, 29][rng.usize(0..6)]);
    run.pass((due_at.duration_since(run.world().time()) + late).max(SignedDuration::ZERO));
    let task = run.start(Request::FollowUp);
    for _ in 0..rng.usize(0..FOLLOW_UP_CALLS) {
        resume_task(run, task);
    }
    match rng.u32(0..3) {
        0 => run.run_now(Request::FollowUp),
        1 => drop(pay_meanwhile(run, rng)),
        _ => {}
    }
    if rng.bool() {
        while resume_task(run, task) {}
    }
    true
}

/// Lets a task go on by one call. Whether it waited for one.
pub fn resume_task(run: &mut Run, task: u32) -> bool {
    let position = run.world().desk().gates.iter().position(|gate| gate.task == task);
    let Some(position) = position else { return false };
    run.resume(position, Fate::Works);
    true
}

/// The customer of a paused account asks to pay now or resumes, under a new key or an old one, often while another request
/// is under way or the invoice is paid on its page.
fn leave_pause(run: &mut Run, rng: &mut Rng) -> bool {
    let paused: Vec<_> = {
        let tables = run.world().ledger.tables();
        let is_paused = |account: &&Account| account.payment_issue.is_some() || account.reversal_pause.is_some();
        tables.accounts().filter(is_paused).map(|account| account.id.clone()).collect()
    };
    let Some(account) = rng.choice(paused) else { return false };
    let card = names::card(rng.u32(1..6));
    match rng.u32(0..12) {
        0 => {
            run.world().stripe().set_mood(&card, Mood::Pays);
            run.world().tell(|| format!("{card} from now on: {:?}", Mood::Pays));
        }
        1 => {
            let is_expired = rng.u32(0..3) > 0;
            run.world().stripe().set_expired(&card, is_expired);
            run.world().tell(|| format!("{card} is expired: {is_expired}"));
        }
        _ => {}
    }
    let request = match rng.u32(0..8) {
        0..3 => {
            run.keys += 1;
            names::retry(account.as_str(), run.keys, None)
        }
        3 => {
            run.keys += 1;
            names::retry(account.as_str(), run.keys, Some(rng.u32(1..6)))
        }
        4 => {
            let known: Vec<_> = {
                let tables = run.world().ledger.tables();
                let partition = tables.partitions.get(&account);
                partition.into_iter().flat_map(|partition| partition.retries.values().cloned()).collect()
            };
            let Some(known) = rng.choice(known) else { return false };
            let card = if rng.u32(0..4) == 0 { Some(card.clone()) } else { known.named };
            Request::Retry(account.clone(), RetryCommand { key: known.key, card })
        }
        _ => Request::Resume(account.clone()),
    };
    if matches!(request, Request::Retry(..)) && rng.u32(0..6) == 0 {
        retry_unheard(run, rng, &request);
        return true;
    }
    let task = run.start(request.clone());
    match rng.u32(0..6) {
        // It is answered at once.
        0 => run.run_now(request),
        choice @ 1..4 => {
            // Some calls later, the customer pays on the page.
            for _ in 0..rng.usize(0..EVENT_CALLS) {
                resume_task(run, task);
            }
            if choice == 1 {
                pay_meanwhile(run, rng);
            } else {
                pay_what_is_open(run, &account, &card);
            }
        }
        _ => {}
    }
    true
}

/// No answer of the bank's arrives, and the customer asks again, at once or a day later.
fn retry_unheard(run: &mut Run, rng: &mut Rng, request: &Request) {
    run.world().desk().is_retry_unheard = true;
    run.run_now(request.clone());
    run.world().desk().is_retry_unheard = false;
    if rng.bool() {
        run.pass(SignedDuration::from_hours(25));
    }
    run.run_now(request.clone());
}

/// The customer pays the open invoice of an account on its page, with a card that works.
fn pay_what_is_open(run: &Run, account: &AccountId, card: &PaymentMethodId) {
    let mut stripe = run.world().stripe();
    let Some(position) = stripe.invoices.iter().position(|invoice| invoice.account == *account && invoice.is_payable())
    else {
        return;
    };
    stripe.set_mood(card, Mood::Pays);
    let is_paid = stripe.invoice_pay_by_customer(position, card);
    drop(stripe);
    run.world().tell(|| format!("the customer of {account} pays with {card}: {is_paid:?}"));
}

/// A customer pays an invoice that the bank has refused, and charges while Stripe's event is being applied.
fn pay_meanwhile(run: &mut Run, rng: &mut Rng) -> bool {
    let card = names::card(rng.u32(1..6));
    let (account, line) = {
        let mut stripe = run.world().stripe();
        let is_refused = |at: &usize| {
            let invoice = &stripe.invoices[*at];
            invoice.is_payable() && invoice.last_answer.is_some() && !invoice.is_processing()
        };
        let Some(position) = rng.choice((0..stripe.invoices.len()).filter(is_refused).collect::<Vec<_>>()) else {
            return false;
        };
        let is_paid = stripe.invoice_pay_by_customer(position, &card);
        let invoice = &stripe.invoices[position];
        (invoice.account.clone(), format!("a customer pays {} with {card} and charges: {is_paid:?}", invoice.id))
    };
    run.world().tell(|| line);
    if let Some(event) = run.undelivered().pop() {
        let task = run.start(event);
        for _ in 0..rng.usize(0..EVENT_CALLS) {
            resume_task(run, task);
        }
    }
    run.keys += 1;
    run.run_now(names::charge(account.as_str(), run.keys, 1));
    true
}

/// An action of a customer or of the company at Stripe.
fn customer(run: &mut Run, rng: &mut Rng) -> bool {
    let card = names::card(rng.u32(1..6));
    let has_invoice = run.world().stripe().invoices.iter().any(|invoice| invoice.status == InvoiceStatus::Open);
    let line = match rng.u32(if has_invoice { 2..14 } else { 0..13 }) {
        0..3 => {
            let open = known_pages(run);
            let Some(position) = rng.choice(&open).copied() else { return false };
            if rng.u32(0..4) == 0 {
                let now = run.world().time();
                run.world().stripe().session_debit(position, &card, now);
                format!("a customer completes page {position} by a debit from {card}")
            } else if rng.u32(0..8) == 0 {
                let is_paid = run.world().stripe().session_pay_in_euros(position, &card);
                format!("a customer pays page {position} in euros: {is_paid}")
            } else {
                let is_paid = run.world().stripe().session_pay(position, &card);
                format!("a customer pays page {position} with {card}: {is_paid}")
            }
        }
        3..6 => {
            let mut stripe = run.world().stripe();
            let open = (0..stripe.invoices.len()).filter(|at| stripe.invoices[*at].is_payable());
            let Some(position) = rng.choice(open.collect::<Vec<_>>()) else { return false };
            let is_paid = stripe.invoice_pay_by_customer(position, &card);
            format!("a customer pays {} with {card}: {is_paid:?}", stripe.invoices[position].id)
        }
        6 => {
            let mut stripe = run.world().stripe();
            let open = stripe.invoices.iter().filter(|invoice| invoice.status == InvoiceStatus::Open);
            let open: Vec<_> = open.map(|invoice| invoice.id.clone()).collect();
            let Some(invoice) = rng.choice(open) else { return false };
            stripe.invoice_void(&invoice);
            format!("support voids {invoice}")
        }
        9 if has_invoice => {
            let mut stripe = run.world().stripe();
            let open = (0..stripe.invoices.len()).filter(|at| stripe.invoices[*at].is_payable());
            let Some(position) = rng.choice(open.collect::<Vec<_>>()) else { return false };
            let cents = if rng.bool() { i64::MAX } else { rng.i64(1..1_000) };
            stripe.invoice_credit(position, cents);
            let invoice = &stripe.invoices[position];
            format!("support credits {} of {}", invoice.credited, invoice.id)
        }
        13 if has_invoice => return refuse(run, rng),
        9 if rng.bool() => return refuse(run, rng),
        10 => {
            let Some(customer) = choose_customer(run, rng) else { return false };
            let cents = rng.i64(1..3_000);
            run.world().stripe().give_balance(&customer, cents);
            format!("support gives {customer} {cents} cents for its next invoices")
        }
        7 => {
            let Some(customer) = choose_card(run, rng, &card) else { return false };
            format!("{customer} chooses {card}")
        }
        11 => {
            let failure = if rng.bool() { Failure::BeforeEffect } else { Failure::AfterEffect };
            run.world().stripe().next_failure = Some(failure);
            format!("Stripe answers 500 to the next creation: {failure:?}")
        }
        12 => {
            run.world().stripe().deployments += 1;
            "a deployment changes where pages lead back to".to_owned()
        }
        _ => {
            let mood = [Mood::Pays, Mood::Declines, Mood::AsksForConfirmation, Mood::TakesDays][rng.usize(0..4)];
            run.world().stripe().set_mood(&card, mood);
            format!("{card} from now on: {mood:?}")
        }
    };
    run.world().tell(|| line);
    true
}

/// Stripe accepts no more payments from a customer, or accepts them again.
///
/// A person lifts a refusal after the customer was told of it, which takes longer than a process lives. If it were lifted
/// while a slow process still works, that process could finalize an invoice of an attempt that has ended.
fn refuse(run: &mut Run, rng: &mut Rng) -> bool {
    let Some(customer) = choose_customer(run, rng) else { return false };
    let reasons = [
        RefusalReason::CustomerDeleted,
        RefusalReason::OtherCurrency,
        RefusalReason::NoTaxLocation,
        RefusalReason::OtherPrice,
        RefusalReason::AboveConsent,
    ];
    let reason = rng.bool().then(|| reasons[rng.usize(0..reasons.len())]);
    if run.is_at_work() && run.world().stripe().is_refused(&customer) {
        return false;
    }
    let line = format!("{customer} is refused from now on: {reason:?}");
    run.world().stripe().refuse(customer, reason);
    run.world().tell(|| line);
    true
}

/// A customer chooses a default card.
fn choose_card(run: &Run, rng: &mut Rng, card: &PaymentMethodId) -> Option<CustomerId> {
    let customer = choose_customer(run, rng)?;
    let now = run.world().time();
    run.world().stripe().choose_default_card(&customer, card, now);
    Some(customer)
}

fn choose_customer(run: &Run, rng: &mut Rng) -> Option<CustomerId> {
    let tables = run.world().ledger.tables();
    let customers: Vec<_> = tables.accounts().map(|account| account.customer.clone()).collect();
    rng.choice(customers)
}

/// The open payment pages whose URLs customers can know.
fn known_pages(run: &Run) -> Vec<usize> {
    let tables = run.world().ledger.tables();
    let purchases = tables.partitions.values().flat_map(|partition| partition.purchases.values());
    let known: Vec<_> = purchases.filter_map(|purchase| purchase.checkout.as_ref()).collect();
    let stripe = run.world().stripe();
    let is_open = |at: &usize| {
        let session = &stripe.sessions[*at];
        session.status == SessionStatus::Open && known.iter().any(|checkout| checkout.session == session.id)
    };
    (0..stripe.sessions.len()).filter(is_open).collect()
}

fn pass(run: &mut Run, rng: &mut Rng) -> bool {
    let minutes = [20, 60, 180, 359, 360, 361, 420, 720, 1_199, 1_200, 1_440, 2_000];
    run.pass(SignedDuration::from_mins(minutes[rng.usize(0..minutes.len())]));
    true
}

fn switch_stripe(run: &mut Run) -> bool {
    let is_down = {
        let mut desk = run.world().desk();
        desk.is_stripe_down = !desk.is_stripe_down;
        desk.is_stripe_down
    };
    run.world().tell(|| format!("Stripe is {}", if is_down { "down" } else { "up" }));
    true
}
