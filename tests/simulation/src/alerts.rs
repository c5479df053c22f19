//! The rules of alerts: what each evaluation has to tell, computed from the balances that were evaluated before.

use crate::ledger::{Committed, Partition};
use jiff::{SignedDuration, Timestamp};
use shared::domain::alerts::{AlertLevel, LevelAlert, Watch};
use shared::domain::{Account, AccountId, Change, OutboundEventKind, Record};
use std::collections::BTreeMap;

const GAP: SignedDuration = SignedDuration::from_hours(6);
const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// Between a decision and its commit.
const A_MOMENT: SignedDuration = SignedDuration::from_secs(60);
/// What the cheapest operation costs.
const CHEAPEST: i64 = 10;

/// What is known of each account.
#[derive(Debug, Default)]
pub struct Told(BTreeMap<AccountId, Known>);

#[derive(Debug)]
struct Known {
    levels: BTreeMap<i64, Level>,
    is_exhaustion_armed: bool,
    /// Whether a crossing may have been kept quiet because a top-up was about to cure it.
    has_waited: bool,
    /// Since when.
    quiet_since: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug)]
struct Level {
    is_on: bool,
    is_armed: bool,
    told_at: Option<Timestamp>,
}

impl Default for Known {
    fn default() -> Self {
        Self { levels: BTreeMap::new(), is_exhaustion_armed: true, has_waited: false, quiet_since: None }
    }
}

impl Told {
    /// # Errors
    /// The first broken rule.
    pub fn check(&mut self, committed: &Committed) -> Result<(), String> {
        let Committed { before, change, .. } = committed;
        let account = &change.account;
        let known = self.0.entry(account.id.clone()).or_default();
        if account.closed_at.is_some() && (!low(change).is_empty() || is_exhausted(change)) {
            return Err(format!("{} is closed and told something", account.id));
        }
        let is_watched = account.watch.is_some_and(|watch| watch != Watch::NONE);
        if is_watched && (due_at(change).is_some() || is_done(change)) {
            return known.evaluated(change).map_err(|broken| format!("{}: {broken}", account.id));
        }
        if !low(change).is_empty() || is_exhausted(change) {
            return Err(format!("{} is told something without an evaluation", account.id));
        }
        let before = before.as_ref().and_then(|before| before.watch);
        let is_within = |credits| before.is_some_and(|watch| watch.holds(credits));
        let is_outside = change.entries.iter().any(|entry| !is_within(entry.balance_after));
        if is_outside && (due_at(change).is_none() || is_watched) {
            return Err(format!("the balance of {} leaves its bounds unseen", account.id));
        }
        for record in &change.records {
            if let Record::Alerts(alerts) = record {
                known.choose(&alerts.levels);
            }
        }
        Ok(())
    }
}

impl Known {
    fn choose(&mut self, levels: &[LevelAlert]) {
        let before = std::mem::take(&mut self.levels);
        for alert in levels {
            let level = alert.level.number();
            let kept = before.get(&level).filter(|known| known.is_on && alert.is_on).copied();
            let new = Level { is_on: alert.is_on, is_armed: true, told_at: None };
            self.levels.insert(level, kept.unwrap_or(new));
        }
    }

    fn evaluated(&mut self, change: &Change) -> Result<(), String> {
        let balance = change.account.balance.get();
        for (level, known) in &mut self.levels {
            known.is_armed |= balance >= well_above(*level);
        }
        self.is_exhaustion_armed |= balance >= well_above(CHEAPEST);
        let is_exhausted_now = self.is_exhaustion_armed && balance < CHEAPEST;
        if is_exhausted(change) != is_exhausted_now {
            return Err(format!("exhaustion with {balance} credits: {is_exhausted_now}, which is not what is told"));
        }
        self.is_exhaustion_armed &= !is_exhausted_now;
        let is_crossed = |level: &i64, known: &Level| known.is_on && known.is_armed && balance < *level;
        let crossed = self.levels.iter().filter(|(level, known)| is_crossed(level, known));
        let crossed: Vec<i64> = crossed.map(|(level, _)| *level).collect();
        let told = low(change);
        if change.notices.len() != usize::from(!told.is_empty()) {
            return Err("an e-mail and its event do not come together".into());
        }
        let Some(now) = told_at_of(change) else { return self.stays_quiet(change, &crossed) };
        if let Some(other) = told.iter().find(|level| !crossed.contains(level)) {
            return Err(format!("with {balance} credits, {told:?} are told, and {other} is not crossed"));
        }
        let is_early = |level: &i64| self.may_be_told_at(*level).is_some_and(|at| now < at);
        if told.iter().any(is_early) {
            return Err(format!("{told:?} are told again too soon"));
        }
        let left: Vec<i64> = crossed.iter().filter(|level| !told.contains(level)).copied().collect();
        if !left.iter().all(is_early) {
            return Err(format!("with {balance} credits, {told:?} are told, and {crossed:?} are crossed"));
        }
        if due_at(change) != left.iter().filter_map(|level| self.may_be_told_at(*level)).min() {
            return Err(format!("{left:?} are not told, and not evaluated again in time"));
        }
        if !self.has_waited && is_about_to_be_cured(&change.account, &told, now) {
            return Err(format!("{told:?} are told although a top-up is about to cure it"));
        }
        for level in told {
            if let Some(known) = self.levels.get_mut(&level) {
                (known.is_armed, known.told_at) = (false, Some(now));
            }
        }
        (self.has_waited, self.quiet_since) = (false, None);
        Ok(())
    }

