//! Limits on what an account or one of its spenders may spend per day, per month (UTC) or in all.
//!
//! A limit counts from when it is set. Its counter is written in the transaction of each charge that it counts, so it
//! is exact however many charges run at once. Whether a charge was counted is decided by its `seq` and not by a clock,
//! because numbers have no ties and never run backwards.

use super::records::{Bounds, LimitName, Limits, SpenderLimits};
use crate::domain::calendar::{start_of_next_day, start_of_next_month};
use crate::domain::{Account, Change, Credits, Record, Spender};
use jiff::Timestamp;
use jiff::civil::Date;

/// A charge would take more than a limit leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operation costs {required} credits, the limit {} leaves {left}", limit.name())]
pub struct LimitReached {
    pub limit: LimitName,
    pub required: Credits,
    pub left: Credits,
    pub max: Credits,
    /// When the next period starts. `None` for a limit in all.
    pub starts_again_at: Option<Timestamp>,
}

/// Who pays for charges: the account, with the limits of the charges' spenders, as far as they have any.
#[derive(Clone, Copy, Debug)]
pub struct Payer<'a> {
    pub account: &'a Account,
    /// At most one for each spender.
    pub limits: &'a [SpenderLimits],
}

impl Payer<'_> {
    /// With the limits of one charge's spender alone.
    pub(in crate::domain) fn narrowed_to(self, spender: Option<&Spender>) -> Self {
        let is_of = |limits: &&SpenderLimits| Some(&limits.spender) == spender;
        let limits = self.limits.iter().find(is_of).map_or(&[][..], std::slice::from_ref);
        Self { limits, ..self }
    }
}

impl<'a> From<&'a Account> for Payer<'a> {
    /// An account without spenders that have limits.
    fn from(account: &'a Account) -> Self {
        Self { account, limits: &[] }
    }
}

/// The counters against which a charge counts, at the instant of the charge.
pub(in crate::domain) struct Counters {
    account: Limits,
    spender: Option<SpenderLimits>,
    today: Date,
}

impl Counters {
    pub(in crate::domain) fn at(payer: Payer<'_>, now: Timestamp) -> Self {
        let Payer { account, limits } = payer;
        Self {
            account: account.limits_at(now),
            spender: limits.first().map(|limits| limits.at(now, account.seq)),
            today: account.limits_day(now),
        }
    }

    /// # Errors
    /// The first limit, in order of precedence, that leaves less than this.
    pub(in crate::domain) fn check(&self, required: Credits) -> Result<(), LimitReached> {
        let (spender, spender_day) = match &self.spender {
            Some(spender) => (spender.limits, spender.date),
            None => (Limits::default(), self.today),
        };
        let reached = [
            (LimitName::SpenderTotal, spender.total, None),
            (LimitName::AccountMonth, self.account.month, start_of_next_month(self.today)),
            (LimitName::SpenderMonth, spender.month, start_of_next_month(spender_day)),
            (LimitName::AccountDay, self.account.day, start_of_next_day(self.today)),
            (LimitName::SpenderDay, spender.day, start_of_next_day(spender_day)),
        ]
        .into_iter()
        .find_map(|(limit, bound, starts_again_at)| {
            let (left, max) = (bound?.left(), bound?.max);
            (left < required).then_some(LimitReached { limit, required, left, max, starts_again_at })
        });
        reached.map_or(Ok(()), Err)
    }

    /// Counts a charge that `change` posts.
    pub(in crate::domain) fn count(self, credits: Credits, change: &mut Change) {
        change.account.limits.each().for_each(|limit| limit.count(credits));
        if let Some(mut spender) = self.spender {
            spender.limits.each().for_each(|limit| limit.count(credits));
            change.records.push(Record::SpenderLimits(spender));
        }
    }
}

/// Gives credits of a charge back to the limits that counted it, if their period has not ended since. `change` is the
/// one that gives the credits back to the account; `known` are the limits before it. A charge is its `seq`, its spender
/// and the credits.
pub(in crate::domain) fn give_back(
    change: &mut Change,
    known: &[SpenderLimits],
    (seq, spender, credits): (u64, Option<&Spender>, Credits),
    now: Timestamp,
) {
    change.account.limits.each().for_each(|limit| limit.give_back(seq, credits));
    let Some(spender) = spender else { return };
    let is_of = |limits: &&SpenderLimits| limits.spender == *spender;
    // Another charge of this change may have been given back to the same limits.
    let Some(known) = change.all_spender_limits().find(is_of).or_else(|| known.iter().find(is_of)) else { return };
    let known = known.at(now, change.account.seq);
    let mut limits = known.clone();
    limits.limits.each().for_each(|limit| limit.give_back(seq, credits));
    if limits != known {
        change.records.retain(|record| !matches!(record, Record::SpenderLimits(other) if other.spender == *spender));
        change.records.push(Record::SpenderLimits(limits));
    }
}

