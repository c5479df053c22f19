//! The rules of stops and limits: what counts against each limit is added up from the entries, independently of the
//! counters that the product keeps.

use crate::ledger::Committed;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use shared::domain::spending::Limit;
use shared::domain::{Account, AccountId, Cause, Entry, Limits, Record, Spender, SpenderLimits};
use std::collections::BTreeMap;

/// Everything that was ever charged, and the limits in force.
#[derive(Default)]
pub struct Spent {
    accounts: BTreeMap<AccountId, AccountSpent>,
}

#[derive(Default)]
struct AccountSpent {
    charges: Vec<Charged>,
    since: Since,
    spenders: BTreeMap<Spender, (SpenderLimits, Since)>,
}

struct Charged {
    seq: u64,
    day: Date,
    key: String,
    spender: Option<Spender>,
    credits: i64,
    /// What was given back, and when.
    returned: Vec<(Date, i64)>,
}

/// The account's `seq` when each limit was set.
#[derive(Clone, Copy, Default)]
struct Since {
    day: u64,
    month: u64,
    total: u64,
}

impl Since {
    /// A limit that was there before counts as before.
    fn after(self, before: Limits, now: Limits, seq: u64) -> Self {
        let since = |known: u64, before: Option<Limit>, now: Option<Limit>| {
            if before.is_none() && now.is_some() { seq } else { known }
        };
        Self {
            day: since(self.day, before.day, now.day),
            month: since(self.month, before.month, now.month),
            total: since(self.total, before.total, now.total),
        }
    }
}

fn date(instant: Timestamp) -> Date {
    instant.to_zoned(TimeZone::UTC).date()
}

impl Spent {
    /// # Errors
    /// The first broken rule.
    pub fn check(&mut self, committed: &Committed) -> Result<(), String> {
        let Committed { before, change, .. } = committed;
        let (account, id) = (&change.account, &change.account.id);
        let seq = before.as_ref().map_or(0, |before| before.seq);
        let spent = self.accounts.entry(id.clone()).or_default();
        let known = before.as_ref().map_or_else(Limits::default, |before| before.limits);
        spent.since = spent.since.after(known, account.limits, seq);
        for record in &change.records {
            match record {
                Record::SpenderLimits(limits) => {
                    let (known, since) = match spent.spenders.get(&limits.spender) {
                        Some((known, since)) => (known.limits, *since),
                        None => (Limits::default(), Since::default()),
                    };
                    let since = since.after(known, limits.limits, seq);
                    spent.spenders.insert(limits.spender.clone(), (limits.clone(), since));
                }
                Record::SpenderUnlimited(spender) => drop(spent.spenders.remove(spender)),
                _ => {}
            }
        }
        if account.closed_at.is_some() {
            // Its limits are being erased, and nothing is charged any more.
            return Ok(());
        }
        if spent.spenders.len() != account.limited_spenders as usize {
            return Err(format!("{id} counts {} spenders with limits", account.limited_spenders));
        }
        for entry in &change.entries {
            spent.take(entry);
            check_stop(before.as_ref(), entry)?;
        }
        spent.check_counters(account)?;
        change.entries.iter().try_for_each(|entry| spent.check_bounds(account, entry))
    }
}

/// Nothing is charged while the customer has stopped it.
fn check_stop(before: Option<&Account>, entry: &Entry) -> Result<(), String> {
    let is_stopped = before.and_then(|before| before.spending).is_some_and(|spending| spending.is_stopped);
    match &entry.cause {
        Cause::Charge { key, .. } if is_stopped => Err(format!("{key} is charged although spending is stopped")),
        _ => Ok(()),
    }
}

impl AccountSpent {
    fn take(&mut self, entry: &Entry) {
        let day = date(entry.created_at);
        match &entry.cause {
            Cause::Charge { key, spender, .. } => self.charges.push(Charged {
                seq: entry.seq,
                day,
                key: key.to_string(),
                spender: spender.clone(),
                credits: entry.credits.negated().get(),
                returned: vec![],
            }),
            Cause::Restore { charge }
            | Cause::Capture { charge, .. }
            | Cause::Void { charge }
            | Cause::Expiry { charge } => {
                let charged = self.charges.iter_mut().find(|charged| charged.key == charge.as_str());
                charged.into_iter().for_each(|charged| charged.returned.push((day, entry.credits.get())));
            }
            Cause::Purchase { .. }
            | Cause::TopUp { .. }
            | Cause::Reversal { .. }
            | Cause::Adjustment { .. }
            | Cause::Import { .. } => {}
        }
    }

    /// What counts: the charges of the period after the limit was set, without what came back within the period.
    fn sum(&self, spender: Option<&Spender>, since: u64, is_in_period: &dyn Fn(Date) -> bool) -> i64 {
        let counts = |charged: &&Charged| {
            charged.seq > since
                && spender.is_none_or(|spender| charged.spender.as_ref() == Some(spender))
                && is_in_period(charged.day)
        };
        let returned = |charged: &Charged| -> i64 {
            charged.returned.iter().filter(|(day, _)| is_in_period(*day)).map(|(_, credits)| credits).sum()
        };
        self.charges.iter().filter(counts).map(|charged| charged.credits - returned(charged)).sum()
    }

    fn check_counters(&self, account: &Account) -> Result<(), String> {
        if account.limits_date.is_some() != (account.limits != Limits::default()) {
            return Err(format!("{} does not know the day of its limits, or has none", account.id));
        }
        if let Some(date) = account.limits_date {
            self.check_limits((None, date), account.limits, self.since)?;
        }
        self.spenders.iter().try_for_each(|(spender, (known, since))| {
            self.check_limits((Some(spender), known.date), known.limits, *since)
        })
    }

    fn check_limits(
        &self,
        (spender, today): (Option<&Spender>, Date),
        limits: Limits,
        since: Since,
    ) -> Result<(), String> {
        let is_same_month = |day: Date| (day.year(), day.month()) == (today.year(), today.month());
        for (limit, spent) in [
            (limits.day, self.sum(spender, since.day, &|day| day == today)),
            (limits.month, self.sum(spender, since.month, &is_same_month)),
            (limits.total, self.sum(spender, since.total, &|_| true)),
        ] {
            let Some(limit) = limit else { continue };
            if limit.used.get() != spent {
                return Err(format!("a limit of {spender:?} counts {} credits, {spent} were spent", limit.used));
            }
        }
        Ok(())
    }

    /// After a charge, no limit that counts it is exceeded. One that was lowered since is exceeded by earlier charges.
    fn check_bounds(&self, account: &Account, entry: &Entry) -> Result<(), String> {
        let Cause::Charge { key, spender, .. } = &entry.cause else { return Ok(()) };
        let of_spender = spender.as_ref().and_then(|spender| self.spenders.get(spender)).map(|(known, _)| known.limits);
        for limits in [Some(account.limits), of_spender].into_iter().flatten() {
            let mut each = [limits.day, limits.month, limits.total].into_iter().flatten();
            if let Some(limit) = each.find(|limit| limit.used > limit.max) {
                return Err(format!("{key} takes {} credits where {} may be spent", limit.used, limit.max));
            }
        }
        Ok(())
    }
}
