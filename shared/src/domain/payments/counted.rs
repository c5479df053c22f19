//! What counts against a monthly cap.
//!
//! An attempt counts with its price in the month in which it opens, from the write that opens it. It stops counting when
//! it ends in a way that it cannot be paid any more. While it can still be paid, it counts.

use super::monthly_cap::MonthlyCap;
use super::records::{TopUp, TopUpStatus};
use crate::domain::{Account, Amount, month_of};

/// Counts an attempt that opens now. `account` still says when the last one before it opened.
pub(super) fn count_opened(account: &mut Account, top_up: &TopUp) {
    let last = account.last_top_up_at;
    let Some(cap) = account.auto_top_up.as_mut().and_then(|settings| settings.cap.as_mut()) else { return };
    let used = cap.used_at(last, top_up.opened_at);
    cap.used = if measures(cap, top_up) { used.saturating_add(top_up.price.minor()) } else { used };
}

/// Counts what became of an attempt. One of an earlier month does not count in this one.
pub(super) fn recount(account: &mut Account, top_up: &TopUp, after: TopUpStatus) {
    let is_of_month = account.last_top_up_at.is_some_and(|last| month_of(last) == month_of(top_up.opened_at));
    let Some(cap) = account.auto_top_up.as_mut().and_then(|settings| settings.cap.as_mut()) else { return };
    if is_of_month && measures(cap, top_up) {
        let counts = |status| if is_counted(status) { top_up.price.minor() } else { 0 };
        cap.used = cap.used.saturating_sub(counts(top_up.status)).saturating_add(counts(after)).max(0);
    }
}

/// What the attempts of an account add up to in the month of the last one, in the currency of a cap.
pub(super) fn used_in_month(account: &Account, attempts: &[TopUp], max: Amount) -> i64 {
    let Some(last) = account.last_top_up_at else { return 0 };
    let of_month = attempts.iter().filter(|attempt| month_of(attempt.opened_at) == month_of(last));
    let counted = of_month.filter(|attempt| is_counted(attempt.status) && attempt.price.currency() == max.currency());
    counted.fold(0_i64, |used, attempt| used.saturating_add(attempt.price.minor()))
}

/// Whether it was paid or can still be paid. One that was paid in part counts as a whole.
fn is_counted(status: TopUpStatus) -> bool {
    match status {
        TopUpStatus::Open
        | TopUpStatus::Processing
        | TopUpStatus::Declined(_)
        | TopUpStatus::ActionRequired
        | TopUpStatus::Paid
        | TopUpStatus::PartlyPaid => true,
        TopUpStatus::Refused(_) | TopUpStatus::Abandoned => false,
    }
}

/// An attempt in another currency does not count.
fn measures(cap: &MonthlyCap, top_up: &TopUp) -> bool {
    top_up.price.currency() == cap.max.currency()
}