/// Sets the account's own limits. `None` if they are as they were.
pub fn decide_account_limits(
    account: &Account,
    day: Option<Credits>,
    month: Option<Credits>,
    now: Timestamp,
) -> Option<Change> {
    let bounds = Bounds { day, month, total: None };
    if account.limits.bounds() == bounds {
        return None;
    }
    let mut change = Change::on(account, now);
    let limits = change.account.limits.revised(bounds, account.seq);
    change.account.set_limits(limits, now);
    Some(change)
}

/// Sets the limits of a spender, of whom `known` is stored. `None` if they are as they were.
pub fn decide_spender_limits(
    account: &Account,
    (spender, known): (&Spender, Option<&SpenderLimits>),
    bounds: Bounds,
    now: Timestamp,
) -> Option<Change> {
    let known = known.map(|known| known.at(now, account.seq));
    let today = account.limits_day(now);
    let (date, limits) = known.as_ref().map_or((today, Limits::default()), |known| (known.date, known.limits));
    if limits.bounds() == bounds {
        return None;
    }
    let limits = limits.revised(bounds, account.seq);
    let mut change = Change::on(account, now);
    let others = account.limited_spenders.saturating_sub(u32::from(known.is_some()));
    change.account.limited_spenders = others.saturating_add(u32::from(!limits.is_none()));
    change.records.push(if limits.is_none() {
        Record::SpenderUnlimited(spender.clone())
    } else {
        Record::SpenderLimits(SpenderLimits { spender: spender.clone(), date, limits })
    });
    Some(change)
}

#[cfg(test)]
mod tests {
    use super::super::records::Limit;
    use super::*;
    use crate::domain::Measure;
    use crate::domain::calendar::date_of;
    use crate::domain::charging::{
        ChargeCommand, ChargeRefusal, ExpiresIn, decide_capture, decide_charge, decide_expiry, decide_restore,
    };
    use crate::domain::samples::*;
    use crate::domain::{Entry, PriceBook};

    fn credits(credits: i64) -> Credits {
        Credits::constant(credits)
    }

    fn spender() -> Spender {
        Spender::parse("key-1").unwrap()
    }

    fn spender_with(limits: Limits) -> SpenderLimits {
        SpenderLimits { spender: spender(), date: date_of(at(0)), limits }
    }

    fn account_with(limits: Limits) -> Account {
        let limits_date = (!limits.is_none()).then(|| date_of(at(0)));
        Account { balance: credits(10_000), seq: 7, limits, limits_date, ..account() }
    }

    fn bounds(day: Option<i64>, month: Option<i64>, total: Option<i64>) -> Bounds {
        Bounds { day: day.map(credits), month: month.map(credits), total: total.map(credits) }
    }

    /// Ten credits, for the spender.
    fn command(key_text: &str) -> ChargeCommand {
        let mut command = charge_command(key_text, "training", 1);
        command.request.spender = Some(spender());
        command
    }

    fn charge(account: &Account, known: Option<&SpenderLimits>, now: Timestamp) -> Result<Change, ChargeRefusal> {
        let payer = Payer { account, limits: known.map_or(&[], std::slice::from_ref) };
        decide_charge(payer, &PriceBook::reference(), &command("job"), now)
    }

    fn used(limits: Limits) -> [Option<i64>; 3] {
        [limits.day, limits.month, limits.total].map(|limit| limit.map(|limit| limit.used.get()))
    }

    fn of_spender(change: &Change) -> SpenderLimits {
        change.spender_limits().unwrap().clone()
    }

