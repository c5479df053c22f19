//! One customer of the company: the value that every decision starts from and produces.

mod chain;
mod closed;
mod decide;
mod entry;
mod hash;
mod history_filter;
mod restriction;

pub use chain::{Chain, HashedValue};
pub use closed::AccountClosed;
pub use decide::{decide_open_account, decide_payment_method};
pub use entry::{Cause, Entry, Origin};
pub use hash::{EntryHash, ErasedTexts, Link, Salt, TextDigest};
pub use history_filter::HistoryFilter;
pub use restriction::Restriction;

use super::alerts::Watch;
use super::calendar::date_of;
use super::payments::{AutoTopUp, PaymentIssue, ReversalPause};
use super::spending::{Limits, Spending};
use super::{AccountId, Credits, CustomerId, EmailAddress, PaymentMethodId, PriceBook, TopUpId};
use jiff::Timestamp;
use jiff::civil::Date;

/// An account between two changes.
///
/// Only the `decide_…` functions of this crate create the next one; the ledger stores and returns it unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub id: AccountId,
    /// Where notices go. `None` once it was erased.
    pub email: Option<EmailAddress>,
    /// The Stripe customer that pays for this account.
    pub customer: CustomerId,
    pub created_at: Timestamp,
    /// Counts every change, even one without an entry (a setting). The ledger compares it in its conditional write.
    pub version: u64,
    /// The number of entries, which is also the `seq` of the newest one. It has no gaps.
    pub seq: u64,
    /// The sum of all entries.
    pub balance: Credits,
    /// The sum of the credits that pending charges hold. They are not part of the balance any more.
    pub pending: Credits,
    /// `None` until the customer first chooses settings.
    pub auto_top_up: Option<AutoTopUp>,
    /// The saved card that top-ups are paid with.
    pub payment_method: Option<PaymentMethodId>,
    /// When the last attempt was opened, whatever its outcome.
    pub last_top_up_at: Option<Timestamp>,
    /// The attempt whose outcome is not known yet.
    pub open_top_up: Option<TopUpId>,
    /// Why automatic top-ups are paused, if they are.
    pub payment_issue: Option<PaymentIssue>,
    /// Why automatic top-ups are paused although no payment failed, if they are.
    pub reversal_pause: Option<ReversalPause>,
    /// When the account was closed, if it was. Nothing is charged, bought or set any more.
    pub closed_at: Option<Timestamp>,
    /// Why charges are blocked for a time, if they are.
    pub restriction: Option<Restriction>,
    /// The customer's own stop. `None` until the customer first stops spending.
    pub spending: Option<Spending>,
    /// The account's own limits.
    pub limits: Limits,
    /// The day (UTC) to which their counters belong: that of the last change. `None` without limits.
    pub limits_date: Option<Date>,
    /// How many spenders have limits of their own. A charge looks for them only if there are any.
    pub limited_spenders: u32,
    /// How many purchases by invoice are unpaid.
    pub unpaid_invoices: u8,
    /// The bounds of the balance within which no alert is due. `None` in a new account and in one of an earlier release,
    /// until the first movement.
    pub watch: Option<Watch>,
    /// The chain of the entries. `None` in an account of an earlier release until its next change.
    pub chain: Option<Chain>,
}

impl Account {
    /// The time from which a sweep has something to do here: an open attempt to finish, or a new one to open.
    /// `None` if there is neither.
    ///
    /// An account that never had an attempt is due from its creation, which means now.
    pub fn top_up_due_at(&self) -> Option<Timestamp> {
        if self.open_top_up.is_some() {
            return Some(self.last_top_up_at.unwrap_or(self.created_at));
        }
        let settings = self.auto_top_up.as_ref().filter(|settings| settings.is_enabled)?;
        if self.spending_stopped_at().is_some() {
            return None;
        }
        let is_reversed = self.reversal_pause.is_some();
        let is_due = self.balance < settings.threshold && self.payment_issue.is_none() && !is_reversed;
        // A month that the cap closed is over when the next one begins.
        let last = self.last_top_up_at;
        let next_month = settings.cap.and_then(|cap| cap.closed_until(last, last?));
        let next = self.next_top_up_at().unwrap_or(self.created_at);
        is_due.then(|| next_month.map_or(next, |next_month| next_month.max(next)))
    }

    /// The earliest time of the next attempt, or `None` if there never was one.
    pub fn next_top_up_at(&self) -> Option<Timestamp> {
        self.last_top_up_at.map(|last| last.saturating_add(PriceBook::TOP_UP_INTERVAL).unwrap_or(Timestamp::MAX))
    }

    /// When the customer stopped spending, if it is stopped.
    pub fn spending_stopped_at(&self) -> Option<Timestamp> {
        self.spending.filter(|spending| spending.is_stopped).map(|spending| spending.changed_at)
    }

    /// The account's own limits, moved on to the day of an instant.
    pub fn limits_at(&self, now: Timestamp) -> Limits {
        let today = date_of(now);
        self.limits.turned(self.limits_date.unwrap_or(today), today, self.seq)
    }

    /// The day on which the account's limits count at an instant. If the clock runs behind, it is the day that they
    /// already count on, so that no period opens twice.
    pub fn limits_day(&self, now: Timestamp) -> Date {
        let today = date_of(now);
        self.limits_date.map_or(today, |date| date.max(today))
    }

    /// Other limits, which count on the day of an instant.
    pub(in crate::domain) fn set_limits(&mut self, limits: Limits, now: Timestamp) {
        self.limits_date = (!limits.is_none()).then(|| self.limits_day(now));
        self.limits = limits;
    }

    /// The account with a salt for its chain, which is made only if it has none.
    #[must_use]
    pub fn salted(mut self, salt: impl FnOnce() -> Salt) -> Self {
        self.chain.get_or_insert_with(|| Chain::starting(salt()));
        self
    }

    /// The restriction in force, if any.
    pub fn restriction_at(&self, now: Timestamp) -> Option<&Restriction> {
        self.restriction.as_ref().filter(|restriction| now < restriction.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::samples::*;

    fn due_account() -> Account {
        Account { auto_top_up: Some(settings(500, 1_500)), balance: Credits::constant(499), ..account() }
    }

    #[test]
    fn an_account_is_due_only_while_a_sweep_has_something_to_do() {
        assert_eq!(account().top_up_due_at(), None, "never chosen");
        assert_eq!(due_account().top_up_due_at(), Some(account().created_at));
        assert_eq!(
            Account { balance: Credits::constant(500), ..due_account() }.top_up_due_at(),
            None,
            "not strictly below"
        );
        let off =
            Account { auto_top_up: Some(AutoTopUp { is_enabled: false, ..settings(500, 1_500) }), ..due_account() };
        assert_eq!(off.top_up_due_at(), None, "off");
        let stopped = Account { spending: Some(stopped_at(7)), ..due_account() };
        assert_eq!(stopped.top_up_due_at(), None, "stopped by the customer");
        let recent = Account { last_top_up_at: Some(at(60)), ..due_account() };
        assert_eq!(recent.top_up_due_at(), Some(at(60 + 6 * 3_600)), "six hours after the last attempt");
        let open =
            Account { open_top_up: Some(TopUpId::mint(1)), ..Account { balance: Credits::constant(9_000), ..recent } };
        assert_eq!(open.top_up_due_at(), Some(at(60)), "an open attempt is continued whatever the balance");
        let stopped = Account { spending: Some(stopped_at(70)), ..open };
        assert_eq!(stopped.top_up_due_at(), Some(at(60)), "an attempt that is open ends as it does");
    }
}