    /// When a level may be told again. `None` if it never was.
    fn may_be_told_at(&self, level: i64) -> Option<Timestamp> {
        self.levels.get(&level)?.told_at.map(|told_at| told_at + GAP)
    }

    /// A crossing is not told only within six hours of its last e-mail, or once for an hour while a top-up may cure it.
    fn stays_quiet(&mut self, change: &Change, crossed: &[i64]) -> Result<(), String> {
        if crossed.is_empty() {
            (self.has_waited, self.quiet_since) = (false, None);
            return Ok(());
        }
        let Some(due_at) = due_at(change) else {
            return Err(format!("{crossed:?} are not told, and not evaluated again"));
        };
        let ends: Vec<_> = crossed.iter().filter_map(|level| self.may_be_told_at(*level)).collect();
        if ends.iter().min() == Some(&due_at) {
            // If there are other levels, they may wait for a top-up, for a time that does not show.
            self.has_waited |= ends.len() < crossed.len() || ends.iter().any(|end| *end != due_at);
            return Ok(());
        }
        let since = due_at - HOUR;
        if *self.quiet_since.get_or_insert(since) != since {
            return Err(format!("{crossed:?} are put off again"));
        }
        self.has_waited = true;
        if !may_be_topped_up(&change.account) {
            return Err(format!("{crossed:?} are not told, and no top-up comes"));
        }
        Ok(())
    }
}

fn well_above(level: i64) -> i64 {
    level + (level + 9) / 10
}

/// The levels that the change tells, the lowest first.
fn low(change: &Change) -> Vec<i64> {
    let levels = change.events.iter().filter_map(|event| match &event.kind {
        OutboundEventKind::CreditsLow { levels, .. } => Some(levels),
        _ => None,
    });
    levels.flatten().copied().map(AlertLevel::number).collect()
}

/// When the levels were told.
fn told_at_of(change: &Change) -> Option<Timestamp> {
    let low = change.events.iter().find(|event| matches!(event.kind, OutboundEventKind::CreditsLow { .. }));
    low.map(|event| event.created_at)
}

/// When the account is evaluated next.
fn due_at(change: &Change) -> Option<Timestamp> {
    change.records.iter().find_map(|record| if let Record::AlertsDue { at } = record { Some(*at) } else { None })
}

fn is_done(change: &Change) -> bool {
    change.records.iter().any(|record| matches!(record, Record::AlertsEvaluated))
}

fn is_exhausted(change: &Change) -> bool {
    change.events.iter().any(|event| matches!(event.kind, OutboundEventKind::CreditsExhausted { .. }))
}

fn may_be_topped_up(account: &Account) -> bool {
    let Some(settings) = account.auto_top_up.as_ref().filter(|settings| settings.is_enabled) else { return false };
    let is_stopped = account.spending.is_some_and(|spending| spending.is_stopped);
    let is_low = account.balance < settings.threshold;
    let is_paused = account.payment_issue.is_some() || account.reversal_pause.is_some();
    let is_possible = is_low && !is_stopped && !is_paused && account.payment_method.is_some();
    is_possible || account.open_top_up.is_some()
}

/// Certainly: there may be other cases.
fn is_about_to_be_cured(account: &Account, crossed: &[i64], now: Timestamp) -> bool {
    let is_early = account.last_top_up_at.is_some_and(|last| now.duration_since(last) < GAP + A_MOMENT);
    // A cap may leave less than what is missing to the target.
    let uncapped = account.auto_top_up.as_ref().filter(|settings| settings.cap.is_none());
    let target = uncapped.map_or(0, |settings| settings.target.get());
    let is_enough = crossed.iter().all(|level| *level <= target) && account.balance.get() >= 0;
    may_be_topped_up(account) && account.open_top_up.is_none() && !is_early && is_enough
}

/// At rest, every balance is within its bounds, and no evaluation is overdue.
///
/// # Errors
/// The broken rule.
pub fn check_at_rest(partition: &Partition, listed: Option<&Timestamp>, now: Timestamp) -> Result<(), String> {
    let Some(account) = &partition.account else { return Ok(()) };
    let (id, due_at) = (&account.id, partition.alerts_due.as_ref());
    if listed != due_at {
        return Err(format!("the alerts of {id} are due at {due_at:?}, not {listed:?}"));
    }
    if due_at.is_some_and(|due_at| *due_at <= now) {
        return Err(format!("the alerts of {id} were due at {due_at:?}, and no run came"));
    }
    let has_bounds = account.watch.is_some_and(|watch| watch != Watch::NONE && watch.holds(account.balance));
    if account.seq > 0 && account.closed_at.is_none() && !has_bounds {
        return Err(format!("the balance of {id} is not within bounds: {:?}", account.watch));
    }
    Ok(())
}