    /// In order of precedence: the limit that holds longest comes first, and of two for the same time the account's.
    #[test]
    fn the_limit_that_holds_longest_is_named() {
        let (full, free) = (Some((100, 91)), Some((100, 90)));
        let (tomorrow, next_month) = (Some(at(86_400)), Some(at(31 * 86_400)));
        for (account, spender, expected) in [
            ([full, full, None], [full, full, full], Some((LimitName::SpenderTotal, None))),
            ([full, full, None], [full, full, free], Some((LimitName::AccountMonth, next_month))),
            ([full, free, None], [full, full, free], Some((LimitName::SpenderMonth, next_month))),
            ([full, free, None], [full, free, free], Some((LimitName::AccountDay, tomorrow))),
            ([free, free, None], [full, free, free], Some((LimitName::SpenderDay, tomorrow))),
            ([free, free, None], [free, free, free], None),
            ([None, None, None], [None, None, None], None),
            ([Some((0, 0)), None, None], [None, None, None], Some((LimitName::AccountDay, tomorrow))),
        ] {
            let (account, spender) = (account_with(limits(account)), spender_with(limits(spender)));
            let reached = match charge(&account, Some(&spender), at(86_399)) {
                Ok(_) => None,
                Err(ChargeRefusal::LimitReached(reached)) => {
                    assert_eq!((reached.required, reached.left.get() < 10), (credits(10), true));
                    Some((reached.limit, reached.starts_again_at))
                }
                Err(other) => panic!("{other}"),
            };
            assert_eq!(reached, expected);
        }
    }

    #[test]
    fn a_charge_counts_against_every_limit_in_its_own_change() {
        let account = account_with(limits([Some((100, 1)), Some((100, 2)), None]));
        let spender = spender_with(limits([Some((100, 3)), None, Some((100, 4))]));
        let change = charge(&account, Some(&spender), at(1)).unwrap();
        assert_eq!(used(change.account.limits), [Some(11), Some(12), None]);
        assert_eq!(used(of_spender(&change).limits), [Some(13), None, Some(14)]);
        let change = charge(&account, None, at(1)).unwrap();
        assert!(change.records.is_empty(), "without limits, a spender costs no item");
    }

    #[test]
    fn a_period_starts_again_at_midnight_and_never_twice() {
        let (account, spender) = (
            account_with(limits([Some((10, 10)), Some((20, 10)), None])),
            spender_with(limits([Some((10, 10)), Some((30, 10)), Some((30, 10))])),
        );
        assert!(charge(&account, Some(&spender), at(86_399)).is_err(), "the day is not over");
        let next_day = charge(&account, Some(&spender), at(86_400)).unwrap();
        let spender = of_spender(&next_day);
        assert_eq!(used(next_day.account.limits), [Some(10), Some(20), None]);
        assert_eq!(used(spender.limits), [Some(10), Some(20), Some(20)]);
        assert_eq!(next_day.account.limits.day.unwrap().after_seq, 7, "only the new charge counts");
        assert!(charge(&next_day.account, Some(&spender), at(86_399)).is_err(), "a clock that runs behind");
        let next_month = charge(&next_day.account, Some(&spender), at(31 * 86_400)).unwrap();
        assert_eq!(used(next_month.account.limits), [Some(10), Some(10), None]);
        assert_eq!(used(of_spender(&next_month).limits), [Some(10), Some(10), Some(30)], "in all never starts again");
        let a_year_later = Account { limits_date: next_day.account.limits_date, ..next_day.account };
        assert_eq!(used(a_year_later.limits_at(at(365 * 86_400))), [Some(0), Some(0), None], "the same month's number");
    }

    #[test]
    fn a_restore_gives_back_what_was_counted_in_this_period_and_nothing_else() {
        let account = account_with(limits([Some((100, 0)), Some((100, 0)), None]));
        let known = spender_with(limits([Some((100, 0)), None, Some((100, 0))]));
        let charged = charge(&account, Some(&known), at(0)).unwrap();
        let (entry, spender) = (only_entry(&charged), of_spender(&charged));

        let same_day = decide_restore(
            Payer { account: &charged.account, limits: std::slice::from_ref(&spender) },
            &entry,
            None,
            at(1),
        )
        .unwrap();
        assert_eq!(used(same_day.account.limits), [Some(0), Some(0), None]);
        assert_eq!(used(of_spender(&same_day).limits), [Some(0), None, Some(0)]);

        let again = charge(&charged.account, Some(&spender), at(86_400)).unwrap();
        let spender = of_spender(&again);
        let next_day = decide_restore(
            Payer { account: &again.account, limits: std::slice::from_ref(&spender) },
            &entry,
            None,
            at(86_401),
        )
        .unwrap();
        assert_eq!(used(next_day.account.limits), [Some(10), Some(10), None], "yesterday's limit is not today's");
        assert_eq!(used(of_spender(&next_day).limits), [Some(10), None, Some(10)]);

        let uncounted = Entry { seq: 0, ..entry };
        let spent = Account { limits: limits([Some((100, 5)), None, None]), ..charged.account };
        let before =
            decide_restore(Payer { account: &spent, limits: std::slice::from_ref(&spender) }, &uncounted, None, at(1))
                .unwrap();
        assert_eq!(used(before.account.limits), [Some(5), None, None], "a charge from before the limit was set");
        assert!(before.records.iter().all(|record| !matches!(record, Record::SpenderLimits(_))), "nothing to write");
    }

    /// Of three pending charges of 100 credits one is captured for 50, and two expire in one change.
    #[test]
    fn what_pending_charges_give_back_is_given_back_to_the_limits_too() {
        let mut account = account_with(limits([Some((1_000, 0)), None, None]));
        let mut known = spender_with(limits([None, None, Some((1_000, 0))]));
        let mut charges = vec![];
        for name in ["a", "b", "c"] {
            let mut command = charge_command(name, "training", 10);
            command.request.spender = Some(spender());
            command.request.expires_in = ExpiresIn::new(60).ok();
            let payer = Payer { account: &account, limits: std::slice::from_ref(&known) };
            let change = decide_charge(payer, &PriceBook::reference(), &command, at(0)).unwrap();
            charges.push(change.pending_charge().unwrap().clone());
            known = of_spender(&change);
            account = change.account;
        }
        assert_eq!((used(account.limits)[0], used(known.limits)[2]), (Some(300), Some(300)));
        let payer = Payer { account: &account, limits: std::slice::from_ref(&known) };
        let captured = decide_capture(payer, &charges[0], Some((Measure::MaxMinutes, 5)), at(1)).unwrap().unwrap();
        assert_eq!((used(captured.account.limits)[0], used(of_spender(&captured).limits)[2]), (Some(250), Some(250)));
        let known = of_spender(&captured);
        let payer = Payer { account: &captured.account, limits: std::slice::from_ref(&known) };
        let expired = decide_expiry(payer, &charges[1..], at(60)).unwrap().unwrap();
        assert_eq!((used(expired.account.limits)[0], used(of_spender(&expired).limits)[2]), (Some(50), Some(50)));
        assert_eq!(expired.all_spender_limits().count(), 1, "one item, however many charges");
    }

    #[test]
    fn a_limit_counts_from_when_it_is_set_and_keeps_counting_when_it_is_changed() {
        let spent = Account { seq: 3, ..account_with(Limits::default()) };
        let set = decide_account_limits(&spent, Some(credits(20)), None, at(1)).unwrap().account;
        assert_eq!(set.limits.day, Some(Limit { max: credits(20), used: credits(0), after_seq: 3 }));
        let charged = charge(&set, None, at(2)).unwrap().account;
        let raised = decide_account_limits(&charged, Some(credits(15)), Some(credits(5)), at(3)).unwrap().account;
        assert_eq!(used(raised.limits), [Some(10), Some(0), None]);
        assert_eq!(decide_account_limits(&raised, Some(credits(15)), Some(credits(5)), at(3)), None);
        let removed = decide_account_limits(&raised, None, None, at(4)).unwrap().account;
        assert_eq!(removed.limits, Limits::default());
        let lowered = Limit { max: credits(5), used: credits(10), after_seq: 0 };
        assert_eq!(lowered.left(), credits(0), "never less than nothing");
    }

    #[test]
    fn spenders_with_limits_are_counted_so_that_others_are_not_looked_for() {
        let spender = spender();
        let none = decide_spender_limits(&account(), (&spender, None), bounds(None, None, None), at(1));
        assert_eq!(none, None);
        let set = decide_spender_limits(&account(), (&spender, None), bounds(Some(1), None, Some(2)), at(1)).unwrap();
        assert_eq!(set.account.limited_spenders, 1);
        let known = of_spender(&set);
        let same = decide_spender_limits(&set.account, (&spender, Some(&known)), bounds(Some(1), None, Some(2)), at(2));
        assert_eq!(same, None);
        let changed = decide_spender_limits(&set.account, (&spender, Some(&known)), bounds(Some(5), None, None), at(2));
        assert_eq!(changed.unwrap().account.limited_spenders, 1);
        let removed = decide_spender_limits(&set.account, (&spender, Some(&known)), bounds(None, None, None), at(2));
        let removed = removed.unwrap();
        assert_eq!((removed.account.limited_spenders, removed.records), (0, vec![Record::SpenderUnlimited(spender)]));
    }
}
